"""Whether probabilities mean what they say: of all that is called 80 % sure, four fifths should be true."""

from collections.abc import Iterable
from dataclasses import dataclass

BINS = 10
"""of equal width, from 0 to 1"""


@dataclass(frozen=True, slots=True)
class Bin:
    """What was said with about the same probability."""

    count: int
    said: float
    """Mean probability."""
    true: int
    """How many of it were true."""


def bins(told: Iterable[tuple[float, bool]]) -> list[Bin]:
    """The bins that hold anything, in ascending order; `told` has probabilities, and whether it was so."""
    rows: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for said, true in told:
        rows[min(BINS - 1, int(BINS * said))].append((said, true))
    return [Bin(len(row), sum(said for said, _ in row) / len(row), sum(true for _, true in row)) for row in rows if row]
