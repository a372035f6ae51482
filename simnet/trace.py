"""All events, in order, as one digest: equal traces mean equal runs."""

from hashlib import blake2b
from struct import pack


class Trace:
    """A running BLAKE2b-256."""

    def __init__(self) -> None:
        self._state = blake2b(digest_size=32)

    def note(self, at_ms: int, node: int, what: str, about: bytes = b"") -> None:
        """Add an event at a node; `about`: a message's id, or anything that distinguishes it from others."""
        name = what.encode()
        self._state.update(pack(">qiBB", at_ms, node, len(name), len(about)) + name + about)

    @property
    def digest(self) -> str:
        """Hexadecimal digest of all events so far."""
        return self._state.hexdigest()
