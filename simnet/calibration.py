"""Calibration of probabilities: of all claims with probability 80 %, four fifths should be true."""

from collections.abc import Iterable
from dataclasses import dataclass

BINS = 10
"""Number of bins of equal width, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Claims of about the same probability."""

    count: int
    said: float
    """Mean probability."""
    true: int
    """Number of true claims."""


def bins(told: Iterable[tuple[float, bool]]) -> list[Bin]:
    """Return the non-empty bins in ascending order; `told` holds probabilities, each with its outcome."""
    rows: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for said, true in told:
        rows[min(BINS - 1, int(BINS * said))].append((said, true))
    return [Bin(len(row), sum(said for said, _ in row) / len(row), sum(true for _, true in row)) for row in rows if row]
