"""Token buckets: limits on average rate and on bursts. Time is an argument, in seconds."""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of units per second, and up to `burst` units at once after a pause."""

    per_s: float
    burst: float


class Bucket:
    """A token bucket, full at first. A clock that stands still or goes back adds nothing."""

    __slots__ = ("_level", "_rate", "_since_s")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._level = rate.burst
        self._since_s = 0.0  # a full bucket gains nothing, whatever the time is

    def level(self, now_s: float) -> float:
        """Return the available units; negative after overspending."""
        if now_s > self._since_s:
            self._level = min(self._rate.burst, self._level + (now_s - self._since_s) * self._rate.per_s)
            self._since_s = now_s
        return self._level

    def take(self, amount: float, now_s: float) -> bool:
        """Take `amount` units, or take none and return False if fewer are available."""
        if self.level(now_s) < amount:
            return False
        self._level -= amount
        return True

    def spend(self, amount: float, now_s: float) -> float:
        """Take `amount` units, on credit if fewer are available. Returns the seconds until the credit is paid back."""
        self._level = self.level(now_s) - amount
        return self.wait_s(0, now_s)

    def wait_s(self, amount: float, now_s: float) -> float:
        """Return the seconds until `amount` units are available; 0: now."""
        missing = amount - self.level(now_s)
        if missing <= 0:
            return 0.0
        return missing / self._rate.per_s if self._rate.per_s else math.inf


class Buckets(Generic[K]):
    """One bucket for each key, some 200 bytes and the key.

    Beyond `keys_max` the bucket unused for longest is forgotten; its key then starts with a full one.
    """

    def __init__(self, rate: Rate, keys_max: int) -> None:
        self._rate = rate
        self._keys_max = keys_max
        self._buckets: OrderedDict[K, Bucket] = OrderedDict()

    def level(self, key: K, now_s: float) -> float:
        """Return the units available to `key`."""
        known = self._buckets.get(key)
        return self._rate.burst if known is None else known.level(now_s)

    def take(self, key: K, amount: float, now_s: float) -> bool:
        """Take `amount` units of `key`, or take none and return False if fewer are available."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate)
            if len(self._buckets) > self._keys_max:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(amount, now_s)

    def wait_s(self, key: K, amount: float, now_s: float) -> float:
        """Return the seconds until `amount` units are available to `key`; 0: now."""
        known = self._buckets.get(key) or Bucket(self._rate)
        return known.wait_s(amount, now_s)

    def __len__(self) -> int:
        return len(self._buckets)
