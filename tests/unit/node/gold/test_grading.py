"""Grading by tests: what is right, what is not, and when this machine cannot tell."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from node.gold.grading import BATCH, GRADING_S_MAX, AnswerGrader
from node.gold.ports import ProgramFindings, ProgramTest
from tests.support.program_testers import BROKEN, ENDLESS, RIGHT, UNTESTED, WRONG, TableProgramTester, seen, telling

SAYS = {"right": RIGHT, "good": RIGHT, "bad": WRONG, "broken": BROKEN, "endless": ENDLESS}


def table(program: str) -> ProgramFindings:
    return telling(SAYS.get(program, UNTESTED))


async def grade(tester: TableProgramTester, *answers: str) -> tuple[bool, ...] | None:
    return await AnswerGrader(tester).grade("Write f.", "tests", "right", answers)


async def test_answers_are_graded_by_the_tests() -> None:
    tester = TableProgramTester(table)
    assert await grade(tester, "good", "bad", "broken") == (True, False, False)
    ((test, programs),) = tester.asked
    assert (test.prompt, test.tests, test.behaviour) == ("Write f.", "tests", True)
    assert programs == ("right", "good", "bad", "broken")


async def test_a_right_program_stands_beside_every_batch() -> None:
    tester = TableProgramTester(table)
    answers = ["good", "bad"] * BATCH
    assert await grade(tester, *answers) == (True, False) * BATCH
    assert [programs[0] for _, programs in tester.asked] == ["right", "right"]
    assert max(len(programs) for _, programs in tester.asked) == BATCH + 1


async def test_what_does_not_end_is_tried_again_and_is_not_right() -> None:
    """Else an author could make each round in which it does not know the answer count for nobody."""
    tester = TableProgramTester(table)
    assert await grade(tester, "good", "endless", "unknown") == (True, False, False)
    assert [programs for _, programs in tester.asked[1:]] == [("right", "endless"), ("right", "unknown")]


async def test_who_passes_the_tests_and_behaves_otherwise_is_not_right() -> None:
    tester = TableProgramTester(lambda program: telling(seen(differs=1) if program == "forged" else RIGHT))
    assert await grade(tester, "good", "forged") == (True, False)


async def test_a_second_try_may_find_it_right() -> None:
    """The machine was busy at the first."""
    busy = iter([telling(UNTESTED), telling(RIGHT)])
    tester = TableProgramTester(lambda program: next(busy) if program == "slow" else table(program))
    assert await grade(tester, "slow") == (True,)


@pytest.mark.parametrize("right", [WRONG, BROKEN, ENDLESS, UNTESTED])
async def test_where_the_right_program_does_not_pass_nobody_is_blamed(right: ProgramFindings) -> None:
    tester = TableProgramTester(lambda program: right if program == "right" else table(program))
    assert await grade(tester, "bad") is None


async def test_without_a_toolchain_nothing_is_tried() -> None:
    tester = TableProgramTester(table, is_ready=False)
    assert await grade(tester, "good") is None
    assert tester.asked == []


class SlowProgramTester(TableProgramTester):
    """Takes a third of the time that a round has."""

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        await trio.sleep(GRADING_S_MAX * 0.34)
        return await super().test(test, programs)


async def test_a_round_that_takes_too_long_is_given_up(autojump_clock: MockClock) -> None:
    began_s = autojump_clock.current_time()
    assert await grade(SlowProgramTester(table), *["good"] * (2 * BATCH)) == (True,) * (2 * BATCH)
    assert await grade(SlowProgramTester(table), *["good"] * (2 * BATCH + 1)) is None
    assert autojump_clock.current_time() - began_s == pytest.approx(GRADING_S_MAX * 1.68)
