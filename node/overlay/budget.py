"""Token buckets by key: how often something may happen for each of many. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_MINUTE_MS = 60_000


class Buckets(Generic[K]):
    """One bucket for each key: `burst` at once, `per_minute` for good. The table holds the `keys_max` used last."""

    def __init__(self, per_minute: int, burst: int, keys_max: int) -> None:
        self._per_ms = per_minute / _MINUTE_MS
        self._burst = burst
        self._keys_max = keys_max
        self._levels: OrderedDict[K, tuple[float, int]] = OrderedDict()

    def wait_ms(self, key: K, now_ms: int) -> int:
        """How long until `take` succeeds; 0: now."""
        missing = 1 - self._level(key, now_ms)
        return 0 if missing <= 0 else int(missing / self._per_ms) + 1

    def take(self, key: K, now_ms: int) -> None:
        """Use one token, which must be there."""
        self._levels[key] = (self._level(key, now_ms) - 1, now_ms)
        self._levels.move_to_end(key)
        if len(self._levels) > self._keys_max:
            self._levels.popitem(last=False)

    def _level(self, key: K, now_ms: int) -> float:
        level, at_ms = self._levels.get(key, (float(self._burst), now_ms))
        return min(float(self._burst), level + (now_ms - at_ms) * self._per_ms)
