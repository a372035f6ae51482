"""Versions of everything that other machines read or that outlives the software that wrote it: one table of numbers.

A change of the wire or of the aggregator raises its number here in the same commit; `tests/vectors/test_versions.py`
fails otherwise. README.md ("Versions") lists what each number covers, what else a new one needs, and who reads old
ones.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

WIRE: Final = 2
"""Version of the wire: message schemas, codec, frame, signing domains, stream protocols, certificate layout.

It stands in the domain of every signature, in the digest of the network's parameters and so in every topic, in the
name of every stream protocol, and in a certificate's `version` field: nodes of two versions exchange no message.
"""

AGGREGATOR: Final = "hbt/2"
CANONICAL_FORM: Final = "forms/1"
DRAWS: Final = "draws/1"
"""Versions of what all verifiers recompute, named by NetworkParams: another figure in `consensus.certificates.tally`,
or in anything of `consensus.ranking`, is another version of one of them (rule R8)."""

WIRE_VERSION_MAX: Final = 9_999
"""Largest wire version that is accepted from a stranger: four digits."""

_STREAM: Final = re.compile(r"/strand/[a-z]{1,32}/([1-9][0-9]{0,3})")
_NAME: Final = re.compile(r"[a-z]{1,16}/[1-9][0-9]{0,3}")


def domain(purpose: str) -> bytes:
    """Return the domain tag of this wire version for one purpose: b"strand/message/2"."""
    return f"strand/{purpose}/{WIRE}".encode()


def stream_protocol(purpose: str) -> str:
    """Return the libp2p stream protocol of this wire version for one purpose: "/strand/contribute/2"."""
    return f"/strand/{purpose}/{WIRE}"


def wires_of(protocols: Iterable[str]) -> tuple[int, ...]:
    """Return the versions of the wire of a peer, ascending, from the stream protocols that it serves."""
    return tuple(sorted({int(found[1]) for each in protocols if (found := _STREAM.fullmatch(each)) is not None}))


@dataclass(frozen=True, slots=True)
class RoundVersion:
    """The versions under which a round was held, as its certificate names them."""

    wire: int
    """At least 1; 0 for the drafts before 2026-11-28, whose certificates also state 1 but have no list of declines."""
    aggregator: str
    canonical_form: str
    draws: str

    def __str__(self) -> str:
        """Describe it on one line, safe to print even if a stranger wrote the fields."""
        names = (self.aggregator, self.canonical_form, self.draws)
        shown = (name if _NAME.fullmatch(name) else ascii(name[:32]) for name in names)
        wire = f"wire {self.wire}" if self.wire else "a draft of the wire"
        return f"{wire}, {', '.join(shown)}"


CURRENT: Final = RoundVersion(WIRE, AGGREGATOR, CANONICAL_FORM, DRAWS)
"""The version that this software writes."""

FORMER_READERS: Final[Mapping[tuple[int, str], str]] = {
    (0, "hbt/2"): "2df6499",
    (0, "hbt/1"): "f04c44f",
}
"""The last commit that reads certificates of a version for which no verifier was kept, by wire and aggregator."""


def remedy(found: RoundVersion) -> str:
    """Return the software that reads a certificate of a version that this one does not read."""
    commit = FORMER_READERS.get((found.wire, found.aggregator))
    if commit is not None:
        return f"verify it with the strand of commit {commit} (git worktree add ../strand-{commit} {commit})"
    return "install a newer strand, which names all versions that it reads"
