"""When gold is asked: after the rounds of users, by share, and some time later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio
import trio.testing

from consensus.learning.experience import Experience
from consensus.learning.roster import Trust
from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import Ended
from node.rounds.asking.errors import AskError, TooBusyError
from node.rounds.asking.gold_asker import DELAY_MS_MAX, GoldAsker, GoldResult, NoGoldError
from node.rounds.asking.service import RecentQuestion, RoundHandle
from node.rounds.learning.gold_book import GoldBook, GoldQuestion
from node.rounds.learning.reputation import Reputation
from node.signals import Signal
from protocol.conversation import single
from protocol.types import Digest, Outcome, TaskType, TurnRole
from tests.support.shown import begun
from tests.support.swarm import answer_text
from tests.support.updates import told

GOLD = GoldBook((GoldQuestion(single("Which?"), (answer_text("A"),), TaskType.CODE),))
Clock = trio.testing.MockClock
QUERY = Digest(b"q" * 32)


class Swarm:
    """Stands for the asker: decides every round at once, or refuses it."""

    def __init__(self) -> None:
        self.ended = Signal()
        self.recent: list[RecentQuestion] = []
        self.asked: list[Question] = []
        self.at_s: list[float] = []
        self.refusal: AskError | None = None
        self.busy = 0
        """How often it refuses for the sake of users."""
        self.query_id = QUERY

    @asynccontextmanager
    async def ask(self, question: Question, *, counted: bool = True) -> AsyncIterator[RoundHandle]:
        assert not counted, "its end is no user's round"
        self.asked.append(question)
        self.at_s.append(trio.current_time())
        if self.refusal is not None:
            raise self.refusal
        if self.busy:
            self.busy -= 1
            raise TooBusyError("32 queries wait already", 32)
        end = Ended(role="requester", ending="finished", outcome=Outcome.DECIDED, fault=None)
        yield begun([end], self.query_id)

    def end(self) -> None:
        """A user's round is over."""
        self.ended.fire()


def gold_asker(
    swarm: Swarm, gold: GoldBook = GOLD, share: float = 1.0, experience: Experience | None = None
) -> GoldAsker:
    reputation = Reputation(experience or Experience(), gold, Trust(0, {}), cast("Any", None), "rust")
    return GoldAsker(swarm, reputation, share)


async def test_gold_is_asked_as_any_question() -> None:
    swarm = Swarm()
    assert await gold_asker(swarm).ask_gold() == GoldResult(QUERY, Outcome.DECIDED, None)
    assert swarm.asked == [Question.single("Which?", TaskType.CODE)]


async def test_gold_follows_up_where_users_do() -> None:
    """A follow-up of a user would else be known for no gold."""
    swarm = Swarm()
    swarm.recent = [RecentQuestion(Audience.PUBLIC, (TurnRole.USER, TurnRole.ASSISTANT, TurnRole.USER))] * 16
    other = GoldQuestion(single("Why?"), ("Because.",), TaskType.OPEN)
    book = GoldBook((*GOLD.questions, other))
    await gold_asker(swarm, book).ask_gold()
    (asked,) = swarm.asked
    assert [turn.role for turn in asked.turns] == list(swarm.recent[0].roles)
    assert {asked.turns[0].text, asked.turns[-1].text} == {"Which?", "Why?"}


async def test_gold_has_the_audience_of_users_questions() -> None:
    """Any other would give it away: it would be the only one that is gossiped, or that is not."""
    swarm = Swarm()
    swarm.recent = [RecentQuestion(Audience.TRUSTED, (TurnRole.USER,))] * 16
    await gold_asker(swarm).ask_gold()
    assert swarm.asked == [Question.single("Which?", TaskType.CODE, audience=Audience.TRUSTED)]


@pytest.mark.parametrize(("right", "correct"), [("A", True), ("B", False)])
async def test_gold_tells_whether_the_swarm_was_right(right: str, correct: bool) -> None:
    round_ = told({"a": "A", "b": "A", "c": "A", "d": "B"})
    experience = Experience()
    experience.learn(round_.update(right))
    swarm = Swarm()
    swarm.query_id = round_.record.id
    assert (await gold_asker(swarm, experience=experience).ask_gold()).correct is correct


async def test_without_gold_there_is_nothing_to_ask() -> None:
    swarm = Swarm()
    with pytest.raises(NoGoldError, match="no gold"):
        await gold_asker(swarm, GoldBook()).ask_gold()
    await gold_asker(swarm, GoldBook()).run()
    assert not swarm.asked


async def test_without_a_sandbox_gold_with_tests_is_not_asked() -> None:
    swarm = Swarm()
    book = GoldBook((GoldQuestion(single("Which?"), ("fn f() {}",), TaskType.CODE, "mod tests {}"),))
    with pytest.raises(NoGoldError, match="all gold has tests"):
        await gold_asker(swarm, book).ask_gold()
    assert not swarm.asked


async def test_gold_follows_rounds_at_a_time_that_nobody_knows(autojump_clock: Clock) -> None:  # noqa: ARG001 - it makes time pass
    swarm = Swarm()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm).run)
        await trio.testing.wait_all_tasks_blocked()
        ended_s = []
        for number in range(1, 6):
            ended_s.append(trio.current_time())
            swarm.end()
            await trio.sleep(2 * DELAY_MS_MAX / 1000)
            assert len(swarm.asked) == number
        nursery.cancel_scope.cancel()
    delays = [at - ended for at, ended in zip(swarm.at_s, ended_s, strict=True)]
    assert all(0.0 < delay <= DELAY_MS_MAX / 1000 for delay in delays)
    assert len(set(delays)) == 5


async def test_a_share_of_nothing_asks_nothing(autojump_clock: Clock) -> None:  # noqa: ARG001 - it makes time pass
    swarm = Swarm()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm, share=0.0).run)
        for _ in range(20):
            await trio.testing.wait_all_tasks_blocked()
            swarm.end()
            await trio.sleep(2 * DELAY_MS_MAX / 1000)
        nursery.cancel_scope.cancel()
    assert not swarm.asked


async def test_gold_that_is_refused_is_no_end_of_gold(autojump_clock: Clock) -> None:  # noqa: ARG001 - it makes time pass
    swarm = Swarm()
    swarm.refusal = AskError("nobody is there")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm).run)
        for _ in range(2):
            await trio.testing.wait_all_tasks_blocked()
            swarm.end()
            await trio.sleep(2 * DELAY_MS_MAX / 1000)
        nursery.cancel_scope.cancel()
    assert len(swarm.asked) == 2


@pytest.mark.parametrize("pause_s", [0.0, 0.01, 1.0])
async def test_every_round_counts_however_fast_rounds_end(autojump_clock: Clock, pause_s: float) -> None:  # noqa: ARG001 - it makes time pass
    """Also those that end while gold waits for its time or is asked."""
    swarm = Swarm()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm).run)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(5):
            for _ in range(40):
                swarm.end()
                await trio.sleep(pause_s)
            await trio.sleep(3 * DELAY_MS_MAX / 1000)
        await trio.sleep(10 * DELAY_MS_MAX / 1000)
        nursery.cancel_scope.cancel()
    assert len(swarm.asked) == 200


async def test_gold_is_asked_for_its_share_of_the_users_rounds(autojump_clock: Clock) -> None:  # noqa: ARG001 - it makes time pass
    swarm = Swarm()
    rounds, share = 2_000, 0.25
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm, share=share).run)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(rounds):
            swarm.end()
            await trio.sleep(0.5)
        await trio.sleep(10 * DELAY_MS_MAX / 1000)
        nursery.cancel_scope.cancel()
    # Five standard deviations of so many draws: once in a million runs it is another number.
    assert abs(len(swarm.asked) - share * rounds) < 5 * (rounds * share * (1 - share)) ** 0.5


async def test_gold_that_gives_way_to_users_is_asked_later(autojump_clock: Clock) -> None:  # noqa: ARG001 - it makes time pass
    swarm = Swarm()
    swarm.busy = 3
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gold_asker(swarm).run)
        await trio.testing.wait_all_tasks_blocked()
        swarm.end()
        await trio.sleep(5 * DELAY_MS_MAX / 1000)
        nursery.cancel_scope.cancel()
    assert len(swarm.asked) == 4
    assert swarm.at_s == sorted(set(swarm.at_s)), "each time after another delay"
