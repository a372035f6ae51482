"""What a question asks to be found out, and the asker's tests: what is refused, shown and searched for secrets."""

import pytest
from msgspec.structs import replace

from node.api.asking import Question
from node.rounds.asking.asked_tests import NO_RUST, with_shown_tests
from node.rounds.asking.errors import AskError, SecretTextError, TooLongError
from node.rounds.asking.queries import texts_of
from protocol.hashing import digest_of_tests
from protocol.limits import TESTS_BYTES_MAX
from protocol.types import FindingKind, TaskType
from tests.unit.node.rounds.asking.test_readers import SECRET, builder

TESTS = "#[test]\nfn doubles() {\n    assert_eq!(double(2), 4);\n}\n"
ASKED = Question.single("Double a number.", tests=TESTS)
USUAL = FindingKind.COMPILES | FindingKind.LINT | FindingKind.EXAMPLES | FindingKind.BEHAVIOUR


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        (Question.single("Double a number."), USUAL),
        (ASKED, USUAL | FindingKind.TESTS),
        (replace(ASKED, findings=()), FindingKind.TESTS),
        (Question.single("Double a number.", findings=("compiles",)), FindingKind.COMPILES),
        (Question.single("Double a number.", findings=()), FindingKind(0)),
        (Question.single("Six by seven?", TaskType.FINAL), FindingKind(0)),
    ],
)
async def test_a_query_asks_for_the_findings_of_its_question(question: Question, kinds: FindingKind) -> None:
    plan = builder("a").build(question).findings
    assert plan.kinds == kinds
    assert plan.tests_digest == (digest_of_tests(TESTS) if question.tests else b"")


async def test_a_question_names_findings_and_time_and_the_configuration_names_the_rest() -> None:
    configured = builder("a", findings=("lint",), test_ms=7_000)
    assert configured.build(Question.single("Double a number.")).findings.kinds == FindingKind.LINT
    assert configured.build(Question.single("Double a number.")).findings.budget_ms == 7_000
    assert configured.build(Question.single("Double a number.", test_ms=900)).findings.budget_ms == 900


@pytest.mark.parametrize(
    ("question", "error", "line"),
    [
        (replace(ASKED, task=TaskType.OPEN), AskError, NO_RUST),
        (replace(ASKED, tests="\N{EURO SIGN}" * (TESTS_BYTES_MAX // 2)), TooLongError, "the tests have 49152 bytes"),
        (replace(ASKED, tests="fn main() {"), AskError, "The tests are not Rust: look at line 1"),
        (replace(ASKED, tests="  \n"), AskError, "The tests hold no function with #[test]"),
        (replace(ASKED, tests="", show_tests=True), AskError, "there are no tests to show"),
    ],
)
async def test_tests_that_no_query_takes_are_refused_in_one_line(
    question: Question, error: type[AskError], line: str
) -> None:
    with pytest.raises(error) as refused:
        await builder("a").check(question)
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


async def test_private_tests_are_in_no_text_that_is_sent_and_shown_ones_follow_the_question() -> None:
    assert TESTS not in "".join(turn.text for turn in builder("a").build(ASKED).turns)
    assert texts_of(ASKED).tests == TESTS
    shown = with_shown_tests(replace(ASKED, show_tests=True))
    assert shown.turns[-1].text == f"Double a number.\n\nThe answer must pass these tests:\n\n```rust\n{TESTS}```\n"
    assert with_shown_tests(shown) == shown, "once"


def test_shown_tests_do_not_end_their_own_fence() -> None:
    shown = with_shown_tests(replace(ASKED, tests="// ````\nassert!(true);", show_tests=True))
    assert shown.turns[-1].text.endswith("\n`````rust\n// ````\nassert!(true);\n`````\n")


async def test_tests_are_searched_for_secrets() -> None:
    question = replace(ASKED, tests=f'assert_eq!(key(), "{SECRET}");')
    with pytest.raises(SecretTextError, match="the text of the tests looks like it holds a GitHub token"):
        builder("a").refuse_secrets(question)
    builder("a").refuse_secrets(replace(question, allow_secrets=True))
