"""What this node has spent on whom: rounds, tokens and engine time by requester and hour. No I/O, no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from protocol.types import Key

HOUR_MS = 3_600_000

HOURS_KEPT = 25
"""hours: a sliding day, and the one that has begun."""

KEYS_PER_HOUR = 64
"""requesters that an hour tells apart, some 100 bytes each: as many as a roster has seats. Beyond it the one that cost
least is counted among the others, so that keys made for one query each fill nothing."""

OTHERS = Key(b"")
"""The requesters of an hour that are not told apart. They count as strangers."""


@dataclass(slots=True)
class Spent:
    """What was spent. Engine time is that of the whole engine: half of it busy for a second is half a second."""

    rounds: int = 0
    tokens: int = 0
    """Written, and read: the engine's own count for answers, an estimate from bytes for judgements."""
    engine_ms: int = 0

    def add(self, other: "Spent", share: float = 1.0) -> None:
        """Add a share of another sum."""
        self.rounds += round(share * other.rounds)
        self.tokens += round(share * other.tokens)
        self.engine_ms += round(share * other.engine_ms)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ledger, as it is stored."""

    hour: int
    """Since the Unix epoch."""
    requester: Key
    spent: Spent


class Ledger:
    """Bounded by HOURS_KEPT and KEYS_PER_HOUR, each in one direction."""

    def __init__(self, rows: list[Row]) -> None:
        self._hours: dict[int, dict[Key, Spent]] = {}
        self._changed: set[int] = set()
        for row in rows:
            self._hours.setdefault(row.hour, {})[row.requester] = row.spent

    def add(self, requester: Key, spent: Spent, now_ms: int) -> None:
        """Count something that was spent just now."""
        hour = now_ms // HOUR_MS
        self._hours = {at: table for at, table in self._hours.items() if at > hour - HOURS_KEPT}
        table = self._hours.setdefault(hour, {})
        table.setdefault(requester, Spent()).add(spent)
        if len(table) > KEYS_PER_HOUR + (OTHERS in table):
            least = min((key for key in table if key not in (OTHERS, requester)), key=lambda key: _cost(table[key]))
            table.setdefault(OTHERS, Spent()).add(table.pop(least))
        self._changed.add(hour)

    def lately(self, hours: int, now_ms: int, counts: Callable[[Key], bool]) -> Spent:
        """Return what requesters that count have cost in the last `hours`.

        Hours are counted whole; of the oldest one, which has partly slid out, its share is counted.
        """
        total = Spent()
        hour, into = divmod(now_ms, HOUR_MS)
        for at, table in self._hours.items():
            share = 1.0 if at > hour - hours else 1.0 - into / HOUR_MS
            if at >= hour - hours:
                for key, spent in table.items():
                    if counts(key):
                        total.add(spent, share)
        return total

    def by_requester(self, now_ms: int) -> list[tuple[Key, Spent]]:
        """Return what each requester has cost in the last day, the dearest first."""
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
