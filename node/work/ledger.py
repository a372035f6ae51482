"""This node's costs: rounds, tokens and engine time by requester and hour. No I/O, no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from protocol.types import Key

HOUR_MS = 3_600_000

HOURS_KEPT = 25
"""Hours kept: a sliding day, and the one that has begun."""

KEYS_PER_HOUR = 64
"""Requesters that an hour distinguishes, some 100 bytes each: as many as a roster has seats. Beyond it the one with the
least cost is counted among the others, so that keys made for one query each fill nothing."""

OTHERS = Key(b"")
"""The requesters of an hour that are not distinguished. They count as strangers."""


@dataclass(slots=True)
class Spent:
    """A cost. `engine_ms` counts time of the whole engine: one second at half load is 500 ms."""

    rounds: int = 0
    tokens: int = 0
    """Tokens written and read: the engine's own count for answers, an estimate from bytes for judgements."""
    engine_ms: int = 0

    def add(self, other: "Spent", share: float = 1.0) -> None:
        """Add a share of another sum."""
        self.rounds += round(share * other.rounds)
        self.tokens += round(share * other.tokens)
        self.engine_ms += round(share * other.engine_ms)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger, as it is stored."""

    hour: int
    """Hours since the Unix epoch."""
    requester: Key
    spent: Spent


class Ledger:
    """Costs by hour and requester, bounded by HOURS_KEPT and KEYS_PER_HOUR."""

    def __init__(self, rows: list[Row]) -> None:
        self._hours: dict[int, dict[Key, Spent]] = {}
        self._changed: set[int] = set()
        for row in rows:
            self._hours.setdefault(row.hour, {})[row.requester] = row.spent

    def add(self, requester: Key, spent: Spent, now_ms: int) -> None:
        """Add a cost of the present hour."""
        hour = now_ms // HOUR_MS
        self._hours = {at: table for at, table in self._hours.items() if at > hour - HOURS_KEPT}
        table = self._hours.setdefault(hour, {})
        table.setdefault(requester, Spent()).add(spent)
        if len(table) > KEYS_PER_HOUR + (OTHERS in table):
            least = min((key for key in table if key not in (OTHERS, requester)), key=lambda key: _cost(table[key]))
            table.setdefault(OTHERS, Spent()).add(table.pop(least))
        self._changed.add(hour)

    def lately(self, hours: int, now_ms: int, counts: Callable[[Key], bool]) -> Spent:
        """Return the cost of the requesters that count in the last `hours`.

        Hours are counted whole, except the oldest, which counts by the share that is still in the window.
        """
        total = Spent()
        hour, into = divmod(now_ms, HOUR_MS)
        for at, table in self._hours.items():
            if at >= hour - hours:
                in_hour = Spent()
                for key, spent in table.items():
                    if counts(key):
                        in_hour.add(spent)
                total.add(in_hour, 1.0 if at > hour - hours else 1.0 - into / HOUR_MS)
        return total

    def by_requester(self, now_ms: int) -> list[tuple[Key, Spent]]:
        """Return each requester's cost in the last day, the highest first."""
        totals: dict[Key, Spent] = {}
        for at, table in self._hours.items():
            if at > now_ms // HOUR_MS - HOURS_KEPT:
                for key, spent in table.items():
                    totals.setdefault(key, Spent()).add(spent)
        return sorted(totals.items(), key=lambda each: _cost(each[1]), reverse=True)

    def take_changed(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield each hour that has changed since the last call, with all of its rows."""
        changed, self._changed = self._changed, set()
        for hour in sorted(changed & self._hours.keys()):
            yield hour, [Row(hour, key, spent) for key, spent in self._hours[hour].items()]


def _cost(spent: Spent) -> tuple[int, int, int]:
    return spent.engine_ms, spent.tokens, spent.rounds
