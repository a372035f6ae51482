"""Counts what runs showed: examples, tests and panics."""

import re
from collections.abc import Sequence
from typing import Final

from node.findings.outcomes import Outcome, OutcomeKind, canonical

COUNT_MAX: Final = 255
"""Largest count in a report, which has a byte for each."""

Counts = tuple[int, int, int]
"""Passed, failed, not run."""

WITHOUT_VERDICT: Final = frozenset(
    {OutcomeKind.OUT_OF_TIME, OutcomeKind.OUT_OF_MEMORY, OutcomeKind.SPOILED, OutcomeKind.NOT_RUN}
)
"""Ends of a run that say nothing about what was checked."""


def none_run(count: int) -> Counts:
    """Return the counts of checks of which none was run."""
    return (0, 0, min(count, COUNT_MAX))


def all_failed(count: int) -> Counts:
    """Return the counts of checks that all fail: tests that do not compile with the answer."""
    return (0, min(count, COUNT_MAX), 0)


def with_missing(counts: Counts, total: int) -> Counts:
    """Return counts in which checks that are missing from `total` were not run."""
    passed, failed, missing = counts
    return (passed, failed, min(max(missing, total - passed - failed), COUNT_MAX))


def count_tests(first: Sequence[Outcome], second: Sequence[Outcome]) -> Counts:
    """Return the counts of tests after two runs. A test that passes in one and fails in the other was not run.

    A pass is evidence, not proof: the test runs in the answer's process.
    """
    return _count(
        [_test_verdict(one) if one.kind is other.kind else None for one, other in zip(first, second, strict=True)]
    )


def count_once(outcomes: Sequence[Outcome]) -> Counts:
    """Return the counts of tests after one run, where a right program is known to need little time and memory."""
    return _count([None if each.kind is OutcomeKind.NOT_RUN else each.kind is OutcomeKind.PASSED for each in outcomes])


def count_examples(expected: Sequence[str], first: Sequence[Outcome], second: Sequence[Outcome]) -> Counts:
    """Return the counts of examples: the value that the answer showed against the one that the query states.

    `expected`: `Debug` texts. They never enter the sandbox, so that no program can state them without computing them.
    """
    return _count(
        [
            _example_verdict(wanted, one) if one == other else None
            for wanted, one, other in zip(expected, first, second, strict=True)
        ]
    )


def count_panics(first: Sequence[Outcome], second: Sequence[Outcome]) -> int:
    """Return the number of inputs on which both runs panicked."""
    both = (
        one.kind is OutcomeKind.PANICKED and other.kind is one.kind for one, other in zip(first, second, strict=True)
    )
    return min(sum(both), COUNT_MAX)


def _count(verdicts: Sequence[bool | None]) -> Counts:
    passed, failed = verdicts.count(True), verdicts.count(False)
    return (min(passed, COUNT_MAX), min(failed, COUNT_MAX), min(len(verdicts) - passed - failed, COUNT_MAX))


def _test_verdict(outcome: Outcome) -> bool | None:
    if outcome.kind in WITHOUT_VERDICT:
        return None
    return outcome.kind is OutcomeKind.PASSED


def _example_verdict(expected: str, outcome: Outcome) -> bool | None:
    if outcome.kind in WITHOUT_VERDICT:
        return None
    return outcome.kind is OutcomeKind.RETURNED and _loose(outcome.text) == _loose(expected)


def _loose(text: str) -> str:
    """The canonical form without the mark of floats: a query writes 4 where the answer returns 4.0."""
    return re.sub(r"\bf(?=-?[\d])", "", canonical(text))
