"""Grading by tests: what is right, what is not, and when this machine cannot tell."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from node.gold.grading import BATCH, GRADING_S_MAX, AnswerGrader
from node.gold.ports import Inspection, Observed
from tests.support.verifiers import BROKEN, ENDLESS, RIGHT, UNTESTED, WRONG, TableVerifier, seen, telling

SAYS = {"right": RIGHT, "good": RIGHT, "bad": WRONG, "broken": BROKEN, "endless": ENDLESS}


def table(program: str) -> Observed:
    return telling(SAYS.get(program, UNTESTED))


async def grade(verifier: TableVerifier, *answers: str) -> tuple[bool, ...] | None:
    return await AnswerGrader(verifier).grade("Write f.", "tests", "right", answers)


async def test_answers_are_graded_by_the_tests() -> None:
    verifier = TableVerifier(table)
    assert await grade(verifier, "good", "bad", "broken") == (True, False, False)
    ((inspection, programs),) = verifier.asked
    assert (inspection.prompt, inspection.tests, inspection.behaviour) == ("Write f.", "tests", True)
    assert programs == ("right", "good", "bad", "broken")


async def test_a_right_program_stands_beside_every_batch() -> None:
    verifier = TableVerifier(table)
    answers = ["good", "bad"] * BATCH
    assert await grade(verifier, *answers) == (True, False) * BATCH
    assert [programs[0] for _, programs in verifier.asked] == ["right", "right"]
    assert max(len(programs) for _, programs in verifier.asked) == BATCH + 1


async def test_what_does_not_end_is_tried_again_and_is_not_right() -> None:
    """Else an author could make each round in which it does not know the answer count for nobody."""
    verifier = TableVerifier(table)
    assert await grade(verifier, "good", "endless", "unknown") == (True, False, False)
    assert [programs for _, programs in verifier.asked[1:]] == [("right", "endless"), ("right", "unknown")]


async def test_who_passes_the_tests_and_behaves_otherwise_is_not_right() -> None:
    verifier = TableVerifier(lambda program: telling(seen(differs=1) if program == "forged" else RIGHT))
    assert await grade(verifier, "good", "forged") == (True, False)


async def test_a_second_try_may_find_it_right() -> None:
    """The machine was busy at the first."""
    busy = iter([telling(UNTESTED), telling(RIGHT)])
    verifier = TableVerifier(lambda program: next(busy) if program == "slow" else table(program))
    assert await grade(verifier, "slow") == (True,)


@pytest.mark.parametrize("right", [WRONG, BROKEN, ENDLESS, UNTESTED])
async def test_where_the_right_program_does_not_pass_nobody_is_blamed(right: Observed) -> None:
    verifier = TableVerifier(lambda program: right if program == "right" else table(program))
    assert await grade(verifier, "bad") is None


async def test_without_a_toolchain_nothing_is_tried() -> None:
    verifier = TableVerifier(table, is_ready=False)
    assert await grade(verifier, "good") is None
    assert verifier.asked == []


class SlowVerifier(TableVerifier):
    """Takes a third of the time that a round has."""

    async def inspect(self, inspection: Inspection, programs: Sequence[str]) -> Sequence[Observed]:
        await trio.sleep(GRADING_S_MAX * 0.34)
        return await super().inspect(inspection, programs)


async def test_a_round_that_takes_too_long_is_given_up(autojump_clock: MockClock) -> None:
    began_s = autojump_clock.current_time()
    assert await grade(SlowVerifier(table), *["good"] * (2 * BATCH)) == (True,) * (2 * BATCH)
    assert await grade(SlowVerifier(table), *["good"] * (2 * BATCH + 1)) is None
    assert autojump_clock.current_time() - began_s == pytest.approx(GRADING_S_MAX * 1.68)
