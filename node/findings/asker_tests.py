"""The asker's tests; written next."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AskerTests:
    """Tests of a file, as the text of one module."""

    text: str
    """`mod __asker_tests { use super::*; ... }`, to append to the answer's module; its functions are public."""
    names: tuple[str, ...]
    """Paths of the tests below the module, in the order in which they are counted."""
    should_panic: frozenset[str]
    """Those that pass only by a panic."""


@dataclass(frozen=True, slots=True)
class UnusableTests:
    """The file holds no tests that can be run."""

    reason: str
    """One line for the user, with what to do."""


def read_tests(text: str) -> AskerTests | UnusableTests:
    """Return the tests of a file of Rust."""
    raise NotImplementedError
