"""The stored data as Python types; its limits; its errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from node.errors import UserError
from protocol.limits import TIME_MS_MAX
from protocol.types import Digest, Key, Kind, Outcome


class StoreError(UserError):
    """The store cannot be opened, read or written: in use, damaged, of another key or version.

    The message is one line for the user. A node that gets it cannot keep its promises and must stop.
    """


class StoreBlockedError(StoreError):
    """The disk refuses for now: full, read-only, failing. Nothing was written.

    A running node continues, takes no new work, and retries; a starting one must stop.
    """


class SlotTakenError(RuntimeError):
    """Local bug: a second, different message for a slot of ours (R3). Sending it would be equivocation."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A message of our own, about to be sent, with its secret, such as a commitment's salt and text."""

    query_id: Digest
    kind: Kind
    wave: int
    envelope: bytes
    secret: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A stored certificate without its bytes. `winner` is the author's key; empty if the round failed."""

    query_id: Digest
    outcome: Outcome
    winner: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A stored certificate in a list: its summary, its size, and whether its round is one that this node asked."""

    age: int
    """Number that grows with each stored certificate."""
    summary: CertificateSummary
    size_bytes: int
    is_ours: bool


@dataclass(frozen=True, slots=True)
class AskedRound:
    """A round that this node asked (node/rounds/history.py)."""

    query_id: Digest
    asked_ms: int
    task: str
    gold: bool
    outcome: str
    """Its outcome; empty if it has none, or none yet."""
    ending: str
    """How it ended; empty while it is open."""
    text: str
    """The text that is searched, its letters' case folded."""
    summary: bytes
    """What a list of rounds shows."""
    body: bytes
    """Everything else."""


@dataclass(frozen=True, slots=True)
class RoundFilter:
    """Which rounds to list; what is empty excludes none."""

    text: str = ""
    """A part of the text, its letters' case folded."""
    task: str = ""
    outcome: str = ""
    since_ms: int = 0
    until_ms: int = TIME_MS_MAX
    """Last time at which a round may have been asked."""
    gold: bool = False
    """Whether to list gold rounds, too."""


@dataclass(frozen=True, slots=True)
class RoundCursor:
    """A round in the list of rounds, newest first, below which the next page begins."""

    asked_ms: int
    query_id: Digest


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that we had joined and not finished when the process ended."""

    query_id: Digest
    requester: Key
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Learned:
    """One row of learned statistics (node/rounds/reputation.py); unique by specialty, part and name."""

    part: str
    name: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class ServedHour:
    """The cost of one requester in one hour since the Unix epoch (node/work/ledger.py); empty key: all others."""

    hour: int
    requester: bytes
    rounds: int
    tokens: int
    engine_ms: int


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """A peer that was met. `addresses` are multiaddrs without /p2p/.

    `reached`: whether it has answered there; `met_ms`: when it was last connected.
    """

    key: bytes
    addresses: tuple[str, ...]
    reached: bool
    met_ms: int


@dataclass(frozen=True, slots=True)
class TableLimit:
    """Bounds of one table; beyond them its oldest rows are deleted."""

    rows_max: int
    bytes_max: int


_GIB: Final = 1 << 30

LIMITS: Final[Mapping[str, TableLimit]] = {
    # Weeks of a busy node at a few KiB a message. Its oldest rounds are long closed; R12 covers the others.
    "journal": TableLimit(rows_max=500_000, bytes_max=_GIB),
    # A history for the user at some 50 KiB each (8 MiB at most, CERTIFICATE_BYTES_MAX); the asker has its own copy.
    "certificates": TableLimit(rows_max=20_000, bytes_max=_GIB),
    # 64 requesters (MEMBERS_MAX) with 64 open rounds each, the most that any NetworkParams allow.
    "open_rounds": TableLimit(rows_max=4_096, bytes_max=_GIB),
    # Queries live for minutes: 100 new ones a second for a quarter of an hour.
    "seen_queries": TableLimit(rows_max=100_000, bytes_max=_GIB),
    # Three specialties, each with 4,096 nodes' statistics (STANDINGS_MAX) of some 300 bytes and 128 gold rounds of 10
    # KiB.
    "learned": TableLimit(rows_max=3 * 4_352, bytes_max=_GIB),
    # 25 hours, each with 64 requesters and one row for the others.
    "served": TableLimit(rows_max=25 * 65, bytes_max=_GIB),
    # As many as the address book remembers (REMEMBERED_MAX), with eight addresses of 300 characters at most.
    "peers": TableLimit(rows_max=256, bytes_max=1 << 20),
    # Months of a busy user at some 4 KiB each. The texts' bound keeps a search, which reads all of them, within a
    # second.
    "rounds": TableLimit(rows_max=20_000, bytes_max=1 << 28),
    # The last rounds that a user may want to see again with their times, at 256 KiB each (PACKED_BYTES_MAX); older ones
    # are rebuilt from their certificates.
    "round_events": TableLimit(rows_max=200, bytes_max=200 * 256 * 1024),
}
