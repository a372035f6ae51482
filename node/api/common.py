"""Types, headers and replies that several operations share."""

from typing import Annotated, Final

import msgspec

KeyHex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""A node's public key: 64 hexadecimal digits."""

DigestHex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""A digest, such as a query's id: 64 hexadecimal digits."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A share or probability from 0 to 1."""

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A number of things, from 0."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
"""A number or a time in ms that is at least 1."""

HOPS_HEADER: Final = "Strand-Hops"
"""Header of every request that a node's engine sends. A node refuses to ask the swarm for such a request: nodes that
are engines of each other would multiply one question without end."""


class CursorError(ValueError):
    """No list goes on from this text. The message is one line for the caller."""


class Error(msgspec.Struct, frozen=True):
    """Reason why a request was refused."""

    error: str
    """One line for the user, at most 300 characters."""


class Liveness(msgspec.Struct, frozen=True):
    """Whether the process runs."""

    live: bool
    """Always true: a node that does not run sends no reply."""


class Readiness(msgspec.Struct, frozen=True):
    """Whether the node can take part in rounds."""

    ready: bool
    """Whether the engine answers, a peer is connected, and the node is not being stopped."""
    engine: bool
    """Whether the engine replied to its last probe."""
    peers: bool
    """Whether at least one peer is connected."""
    stopping: bool = False
    """Whether the node is being stopped: it finishes what it holds and takes nothing new."""
