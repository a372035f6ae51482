"""What an asker must know of an answer that was tested, or should have been, before using it."""

from typing import Final

from node.api.findings import AnswerFindings, RoundTesting
from protocol.types import CompileStatus

NO_TOOLS: Final = "no member has a sandbox with a Rust compiler (`strand doctor` tells what is missing)"
"""Why nothing is tested where nobody could test."""

TOO_FEW: Final = (
    "an answer needs three other members that test with equal tools, and those that can must have a third of the votes "
    "(`strand peers` tells who can)"
)
"""Why nothing is tested where some could test, but too few."""

UNTESTED: Final = "is not known to pass your tests: too few tested it in time, or their reports differ"
"""What is told of an answer of which no report about the asker's tests is settled."""


def why_nothing_tested(testing: RoundTesting | None) -> str:
    """Return why no answer of a round was tested; empty if some were, or if nothing was asked for."""
    if testing is None or testing.stages:
        return ""
    return TOO_FEW if testing.testers else NO_TOOLS


def tests_failed_by(found: AnswerFindings | None) -> str:
    """Return how an answer with these findings fails the asker's tests; empty if it does not, as far as is known."""
    if found is not None and found.status is CompileStatus.FAILS:
        return "does not compile, so that it passes none of your tests"
    if found is not None and found.tests is not None and found.tests.failed:
        return (
            "fails your test" if found.tests.all == 1 else f"fails {found.tests.failed} of your {found.tests.all} tests"
        )
    return ""


def tests_unknown_of(found: AnswerFindings | None) -> str:
    """Return why it is not known whether an answer passes the asker's tests; empty if it is known."""
    if found is not None and (tests_failed_by(found) or (found.tests is not None and not found.tests.not_run)):
        return ""
    if found is None or found.tests is None:
        return UNTESTED
    return f"is not known to pass your tests: {found.tests.not_run} of {found.tests.all} came to no result"


def note(found: AnswerFindings | None, testing: RoundTesting | None) -> str:
    """Return what an asker must know of an answer, as the rest of a sentence about it.

    Empty: it does not fail, as far as what was asked for is known.
    """
    if why := why_nothing_tested(testing):
        return f"was not tested: {why}"
    if testing is None:
        return ""
    if found is None or not found.reports:
        return "was not tested: too few tested it in time"
    if found.status is CompileStatus.FAILS:
        return f"does not compile ({found.error})" if found.error else "does not compile"
    if failed := tests_failed_by(found):
        return failed
    return tests_unknown_of(found) if testing.tests_digest else ""
