"""Who is there: when each node was last heard, how far away it is, whether its clock is ours, and who sits out.

An asker's own view, from offers, acknowledgements, contributions and pings. They decide who gets a seat.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median, median_low
from typing import Final

from consensus.rounds.backoff import Backoff
from protocol.types import Key

NODES_MAX: Final = 2_048
"""nodes remembered: twice as many as offers are kept. Strangers that never answered a ping go first, then strangers."""

PAUSES_MS: Final = Backoff(30_000, 64 * 60_000)
"""ms that a node sits out after rounds in a row in which it stayed silent: the first time about as long as a round, and
about an hour at most, so that who was away for a day is back soon."""

ROUND_TRIP_MS_MAX: Final = 2_000
"""ms of a round trip that is believed: what is slower still must not make anybody wait longer."""

CLOCKS_MIN: Final = 3
"""clocks of others that must be known before one of them is called wrong by majority: ours may be the wrong one."""


@dataclass(slots=True)
class _Node:
    heard_ms: int | None = None
    """None: never, or it was seen to go."""
    round_trip_ms: int | None = None
    offset_ms: float = 0.0
    """Its clock less ours."""
    pauses: int = 0
    """Rounds in a row in which it stayed silent."""
    paused_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class ClockView:
    """How our clock compares with those of others."""

    peers: int
    """Clocks measured."""
    offset_ms: int
    """Median of theirs less ours."""
    ours_is_off: bool
    """Whether most of at least CLOCKS_MIN others are surely off from ours: then it is ours that is."""
    off: int = 0
    """Of the clocks measured, those that are surely off from ours."""


class Presence:
    """What is known of the presence of nodes. Bounded; times are ms by our own clock."""

    def __init__(self, clock_skew_ms: int, trusted: Collection[Key] = ()) -> None:
        """`clock_skew_ms`: the network's; who is surely off by more than half of it is not seated.

        `trusted`: keys that are never forgotten for others.
        """
        self._off_ms = clock_skew_ms / 2
        self._trusted = frozenset(trusted)
        self._nodes: OrderedDict[Key, _Node] = OrderedDict()

    def heard(self, key: Key, now_ms: int) -> None:
        """The node gave a sign of life."""
        self._node(key).heard_ms = now_ms

    def gone(self, key: Key) -> None:
        """The node's connection ended: it counts as not heard until it is heard again."""
        if (node := self._nodes.get(key)) is not None:
            node.heard_ms = None

    def measured(self, key: Key, sent_ms: int, came_ms: int, its_clock_ms: int) -> None:
        """A ping came back: sent and received by our clock, answered by its."""
        node = self._node(key)
        node.heard_ms = came_ms
        node.round_trip_ms = max(0, came_ms - sent_ms)
        node.offset_ms = its_clock_ms - (sent_ms + came_ms) / 2

    def round_over(self, members: Collection[Key], silent: Collection[Key], now_ms: int) -> None:
        """A round of ours ended, in which `silent` of its `members` contributed nothing and did not refuse either: they
        gave no sign, or declined whatever they were asked for (R15).

        They sit out for growing pauses; nobody does if more than half were silent, for then it was likely us.
        """
        for key in members:
            if key not in silent and (node := self._nodes.get(key)) is not None:
                node.pauses = 0
        if 2 * len(silent) > len(members):
            return
        for key in silent:
            node = self._node(key)
            node.pauses += 1
            node.paused_until_ms = now_ms + PAUSES_MS.pause(node.pauses)

    def seatable(self, keys: Iterable[Key], now_ms: int, heard_within_ms: int) -> frozenset[Key]:
        """Of these nodes, those that were heard lately, do not sit out, and have a clock that agrees with ours."""
        clocks_count = not self.clock.ours_is_off
        found = []
        for key in keys:
            node = self._nodes.get(key)
            if node is None or node.heard_ms is None or now_ms < node.paused_until_ms:
                continue
            if now_ms - node.heard_ms <= heard_within_ms and not (clocks_count and self._is_off(node)):
                found.append(key)
        return frozenset(found)

    def round_trip_ms(self, key: Key) -> int:
        """The node's last measured round trip, at most ROUND_TRIP_MS_MAX; 0 if none was measured."""
        node = self._nodes.get(key)
        return 0 if node is None or node.round_trip_ms is None else min(node.round_trip_ms, ROUND_TRIP_MS_MAX)

    def slack_ms(self, seats: Iterable[Key]) -> int:
        """By how much a round's patience is lengthened for the distance of its seats: their median round trip.

        Not the longest: a few far or lying seats must not set everybody's patience.
        """
        return median_low([self.round_trip_ms(key) for key in seats] or [0])

    def offset_ms(self, key: Key) -> int | None:
        """The node's clock less ours, ms, give or take half of its round trip; None if it was not measured."""
        node = self._nodes.get(key)
        return None if node is None or node.round_trip_ms is None else round(node.offset_ms)

    @property
    def clock(self) -> ClockView:
        """Our clock among those of others: of the trusted alone once CLOCKS_MIN of them are known, as keys are free."""
        known = {key: node for key, node in self._nodes.items() if node.round_trip_ms is not None and node.heard_ms}
        trusted = [node for key, node in known.items() if key in self._trusted]
        measured = trusted if len(trusted) >= CLOCKS_MIN else list(known.values())
        if not measured:
            return ClockView(0, 0, ours_is_off=False)
        offset_ms = round(median(node.offset_ms for node in measured))
        off = sum(self._is_off(node) for node in measured)
        return ClockView(len(measured), offset_ms, len(measured) >= CLOCKS_MIN and 2 * off > len(measured), off)

    def _is_off(self, node: _Node) -> bool:
        """Whether its clock is off by more than is allowed, even with all of the error of measurement in its favour."""
        return node.round_trip_ms is not None and abs(node.offset_ms) - node.round_trip_ms / 2 > self._off_ms

    def _node(self, key: Key) -> _Node:
        node = self._nodes.setdefault(key, _Node())
        self._nodes.move_to_end(key)
        if len(self._nodes) > NODES_MAX:
            self._forget_one()
        return node

    def _forget_one(self) -> None:
        """The longest unheard stranger goes: of those that never answered a ping, if there are any.

        The newest stays, or nodes that once answered a ping would keep everybody else out for good.
        """
        *others, _newest = self._nodes
        strangers = [key for key in others if key not in self._trusted] or others
        unmeasured = (key for key in strangers if self._nodes[key].round_trip_ms is None)
        del self._nodes[next(unmeasured, strangers[0])]
