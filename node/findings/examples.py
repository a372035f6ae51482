"""Examples in a query turned into checks; written next."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages import Turn


@dataclass(frozen=True, slots=True)
class Check:
    """One example: two Rust expressions that must be equal in the answer's module."""

    expression: str
    expected: str
    """`true` where the example is an assertion."""


def checks_of(turns: Sequence[Turn]) -> tuple[Check, ...]:
    """Return the examples of a query as checks, in the order of the text."""
    raise NotImplementedError
