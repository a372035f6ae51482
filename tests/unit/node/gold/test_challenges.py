"""Challenge items: what they hold, that they are fresh, and what replies score."""

from random import Random

import pytest

from node.gold.challenges import (
    REPLY_BYTES_MAX,
    AnswerItem,
    ItemVerdict,
    JudgeItem,
    answer_item,
    as_answer,
    judge_item,
    score_answer,
    score_judgement,
)
from node.gold.corpus import CodeTask, corpus
from node.gold.ports import ProgramFindings, Visibility
from protocol.types import ABSTAIN, ONE
from tests.support.program_testers import BROKEN, ENDLESS, RIGHT, UNTESTED, WRONG, TableProgramTester, seen, telling

SEED = bytes(32)
PASSED, FAILED, VOID = ItemVerdict.PASSED, ItemVerdict.FAILED, ItemVerdict.VOID


def task(name: str) -> CodeTask:
    return next(each for each in corpus() if each.name == name)


GCD = task("gcd_all")
ITEM = AnswerItem("Write f.", "tests", "right")


def by_first(tells: ProgramFindings, right: ProgramFindings = RIGHT) -> TableProgramTester:
    """The right program is the first of each test; of all others `tells` holds."""
    table = TableProgramTester(lambda program: right if program == first[0] else tells)
    first = [""]

    class FirstRight(TableProgramTester):
        async def test(self, test, programs):  # type: ignore[no-untyped-def]
            first[0] = programs[0]
            return await table.test(test, programs)

    return FirstRight(lambda _: tells)


# -- items -------------------------------------------------------------------------------------------------------------


def test_an_answer_item_keeps_its_tests_from_the_prompt() -> None:
    item = answer_item(GCD, Random(1))
    assert item == answer_item(GCD, Random(1)) != answer_item(GCD, Random(2))
    assert "assert" not in item.prompt and "assert" in item.tests
    assert "fn gcd" in item.right


async def test_a_judge_item_shows_a_right_and_a_wrong_program() -> None:
    item = await judge_item(by_first(WRONG), GCD, Random(1))
    assert item is not None
    assert item == await judge_item(by_first(WRONG), GCD, Random(1))
    assert item.first != item.second
    assert all(text.startswith("```rust\n") and text.endswith("\n```") for text in (item.first, item.second))
    assert item.visibility is Visibility.MEDIUM


async def test_the_order_is_a_coin_that_nothing_in_the_item_shows() -> None:
    items = [await judge_item(by_first(WRONG), GCD, Random(seed)) for seed in range(60)]
    heads = sum(item.first_is_right for item in items if item is not None)
    assert 20 <= heads <= 40


async def test_no_judge_item_without_a_program_that_is_wrong() -> None:
    assert await judge_item(by_first(RIGHT), GCD, Random(1)) is None


# -- scoring of answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (RIGHT, PASSED),
        (WRONG, FAILED),
        (BROKEN, FAILED),
        (ENDLESS, FAILED),
        (UNTESTED, FAILED),
        (seen(2), FAILED),
        (seen(differs=1), FAILED),
        (seen(unknown=1), FAILED),
        (seen(unknown=8), FAILED),
    ],
    ids=[
        "right",
        "wrong",
        "broken",
        "endless",
        "untested",
        "fewer tests",
        "forged",
        "forged and silent",
        "forged without behaviour",
    ],
)
async def test_a_reply_is_scored_by_the_tests(reply: ProgramFindings, verdict: ItemVerdict) -> None:
    assert await score_answer(by_first(telling(reply), telling(RIGHT)), ITEM, "a reply", SEED) is verdict


async def test_no_reply_and_a_huge_one_fail_unread() -> None:
    table = TableProgramTester(lambda _: telling(RIGHT))
    for reply in (None, "", "é" * (REPLY_BYTES_MAX // 2 + 1), "\ud800" * (REPLY_BYTES_MAX + 1)):
        assert await score_answer(table, ITEM, reply, SEED) is FAILED
    assert table.asked == []
    assert await score_answer(table, ITEM, "é" * (REPLY_BYTES_MAX // 2), SEED) is PASSED


@pytest.mark.parametrize("right", [UNTESTED, WRONG, ENDLESS])
async def test_where_the_right_program_does_not_pass_nothing_is_known(right: ProgramFindings) -> None:
    assert await score_answer(TableProgramTester(lambda _: right), ITEM, "a reply", SEED) is VOID


async def test_the_right_program_is_beside_the_reply() -> None:
    table = TableProgramTester(lambda _: RIGHT)
    await score_answer(table, ITEM, "a reply", SEED)
    ((test, programs),) = table.asked
    assert programs == (as_answer("right"), "a reply")
    assert (test.tests, test.seed, test.behaviour) == ("tests", SEED, True)


SOUND = as_answer("pub fn f(x: u8) -> u8 { x }")
FORGING = (
    'extern "C" { fn write(fd: i32, b: *const u8, n: usize) -> isize; } pub fn f(x: u8) -> u8 { x }',
    "pub fn f(x: u8) -> u8 { unsafe { std::ptr::read_volatile(&x) } }",
    "pub fn f(x: u8) -> u8 { std::process::exit(x.into()) }",
    'pub fn f(x: u8) -> u8 { std::fs::read("/proc/self/mem").unwrap()[x as usize] }',
    "#[no_mangle] pub fn f(x: u8) -> u8 { x }",
)


async def test_where_behaviour_tells_nothing_only_a_program_that_cannot_forge_passes() -> None:
    table = TableProgramTester(lambda _: RIGHT)
    assert await score_answer(table, ITEM, SOUND, SEED) is PASSED
    for program in FORGING:
        assert await score_answer(table, ITEM, as_answer(program), SEED) is VOID
        assert await score_answer(by_first(WRONG), ITEM, as_answer(program), SEED) is FAILED
    assert await score_answer(table, ITEM, "no program", SEED) is VOID


async def test_where_behaviour_tells_the_words_do_not_matter() -> None:
    table = TableProgramTester(lambda _: telling(RIGHT))
    assert await score_answer(table, ITEM, as_answer(FORGING[1]), SEED) is PASSED


# -- scoring of judgements ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preference", "verdict"),
    [
        (ONE, PASSED),
        (ONE // 2 + 1, PASSED),
        (ONE // 2, VOID),
        (ABSTAIN, VOID),
        (ONE // 2 - 1, FAILED),
        (0, FAILED),
        (None, FAILED),
        (ONE + 1, FAILED),
        (ABSTAIN - 1, FAILED),
    ],
)
def test_a_judgement_is_scored_by_its_side(preference: int | None, verdict: ItemVerdict) -> None:
    item = JudgeItem("Write f.", "one", "two", True, Visibility.EASY)
    assert score_judgement(item, preference) is verdict
    other = JudgeItem("Write f.", "two", "one", False, Visibility.EASY)
    mirrored = ONE - preference if preference is not None and 0 <= preference <= ONE else preference
    assert score_judgement(other, mirrored) is verdict
