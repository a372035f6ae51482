"""Whose queries this node works on: working places, the terms that strangers get, and how fast queries may come.

A *known* requester is one whom the owner has named or who has earned weight; everybody else is a *stranger*. Keys are
free, so whatever strangers can take is bounded for all of them together, and what is reserved for the known cannot be
taken by making more keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consensus.rounds.buckets import Bucket, Buckets, Rate
from protocol.limits import DURATION_MS_MAX
from protocol.messages import Query
from protocol.types import Digest, Key

PLACES = 8
"""working places where nothing else is said: a slate of 16 KiB answers each, and more than one engine keeps up with."""

STRANGER_PHASE_MS = 60_000
"""ms that one phase of a stranger's round may hold a working place, whatever its query says: most models answer and
judge within it, and a requester that goes on acknowledging without ever closing loses the place after a minute."""

KEYS_MAX = 4_096
"""keys of one table of query budgets, 300 bytes each; beyond it the one that asked longest ago begins afresh, which
gains it no more than its burst, and nothing beyond the budget of all strangers together."""

SIZE_BYTES = 8_192
"""bytes of a query that cost as much as one more query: hashing, copying and remembering them."""


class Refusal(StrEnum):
    """Why a node does not work on a query; what the requester can do about it."""

    BUSY = "busy"
    """All places that it may use are taken. Ask again when rounds have ended: seconds to a minute."""
    PAUSED = "paused"
    """The owner has paused the node. Ask others; its offer is withdrawn."""
    NOT_SERVED = "not_served"
    """The node works for others only, or its owner denies this key. Ask its owner, or earn a record with it."""
    OVER_QUOTA = "over_quota"
    """The rounds or tokens that the node gives strangers are used up. Ask again in the next hour or day."""
    OVER_BUDGET = "over_budget"
    """Strangers have had their share of the engine's time. Ask again within the hour."""
    OFF_HOURS = "off_hours"
    """The node works at other hours. Ask again then."""
    CLOCK = "clock"
    """The query's date is too far from the node's clock. Set the clock and ask anew."""
    NOT_SEATED = "not_seated"
    """The query's roster does not name the node. Ask whom it names."""
    UNKNOWN = "unknown"
    """The node refused for a reason that we do not know: a newer version, or nonsense."""


@dataclass(frozen=True, slots=True)
class WorkingPlace:
    """A working place that is taken."""

    query: Digest
    requester: Key


class Admission(Protocol):
    """Decides about queries of others whose roster names us. A node never refuses its own."""

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        """Return why the node does not work on a query, while these places are taken; None: it does."""
        ...

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """Return how long, ms, each phase of a round of this requester may hold a place, if the query says longer."""
        ...

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """Take note that the node works on the query. `again`: it has begun before a restart."""
        ...


@dataclass(frozen=True, slots=True)
class Shares:
    """How working places are divided: half are reserved for the known, and no stranger gets more than a quarter."""

    total: int = PLACES

    @property
    def strangers(self) -> int:
        """Places for all strangers together. A node with a single place lends it to anybody."""
        return max(1, self.total // 2)

    @property
    def stranger(self) -> int:
        """Places for one stranger."""
        return max(1, self.strangers // 2)

    def is_free(self, requester: Key, places: Sequence[WorkingPlace], known: Callable[[Key], bool]) -> bool:
        """Whether the requester may have one more."""
        if len(places) >= self.total:
            return False
        if known(requester):
            return True
        taken = [place.requester for place in places if not known(place.requester)]
        return len(taken) < self.strangers and taken.count(requester) < self.stranger


@dataclass(frozen=True, slots=True)
class PlacesOnly:
    """Admission by places alone. `known`: whether a key is no stranger."""

    shares: Shares = Shares()
    known: Callable[[Key], bool] = lambda _: True
    stranger_phase_ms: int = STRANGER_PHASE_MS

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        """See Admission."""
        return None if self.shares.is_free(query.author, places, self.known) else Refusal.BUSY

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """See Admission."""
        return DURATION_MS_MAX if self.known(requester) else self.stranger_phase_ms

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """See Admission; there is nothing to count."""


KNOWN_RATE = Rate(10.0, 40.0)
"""of one known requester: ten times what its open rounds allow it to make of them."""

STRANGER_RATE = Rate(1.0, 8.0)
"""of one stranger: a round takes seconds, and a key has at most four open at a member."""

STRANGERS_RATE = Rate(4.0, 40.0)
"""of all strangers together: 50 nodes of a sub-mesh that each ask every twelve seconds. Looking at one takes 0.6 ms,
but a query that is let in is also passed on, and comes back from each neighbour: 10 ms of CPU in a mesh of four, so
that this is at most a twentieth of a core. A query that is not looked at costs 0.7 us here."""


class QueryBudget:
    """How many queries are looked at, before any work is done for them: each costs 1, and 1 more for 8 KiB.

    Bounded by KEYS_MAX, for strangers and for the known. Strangers pay twice, from their own budget and from that of
    all strangers, so that fresh keys gain nothing; the known pay from their own only, so that strangers' floods take
    nothing from them.
    """

    def __init__(self, known: Callable[[Key], bool]) -> None:
        self._is_known = known
        self._known = Buckets[Key](KNOWN_RATE, KEYS_MAX)
        self._each_stranger = Buckets[Key](STRANGER_RATE, KEYS_MAX)
        self._strangers = Bucket(STRANGERS_RATE)

    def admits(self, requester: Key, size_bytes: int, now_ms: int) -> bool:
        """Take what this query costs; False, and nothing taken, if it is not there."""
        cost, now_s = 1 + size_bytes / SIZE_BYTES, now_ms / 1000
        if self._is_known(requester):
            return self._known.take(requester, cost, now_s)
        return (
            self._strangers.level(now_s) >= cost
            and self._each_stranger.take(requester, cost, now_s)
            and self._strangers.take(cost, now_s)
        )
