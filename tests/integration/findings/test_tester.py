"""What a tester finds out about honest answers."""

import pytest
import trio

from node.findings.checks.shown_tests import with_tests
from node.findings.compiling import MISSING_CRATE
from node.findings.tester import RustTester
from protocol.limits import OUTCOME_BYTES, OUTCOMES_MAX
from protocol.types import CompileStatus
from tests.support.assignments import assignment

QUERY = "Write `fn total(xs: &[i32]) -> i32` that adds up even numbers. For example, `total(&[1, 2, 4])` returns 6."
RIGHT = "pub fn total(xs: &[i32]) -> i32 { xs.iter().filter(|x| *x % 2 == 0).sum() }"
ALSO_RIGHT = "fn total(xs: &[i32]) -> i32 { let mut sum = 0; for x in xs { if x % 2 == 0 { sum += x; } } sum }"
WRONG = "fn total(xs: &[i32]) -> i32 { xs.iter().filter(|x| *x % 2 == 1).sum() }"
BROKEN = "fn total(xs: &[i32]) -> i32 { xs.iter().filter(|x| x % 2 == 0).sum::<String>() }"
TESTS = "#[test] fn adds() { assert_eq!(total(&[2, 3, 4]), 6); } #[test] fn empty() { assert_eq!(total(&[]), 0); }"

NO_INFORMATION = bytes(OUTCOME_BYTES)


def digests(outcomes: bytes) -> list[bytes]:
    return [outcomes[at : at + OUTCOME_BYTES] for at in range(0, len(outcomes), OUTCOME_BYTES)]


async def test_answers_that_behave_alike_have_equal_outcomes(tester: RustTester) -> None:
    right, also, wrong, broken = await tester.test(assignment(QUERY, [RIGHT, ALSO_RIGHT, WRONG, BROKEN], tests=TESTS))
    assert right.outcomes == also.outcomes
    assert len(right.outcomes) == OUTCOMES_MAX * OUTCOME_BYTES
    assert NO_INFORMATION not in digests(right.outcomes)
    assert wrong.outcomes and wrong.outcomes != right.outcomes
    assert [found.tests for found in (right, also, wrong, broken)] == [(2, 0, 0), (2, 0, 0), (1, 1, 0), (0, 0, 2)]
    assert [found.examples for found in (right, also, wrong)] == [(1, 0, 0), (1, 0, 0), (0, 1, 0)]
    assert (broken.status, broken.error, broken.outcomes) == (CompileStatus.FAILS, 369, b"")


async def test_shown_tests_are_no_examples_too(tester: RustTester) -> None:
    """Whether the authors see the tests changes nothing of what is found out about their answers."""
    shown = with_tests(QUERY, TESTS)
    assert "#[test] fn adds()" in shown
    private = await tester.test(assignment(QUERY, [RIGHT, WRONG], tests=TESTS))
    assert await tester.test(assignment(shown, [RIGHT, WRONG], tests=TESTS)) == private
    assert [found.examples for found in private] == [(1, 0, 0), (0, 1, 0)]


async def test_outcomes_of_another_round_say_nothing(tester: RustTester) -> None:
    (first,) = await tester.test(assignment(QUERY, [RIGHT], seed=1))
    (second,) = await tester.test(assignment(QUERY, [RIGHT], seed=2))
    assert not set(digests(first.outcomes)) & set(digests(second.outcomes))


async def test_warnings_count_by_class_whatever_an_answer_allows(tester: RustTester) -> None:
    program = """
        #[allow(warnings, clippy::all)]
        pub fn total(xs: &[i32]) -> i32 { let unused = 1; if xs.len() == 0 { return 0; } return xs.iter().sum(); }
    """
    (found,) = await tester.test(assignment(QUERY, [program]))
    if tester.tool_versions.split()[2] != "clippy":
        assert found.lints == b""
    else:
        assert found.lints[0] >= 1 and found.lints[5] >= 2


async def test_panics_are_outcomes_and_counted(tester: RustTester) -> None:
    program = 'pub fn total(xs: &[i32]) -> i32 { if xs.len() > 2 { panic!("{xs:?}") } 7 }'
    (found,) = await tester.test(assignment(QUERY, [program]))
    assert 0 < found.panics < OUTCOMES_MAX
    assert len(set(digests(found.outcomes))) == 2


async def test_what_an_endless_loop_does_is_no_information(tester: RustTester) -> None:
    program = "pub fn total(xs: &[i32]) -> i32 { if xs.len() == 3 { loop {} } 1 }"
    (found,) = await tester.test(assignment(QUERY, [program], tests="#[test] fn ends() { total(&[1, 2, 3]); }"))
    assert found.status is CompileStatus.COMPILES
    assert NO_INFORMATION in digests(found.outcomes)
    assert found.tests == (0, 0, 1)


async def test_tests_that_do_not_compile_with_an_answer_fail(tester: RustTester) -> None:
    (found,) = await tester.test(assignment(QUERY, [RIGHT], tests="#[test] fn other() { assert!(count(&[1]) == 1); }"))
    assert found.tests == (0, 1, 0)
    assert found.outcomes


async def test_an_answer_without_a_program_or_with_a_crate_is_unknown(tester: RustTester) -> None:
    needs_crate = "use rand::Rng; pub fn total(xs: &[i32]) -> i32 { rand::thread_rng().gen() }"
    nothing, crate = await tester.test(assignment(QUERY, ["", needs_crate]))
    assert (nothing.status, nothing.source) == (CompileStatus.UNKNOWN, b"")
    assert crate.status is CompileStatus.UNKNOWN and crate.source
    assert (nothing.error, crate.error) == (0, MISSING_CRATE)


async def test_equal_programs_are_tested_once_and_reported_for_each(tester: RustTester) -> None:
    first, second = await tester.test(assignment(QUERY, [RIGHT, RIGHT]))
    assert (first.answer, second.answer) == (0, 1)
    assert first.outcomes == second.outcomes


async def test_a_deadline_leaves_what_was_not_done_unknown(tester: RustTester) -> None:
    with trio.move_on_after(0.3):
        (found,) = await tester.test(assignment(QUERY, [RIGHT], tests=TESTS))
    assert (found.status, found.outcomes) == (CompileStatus.UNKNOWN, b"")


@pytest.mark.parametrize("answer", ["pub fn total(xs: &[i32]) -> i32 {", 'fn main() { println!("hi") }'])
async def test_answers_without_the_function_have_no_outcomes(tester: RustTester, answer: str) -> None:
    right, other = await tester.test(assignment(QUERY, [RIGHT, answer]))
    assert right.outcomes
    assert other.outcomes == b""
