"""Admission of queries: working places, limits for strangers, and the rate at which queries may come.

A *known* requester is one that the owner has named or that has earned weight; everybody else is a *stranger*. Keys are
free, so all strangers together share one bound, and more keys never take places that are reserved for the known.
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
"""Default number of working places: a slate of 16 KiB answers each, and more than one engine can serve."""

STRANGER_PHASE_MS = 60_000
"""Milliseconds for which one phase of a stranger's round may hold a working place, whatever its query says. Most models
answer and judge within it. A requester that acknowledges but never closes loses the place after a minute."""

KEYS_MAX = 4_096
"""Keys in one table of query budgets, 300 bytes each. Beyond it the key that asked longest ago starts afresh, which
gains it at most its burst, and nothing beyond the budget of all strangers together."""

SIZE_BYTES = 8_192
"""Bytes of a query that cost as much as one more query, for hashing, copying and storing them."""


class Refusal(StrEnum):
    """Why a node does not work on a query, and the remedy for the requester."""

    BUSY = "busy"
    """All places open to the requester are taken. Ask again when rounds have ended: seconds to a minute."""
    PAUSED = "paused"
    """The owner has paused the node. Ask others; its offer is withdrawn."""
    NOT_SERVED = "not_served"
    """The node works for others only, or its owner denies this key. Ask its owner, or earn weight with it."""
    OVER_QUOTA = "over_quota"
    """The node's quota of rounds or tokens for strangers is used up. Ask again in the next hour or day."""
    OVER_BUDGET = "over_budget"
    """Strangers have used their share of the engine's time. Ask again within the hour."""
    OFF_HOURS = "off_hours"
    """The node works at other hours. Ask again then."""
    STOPPING = "stopping"
    """The node is being stopped. Ask others; its offer is withdrawn."""
    CLOCK = "clock"
    """The query's date is too far from the node's clock. Set the clock and ask anew."""
    NOT_SEATED = "not_seated"
    """The query's roster does not name the node. Ask the nodes that it names."""
    UNKNOWN = "unknown"
    """The node refused for a reason unknown to this version: it is newer, or the reply is garbage."""


@dataclass(frozen=True, slots=True)
class WorkingPlace:
    """A working place that is taken."""

    query: Digest
    requester: Key


class Admission(Protocol):
    """Decides about other nodes' queries whose roster names this node. A node never refuses its own queries."""

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        """Return why the node does not work on a query while these places are taken; None if it does."""
        ...

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """Return the longest time, ms, that each phase of this requester's rounds may hold a place."""
        ...

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """Record that the node works on a query, also its own. `again`: it had already begun before a restart."""
        ...


@dataclass(frozen=True, slots=True)
class Shares:
    """The division of working places: half are reserved for the known, and no stranger gets more than a quarter."""

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
        """Whether the requester may have one more place."""
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
        """Refuse with BUSY if no place is free for the requester."""
        return None if self.shares.is_free(query.author, places, self.known) else Refusal.BUSY

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """Return the limit for strangers; known requesters have none below the protocol's."""
        return DURATION_MS_MAX if self.known(requester) else self.stranger_phase_ms

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """Do nothing: places alone need no counters."""


KNOWN_RATE = Rate(10.0, 40.0)
"""Queries of one known requester: ten times as many as its open rounds allow."""

STRANGER_RATE = Rate(1.0, 8.0)
"""Queries of one stranger: a round takes seconds, and a key has at most four open at a member."""

STRANGERS_RATE = Rate(4.0, 40.0)
"""Queries of all strangers together: 50 nodes of a sub-mesh that each ask every twelve seconds. A check takes 0.6 ms,
but an admitted query is also relayed, and comes back from each neighbour: 10 ms of CPU in a mesh of four, so that this
is at most a twentieth of a core. A query that is not checked costs 0.7 us here."""


class QueryBudget:
    """Limits how many queries are checked, before any work is done for them: each costs 1, and 1 more per 8 KiB.

    Bounded by KEYS_MAX, for strangers and for the known. Strangers pay twice, from their own budget and from that of
    all strangers, so that fresh keys gain nothing. The known pay from their own only, so that strangers' floods take
    nothing from them.
    """

    def __init__(self, known: Callable[[Key], bool]) -> None:
        self._is_known = known
        self._known = Buckets[Key](KNOWN_RATE, KEYS_MAX)
        self._each_stranger = Buckets[Key](STRANGER_RATE, KEYS_MAX)
        self._strangers = Bucket(STRANGERS_RATE)

    def admits(self, requester: Key, size_bytes: int, now_ms: int) -> bool:
        """Take the cost of this query from its budgets. Returns False, and takes nothing, if they do not suffice."""
        cost, now_s = 1 + size_bytes / SIZE_BYTES, now_ms / 1000
        if self._is_known(requester):
            return self._known.take(requester, cost, now_s)
        return (
            self._strangers.level(now_s) >= cost
            and self._each_stranger.take(requester, cost, now_s)
            and self._strangers.take(cost, now_s)
        )
