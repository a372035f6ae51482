"""The text that an example's value must have."""

import pytest

from node.findings.assembly import Example, assemble
from node.findings.checks.examples import Check
from node.findings.expected import debug_text, examples_of
from node.findings.outcomes import Outcome, OutcomeKind
from node.findings.verdicts import count_examples, count_once, count_tests, with_missing


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("4", "4"),
        ("4u64", "4"),
        ("1_000", "1000"),
        ("-3", "-3"),
        ("2.5f32", "2.5"),
        ("vec![1, 2]", "[1, 2]"),
        ('"a"', '"a"'),
        ('"a".to_string()', '"a"'),
        ('String::from("x y")', '"x y"'),
        ("Some(4)", "Some(4)"),
        ("(1, 'a')", "(1, 'a')"),
        ("true", "true"),
        ("None", "None"),
        (r'"\u{e9}"', None),
        ('"é"', None),
        ("0x10", None),
        ("f(3)", None),
        ("x", None),
    ],
)
def test_plain_values_have_a_debug_text(expression: str, text: str | None) -> None:
    assert debug_text(expression) == text


def test_other_values_are_compared_by_the_answer() -> None:
    (example,) = examples_of([Check("f(2)", "g(1)")], None)
    assert (example.shown, example.expected) == ("(f(2)) == (g(1))", "true")


def returned(text: str) -> Outcome:
    return Outcome(OutcomeKind.RETURNED, text)


def test_examples_count_after_two_equal_runs() -> None:
    late = Outcome(OutcomeKind.OUT_OF_TIME)
    first = [returned("4.0"), returned("[1,2]"), returned("5"), late, Outcome(OutcomeKind.PANICKED)]
    second = [returned("4.0"), returned("[1,2]"), returned("6"), late, Outcome(OutcomeKind.PANICKED)]
    assert count_examples(["4", "[1, 2]", "5", "1", "1"], first, second) == (2, 1, 2)
    assert with_missing((2, 1, 0), 5) == (2, 1, 2)


def test_tests_count_after_two_equal_runs() -> None:
    passed, failed, late = (Outcome(kind) for kind in (OutcomeKind.PASSED, OutcomeKind.FAILED, OutcomeKind.OUT_OF_TIME))
    assert count_tests([passed, failed, late, passed], [passed, failed, late, failed]) == (1, 1, 2)
    assert count_once([passed, failed, late, Outcome(OutcomeKind.NOT_RUN)]) == (1, 2, 1)


def test_examples_that_do_not_compile_are_found_by_their_lines() -> None:
    examples = [Example(f"f({number})", "true", "1") for number in range(3)]
    assembled = assemble("fn f(x: i32) -> i32 { x }\n// Three\n", examples=examples)
    line = next(at for at, text in enumerate(assembled.text.split("\n"), 1) if "f(1)" in text)
    assert assembled.examples_at({line}) == {examples[1]}
