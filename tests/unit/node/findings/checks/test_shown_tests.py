"""The asker's tests in a question's text: shown to authors, and left out again by testers."""

import pytest

from node.findings.checks.examples import checks_of
from node.findings.checks.shown_tests import with_tests, without_tests
from protocol.messages import Turn
from protocol.types import TurnRole

ASKED = "Write fn double(n: i32) -> i32. For example, double(3) is 6."
TESTS = (
    "assert_eq!(double(2), 4);",
    "#[test]\nfn doubles() {\n    assert_eq!(double(2), 4);\n}\n",
    "// ````\nassert!(true);",
)


def user(text: str) -> Turn:
    return Turn(role=TurnRole.USER, text=text)


@pytest.mark.parametrize("tests", TESTS)
def test_shown_tests_are_left_out_again(tests: str) -> None:
    earlier = user(with_tests("Earlier.", tests))
    assert without_tests((earlier, user(with_tests(ASKED, tests))), tests) == (earlier, user(ASKED))


@pytest.mark.parametrize("tests", TESTS)
def test_their_assertions_are_no_examples(tests: str) -> None:
    (check,) = checks_of(without_tests((user(with_tests(ASKED, tests)),), tests))
    assert (check.expression, check.expected) == ("double(3)", "6")


@pytest.mark.parametrize(
    ("turns", "tests"),
    [
        ((), TESTS[0]),
        ((user(ASKED),), ""),
        ((user(ASKED),), TESTS[0]),
        ((user(with_tests(ASKED, TESTS[0])),), TESTS[1]),
    ],
)
def test_any_other_text_stays_as_it_is(turns: tuple[Turn, ...], tests: str) -> None:
    assert without_tests(turns, tests) == turns
