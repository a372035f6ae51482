"""Presence of nodes: when each was last heard, its round trip, its clock offset, and whether it is suspended.

This is an asker's own view, from offers, acknowledgements, contributions and pings. It decides which nodes get a seat.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median, median_low
from typing import Final

from consensus.rounds.backoff import Backoff
from protocol.types import Key

NODES_MAX: Final = 2_048
"""Nodes remembered: twice as many as offers are kept. Strangers that never answered a ping go first, then strangers."""

PAUSES_MS: Final = Backoff(30_000, 64 * 60_000)
"""Milliseconds of a node's suspension after rounds in a row in which it stayed silent: the first about as long as a
round, and an hour at most, so that a node that was away for a day is back soon."""

ROUND_TRIP_MS_MAX: Final = 2_000
"""Largest accepted round trip, ms: anything slower must not make anybody wait longer."""

CLOCKS_MIN: Final = 3
"""Clocks of others needed before a majority can call one of them wrong: ours may be the wrong one."""


@dataclass(slots=True)
class _Node:
    heard_ms: int | None = None
    """None: never, or its disconnection was observed."""
    round_trip_ms: int | None = None
    offset_ms: float = 0.0
    """Its clock minus ours, ms."""
    pauses: int = 0
    """Consecutive rounds in which it stayed silent."""
    paused_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class ClockView:
    """Comparison of our clock with those of others."""

    peers: int
    """Number of clocks measured."""
    offset_ms: int
    """Median of theirs minus ours."""
    ours_is_off: bool
    """Whether most of at least CLOCKS_MIN others certainly differ from ours: then ours is wrong."""
    off: int = 0
    """Number of measured clocks that certainly differ from ours."""


class Presence:
    """Bounded table of the presence of nodes; times are ms by our own clock."""

    def __init__(self, clock_skew_ms: int, trusted: Collection[Key] = ()) -> None:
        """Create an empty table.

        `clock_skew_ms`: the network's; a node that certainly differs by more than half of it gets no seat. `trusted`:
        keys that are never forgotten in favour of others.
        """
        self._off_ms = clock_skew_ms / 2
        self._trusted = frozenset(trusted)
        self._nodes: OrderedDict[Key, _Node] = OrderedDict()

    def heard(self, key: Key, now_ms: int) -> None:
        """Record a sign of life."""
        self._node(key).heard_ms = now_ms

    def gone(self, key: Key) -> None:
        """Record the end of the node's connection: it counts as not heard until it is heard again."""
        if (node := self._nodes.get(key)) is not None:
            node.heard_ms = None

    def measured(self, key: Key, sent_ms: int, came_ms: int, its_clock_ms: int) -> None:
        """Record a ping: sent and received by our clock, answered by the node's."""
        node = self._node(key)
        node.heard_ms = came_ms
        node.round_trip_ms = max(0, came_ms - sent_ms)
        node.offset_ms = its_clock_ms - (sent_ms + came_ms) / 2

    def round_over(self, members: Collection[Key], silent: Collection[Key], now_ms: int) -> None:
        """Record the end of a round of ours in which the `silent` members contributed nothing and did not refuse.

        They gave no sign of life, or declined all their work (R15). They are suspended, for longer each time; nobody is
        if more than half were silent, because then the fault was probably ours.
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
        """Return those nodes that were heard lately, are not suspended, and whose clock agrees with ours."""
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
        """Return the extension of a round's patience for the distance of its seats: their median round trip.

        Not the longest: a few distant or lying seats must not set everybody's patience.
        """
        return median_low([self.round_trip_ms(key) for key in seats] or [0])

    def offset_ms(self, key: Key) -> int | None:
        """Return the node's clock minus ours, ms, within half of its round trip; None if it was not measured."""
        node = self._nodes.get(key)
        return None if node is None or node.round_trip_ms is None else round(node.offset_ms)

    @property
    def clock(self) -> ClockView:
        """Comparison of our clock with those of others.

        Once CLOCKS_MIN trusted nodes are measured they alone count, because keys are free.
        """
        known = {key: node for key, node in self._nodes.items() if node.round_trip_ms is not None and node.heard_ms}
        trusted = [node for key, node in known.items() if key in self._trusted]
        measured = trusted if len(trusted) >= CLOCKS_MIN else list(known.values())
        if not measured:
            return ClockView(0, 0, ours_is_off=False)
        offset_ms = round(median(node.offset_ms for node in measured))
        off = sum(self._is_off(node) for node in measured)
        return ClockView(len(measured), offset_ms, len(measured) >= CLOCKS_MIN and 2 * off > len(measured), off)

    def _is_off(self, node: _Node) -> bool:
        """Whether its clock exceeds the allowed difference even with the largest measurement error in its favour."""
        return node.round_trip_ms is not None and abs(node.offset_ms) - node.round_trip_ms / 2 > self._off_ms

    def _node(self, key: Key) -> _Node:
        node = self._nodes.setdefault(key, _Node())
        self._nodes.move_to_end(key)
        if len(self._nodes) > NODES_MAX:
            self._forget_one()
        return node

    def _forget_one(self) -> None:
        """Forget the stranger unheard for longest: of those that never answered a ping, if there are any.

        The newest stays, or nodes that once answered a ping would keep everybody else out for good.
        """
        *others, _newest = self._nodes
        strangers = [key for key in others if key not in self._trusted] or others
        unmeasured = (key for key in strangers if self._nodes[key].round_trip_ms is None)
        del self._nodes[next(unmeasured, strangers[0])]
