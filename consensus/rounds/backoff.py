"""Pauses between tries that grow while the tries fail."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

N = TypeVar("N", int, float)

DOUBLINGS_MAX: Final = 32
"""doublings of a pause: more than between a millisecond and a month, and never an overflow, however many tries fail."""


@dataclass(frozen=True, slots=True)
class Backoff(Generic[N]):
    """Pauses that double from the first to the longest, both in one unit of time."""

    first: N
    longest: N

    def pause(self, failures: int) -> N:
        """Return the pause after so many failures in a row, counted from 1; in whole units where both are whole."""
        doubled: N = self.first * 2 ** min(max(failures - 1, 0), DOUBLINGS_MAX)
        return min(doubled, self.longest)
