"""Challenge items: fresh tasks with known truth that show what another node's engine can do, and their scoring.

An answer item asks for a program, which private tests decide about. A judge item shows a right and a wrong program in
random order. Items are made of the node's own corpus, each for one use; what a peer has seen before helps it little.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, TypeAlias

from node.gold.corpus import CodeTask
from node.gold.evidence import Passed, passed
from node.gold.ports import SEED_BYTES, ProgramTest, ProgramTester, Visibility
from protocol.limits import TEXT_BYTES_MAX
from protocol.types import ABSTAIN, ONE

REPLY_BYTES_MAX: Final = TEXT_BYTES_MAX
"""Bytes of a reply to an answer item, UTF-8: as long as an answer may be. A longer one fails unread."""

WRONG_WANTED: Final = 4
"""Wrong programs of which one is drawn: the first ones that are found would all be easy to tell."""


class ItemKind(StrEnum):
    """Kind of work that an item asks of a node."""

    ANSWER = "answer"
    JUDGE = "judge"


class ItemVerdict(StrEnum):
    """Verdict on a reply."""

    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"
    """Nothing: the node abstained, or this machine could not tell."""


_VERDICTS: Final = {
    Passed.YES: ItemVerdict.PASSED,
    Passed.NO: ItemVerdict.FAILED,
    Passed.UNKNOWN: ItemVerdict.VOID,
}


@dataclass(frozen=True, slots=True)
class AnswerItem:
    """A task to solve."""

    prompt: str
    tests: str
    """Stays with the challenger."""
    right: str
    """A right program: if it does not pass here and now, no other one can be told from it."""


@dataclass(frozen=True, slots=True)
class JudgeItem:
    """A comparison of two programs, one of which is wrong."""

    prompt: str
    first: str
    second: str
    """Both programs stand in a fenced block each, as in an answer."""
    first_is_right: bool
    """Stays with the challenger."""
    visibility: Visibility
    """Difficulty, by how rarely the wrong program behaves otherwise."""


ChallengeItem: TypeAlias = AnswerItem | JudgeItem


def answer_item(task: CodeTask, random: Random) -> AnswerItem:
    """Make an answer item of a task."""
    # Only here: nodes without the grammar of Rust import this module, and never make items.
    from node.gold.variation import varied

    exercise = varied(task, random)
    return AnswerItem(exercise.prompt, exercise.tests, exercise.program)


async def judge_item(tester: ProgramTester, task: CodeTask, random: Random) -> JudgeItem | None:
    """Make a judge item of a task; None: no wrong program of it could be made certain here.

    Some 6 s of work, or more where mutants do not end (`SELECTION_S_MAX`).
    """
    from node.gold.mutation import mutants
    from node.gold.selection import select
    from node.gold.variation import varied

    exercise = varied(task, random)
    candidates = mutants(exercise.program, random)
    selection = await select(tester, exercise, candidates, random.randbytes(SEED_BYTES), wanted=WRONG_WANTED)
    if not selection.wrong:
        return None
    wrong = random.choice(selection.wrong)
    right_first = random.random() < 0.5
    programs = (exercise.program, wrong.program) if right_first else (wrong.program, exercise.program)
    first, second = (as_answer(program) for program in programs)
    return JudgeItem(exercise.prompt, first, second, right_first, wrong.visibility)


def as_answer(program: str) -> str:
    """Return a program as the text of an answer."""
    return f"```rust\n{program.rstrip()}\n```"


async def score_answer(tester: ProgramTester, item: AnswerItem, reply: str | None, seed: bytes) -> ItemVerdict:
    """Score the reply to an answer item; None: there was none in time.

    A program that does not end, or uses up the memory, fails, as long as the right one passes beside it: otherwise a
    node could make all its failures void. Tests alone decide only where they cannot be forged (`node.gold.evidence`).
    `seed`: 32 bytes.
    """
    if not reply or len(reply.encode(errors="replace")) > REPLY_BYTES_MAX:
        return ItemVerdict.FAILED
    test = ProgramTest(item.prompt, item.tests, seed)
    right, seen = await tester.test(test, (as_answer(item.right), reply))
    if not right.is_right:
        return ItemVerdict.VOID
    return _VERDICTS[passed(item.prompt, reply, right, seen)]


def score_judgement(item: JudgeItem, preference: int | None) -> ItemVerdict:
    """Score the reply to a judge item: the probability that the first is better, 2^-16, as in a ballot.

    None: there was no reply in time, which fails. Abstaining and an even preference are void: whoever guesses gains
    nothing by choosing on which items to guess.
    """
    if preference is None or not ABSTAIN <= preference <= ONE:
        return ItemVerdict.FAILED
    if preference in (ABSTAIN, ONE // 2):
        return ItemVerdict.VOID
    return ItemVerdict.PASSED if (preference > ONE // 2) == item.first_is_right else ItemVerdict.FAILED
