"""The part of a question that is for testers: kinds of findings, and the asker's own tests."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from node.api.asking import FINDING_KINDS, FindingName, Question
from node.api.conversation import Turn
from node.findings.checks.shown_tests import with_tests
from node.rounds.asking.errors import AskError, TooLongError
from protocol.limits import TESTS_BYTES_MAX
from protocol.types import FindingKind, TaskType

NO_RUST: Final = "tests are Rust, which only answers to a task `code` are: leave them out, or ask with task code"
NO_READER: Final = "this node cannot read tests: pip install 'strand-swarm[rust]', or leave them out"


def check_tests(question: Question) -> None:
    """Raise AskError if a question holds tests that no query takes."""
    if not question.tests:
        if question.show_tests:
            raise AskError("there are no tests to show: give them, or leave show_tests out")
        return
    if question.task is not TaskType.CODE:
        raise AskError(NO_RUST)
    if (size := len(question.tests.encode())) > TESTS_BYTES_MAX:
        raise TooLongError(f"the tests have {size} bytes; a query takes {TESTS_BYTES_MAX}")
    try:
        from node.findings.checks.asker_tests import UnusableTests, read_tests
    except ModuleNotFoundError as error:
        raise AskError(NO_READER) from error
    if isinstance(read := read_tests(question.tests), UnusableTests):
        raise AskError(read.reason)


def with_shown_tests(question: Question) -> Question:
    """Return the question as its conversation is sent: tests that are to be shown follow the last turn's text."""
    if not (question.show_tests and question.tests and question.turns):
        return question
    *before, last = question.turns
    return replace(question, turns=(*before, Turn(last.role, with_tests(last.text, question.tests))), show_tests=False)


def findings_of(question: Question, names: Iterable[FindingName]) -> FindingKind:
    """Return the findings that the testers of a question's answers are asked for; `names`: where it says nothing."""
    kinds = FindingKind(0)
    if question.task is not TaskType.CODE:
        return kinds
    for name in names if question.findings is None else question.findings:
        kinds |= FINDING_KINDS[name]
    return kinds | FindingKind.TESTS if question.tests else kinds
