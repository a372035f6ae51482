"""Which mutants are kept, and how hard each is said to be."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from node.gold.corpus import CodeTask, corpus
from node.gold.mutation import Mutant, Operator
from node.gold.ports import ProgramFindings, ProgramTest
from node.gold.selection import (
    BATCH,
    BLIND_MAX,
    MUTANTS_TRIED_MAX,
    SELECTION_S_MAX,
    Selection,
    Visibility,
    WrongProgram,
    select,
)
from node.gold.variation import plain
from tests.support.program_testers import BROKEN, ENDLESS, RIGHT, UNTESTED, WRONG, TableProgramTester, seen

SEED = bytes(32)


def task(name: str) -> CodeTask:
    return next(each for each in corpus() if each.name == name)


GCD = plain(task("gcd_all"))


def candidates(count: int) -> list[Mutant]:
    return [Mutant(Operator.BOUNDARY, f"mutant {number};") for number in range(count)]


def table_tester(*mutants: ProgramFindings, right: ProgramFindings = RIGHT) -> TableProgramTester:
    """Says of mutant N what stands at place N."""
    table = {f"mutant {number};": each for number, each in enumerate(mutants)}
    return TableProgramTester(lambda program: table.get(program.split("\n")[0], right))


@pytest.mark.parametrize(
    ("mutant", "kept"),
    [
        (WRONG, True),
        (seen(0, 3, differs=8), True),
        (RIGHT, False),
        (BROKEN, False),
        (ENDLESS, False),
        (UNTESTED, False),
        (seen(1, 2), False),
        (seen(3, 0, differs=8), False),
        (seen(2, 0, 1, differs=8), False),
        (seen(1, 2, differs=8, warnings=1), False),
        (seen(1, 2, differs=7, unknown=1), False),
    ],
    ids=["wrong", "all", "right", "broken", "endless", "untested", "same", "passes", "not run", "warned", "no end"],
)
async def test_only_what_certainly_is_wrong_is_kept(mutant: ProgramFindings, kept: bool) -> None:
    selection = await select(table_tester(mutant), GCD, candidates(1), SEED, wanted=1)
    assert [each.program for each in selection.wrong] == ["mutant 0;"] * kept
    assert selection.tried == 1


async def test_the_right_programs_own_warnings_are_no_mark() -> None:
    table = table_tester(seen(1, 2, differs=1, warnings=1), right=seen(warnings=1))
    selection = await select(table, GCD, candidates(1), SEED, wanted=1)
    assert len(selection.wrong) == 1


@pytest.mark.parametrize(("differs", "visibility"), [(8, "easy"), (4, "easy"), (3, "medium"), (1, "medium")])
async def test_how_rarely_it_shows(differs: int, visibility: str) -> None:
    selection = await select(table_tester(seen(1, 2, differs=differs)), GCD, candidates(1), SEED, wanted=1)
    (wrong,) = selection.wrong
    assert wrong.share == differs / 8
    assert wrong.visibility is Visibility(visibility)


def test_what_seven_of_eight_inputs_do_not_show_is_hard() -> None:
    assert WrongProgram("", Operator.BOUNDARY, 0.12).visibility is Visibility.HARD


async def test_inputs_on_which_the_right_program_shows_nothing_do_not_count() -> None:
    table = table_tester(seen(1, 2, differs=3), right=seen(unknown=2))
    (wrong,) = (await select(table, GCD, candidates(1), SEED, wanted=1)).wrong
    assert wrong.share == 3 / 6


@pytest.mark.parametrize("right", [seen(unknown=8), BROKEN, UNTESTED])
async def test_without_a_behaviour_to_compare_it_gives_up(right: ProgramFindings) -> None:
    table = table_tester(*[WRONG] * BATCH, right=right)
    selection = await select(table, GCD, candidates(9 * BATCH), SEED, wanted=1)
    assert selection == Selection()
    assert len(table.asked) == BLIND_MAX


@pytest.mark.parametrize("right", [seen(1, 2), seen(2, 0, 1)])
async def test_nothing_is_kept_where_the_right_program_does_not_pass(right: ProgramFindings) -> None:
    selection = await select(table_tester(WRONG, right=right), GCD, candidates(1), SEED, wanted=1)
    assert (selection.wrong, selection.differing) == ((), 1)


async def test_a_busy_machine_costs_one_batch_only() -> None:
    """The tester ran out of time: nothing is known of this batch, and the next may go well."""
    answers = iter([UNTESTED, RIGHT, RIGHT])
    table = TableProgramTester(lambda program: next(answers) if program.startswith(GCD.program) else WRONG)
    selection = await select(table, GCD, candidates(2 * BATCH), SEED, wanted=1)
    assert selection.tried == len(selection.wrong) == BATCH


async def test_it_stops_when_enough_are_kept() -> None:
    selection = await select(table_tester(*[WRONG] * (3 * BATCH)), GCD, candidates(3 * BATCH), SEED, wanted=BATCH + 1)
    assert len(selection.wrong) == selection.tried == 2 * BATCH


async def test_it_stops_after_the_greatest_number() -> None:
    selection = await select(table_tester(), GCD, candidates(2 * MUTANTS_TRIED_MAX), SEED, wanted=1)
    assert selection == Selection(tried=MUTANTS_TRIED_MAX, compiled=MUTANTS_TRIED_MAX)


class SlowProgramTester(TableProgramTester):
    """Takes two fifths of the time that a selection has."""

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        await trio.sleep(SELECTION_S_MAX * 0.4)
        return await super().test(test, programs)


async def test_it_stops_in_time(autojump_clock: MockClock) -> None:
    began_s = autojump_clock.current_time()
    selection = await select(SlowProgramTester(lambda _: RIGHT), GCD, candidates(5 * BATCH), SEED, wanted=1)
    assert selection.tried == 2 * BATCH
    assert autojump_clock.current_time() - began_s == pytest.approx(SELECTION_S_MAX)


async def test_inputs_come_before_tests() -> None:
    """A mutant that behaves as the right one, or does not end, is not tested."""
    table = table_tester(RIGHT, WRONG, ENDLESS)
    await select(table, GCD, candidates(3), SEED, wanted=1)
    (first, programs), (second, tested) = table.asked
    assert (first.prompt, first.tests, first.behaviour, len(programs)) == (GCD.prompt, "", True, 4)
    assert (second.tests, second.behaviour, tested) == (GCD.tests, False, (GCD.program, "mutant 1;"))


async def test_a_program_without_inputs_is_driven() -> None:
    """Of a stack no generator makes inputs: a function that drives it goes with each program, and is what counts."""
    table, stack = table_tester(WRONG), plain(task("bounded_stack"))
    await select(table, stack, candidates(1), SEED, wanted=1)
    (first, programs), (second, tested) = table.asked
    assert first.prompt.startswith("Write `fn drive(steps: &[i32]) -> Vec<i32>`.")
    assert all(program.endswith(stack.driver) for program in programs)
    assert second.prompt == stack.prompt and not any("drive" in program for program in tested)
