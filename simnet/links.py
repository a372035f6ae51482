"""The links between nodes: when, whether and how often a packet arrives."""

import math
from collections.abc import Collection

from simnet.chance import chance
from simnet.scenario import LinkTable


class Links:
    """All links of a world. Draws are taken in the order of packets, which the seed fixes.

    A pair's latency is the product of its two nodes' factors: access lines, not distances, make most of the difference
    (the "height" of Vivaldi coordinates, Dabek and others 2004).
    """

    def __init__(self, table: LinkTable, seed: int, nodes: int) -> None:
        self._table = table
        self._random = chance(seed, "links")
        deviation = table.spread / math.sqrt(2)
        self._factors = [math.exp(deviation * chance(seed, "access", node).gauss(0.0, 1.0)) for node in range(nodes)]
        self._busy_until_us = [0] * nodes
        self._cuts: list[frozenset[int]] = []

    def cut(self, nodes: Collection[int]) -> frozenset[int]:
        """Separate these nodes from all others. Returns the argument of `heal`."""
        side = frozenset(nodes)
        self._cuts.append(side)
        return side

    def heal(self, side: frozenset[int]) -> None:
        """Undo a cut."""
        self._cuts.remove(side)

    def depart(self, source: int, size: int, now_ms: int) -> int:
        """Return when a packet of `size` bytes has left its node's uplink, ms."""
        rate = self._table.uplink_kbit_s
        if not rate:
            return now_ms
        # Microseconds, so that small packets add up: 8 bits a byte, 1000 bits a kbit.
        free_us = max(self._busy_until_us[source], now_ms * 1000) + size * 8 * 1000 // rate
        self._busy_until_us[source] = free_us
        return -(-free_us // 1000)

    def arrivals(self, source: int, target: int, departs_ms: int) -> tuple[int, ...]:
        """Return when the packet's copies arrive, ms; none if it is lost."""
        if any((source in side) != (target in side) for side in self._cuts):
            return ()
        table, random = self._table, self._random
        if table.loss and random.random() < table.loss:
            return ()
        arrives_ms = departs_ms + self._delay_ms(source, target)
        if table.duplicate and random.random() < table.duplicate:
            return arrives_ms, departs_ms + self._delay_ms(source, target)
        return (arrives_ms,)

    def _delay_ms(self, source: int, target: int) -> int:
        table, random = self._table, self._random
        delay = table.latency_ms * self._factors[source] * self._factors[target]
        if table.jitter_ms:
            delay += random.expovariate(1.0 / table.jitter_ms)
        if table.reorder and random.random() < table.reorder:
            delay += random.random() * table.reorder_ms
        return max(1, round(delay))
