"""Pauses between retries that grow while the retries fail."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

N = TypeVar("N", int, float)

DOUBLINGS_MAX: Final = 32
"""Doublings of a pause: more than between a millisecond and a month, and never an overflow, however many retries fail.
"""


@dataclass(frozen=True, slots=True)
class Backoff(Generic[N]):
    """Pauses that double from the first to the longest, both in one unit of time."""

    first: N
    longest: N

    def pause(self, failures: int) -> N:
        """Return the pause after this many consecutive failures, counted from 1; an integer if both ends are."""
        doubled: N = self.first * 2 ** min(max(failures - 1, 0), DOUBLINGS_MAX)
        return min(doubled, self.longest)


@dataclass(slots=True)
class Restarts:
    """The failures in a row of a thing that is started again; all times are in seconds."""

    pauses_s: Backoff[float]
    stable_s: float
    """Length of a run after which its end is no longer one in a row."""
    failures: int = 0

    def ended(self, ran_s: float) -> float:
        """Count the end of a run of this length; return the pause before the next start."""
        self.failures = 1 if ran_s >= self.stable_s else self.failures + 1
        return self.pauses_s.pause(self.failures)
