"""The queue of a node's own questions, in virtual time."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from node.api.asking import Question
from node.clock import Clock
from node.facade.rounds import RoundsFacade
from node.rounds.asking.errors import TooBusyError
from node.rounds.asking.service import RoundService
from node.rounds.following.hub import RoundEvents
from node.rounds.queue import FIRST_ROUND_S, RETRY_S_MAX, QueuedAsk, QueueFullError, RoundQueue

QUESTION = Question.single("Which?")


async def ask(queue: RoundQueue, number: int = 0) -> QueuedAsk:
    ticket = await queue.take_ticket(QUESTION, gold=False, since_ms=number)
    assert ticket is not None
    return ticket


async def test_questions_get_their_tickets_in_the_order_in_which_they_came(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    queue = RoundQueue(tickets_max=2, waiting_max=3)
    order: list[int] = []

    async def round_(number: int) -> None:
        ticket = await ask(queue, number)
        order.append(number)
        await trio.sleep(1 + number / 8)
        ticket.release()

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(round_, number)
            await trio.testing.wait_all_tasks_blocked()
        assert [each.since_ms for each in queue.running] == [0, 1]
        assert [each.since_ms for each in queue.waiting] == [2, 3, 4]
        assert queue.is_full
        with pytest.raises(QueueFullError):
            await ask(queue)
    assert order == [0, 1, 2, 3, 4]
    assert (queue.running, queue.waiting, queue.is_full) == ([], [], False)


async def test_without_room_to_wait_a_question_needs_a_free_ticket() -> None:
    queue = RoundQueue(tickets_max=1, waiting_max=0)
    ticket = await ask(queue)
    with pytest.raises(QueueFullError):
        await ask(queue)
    ticket.release()
    (await ask(queue)).release()


async def test_who_goes_leaves_the_queue_and_a_closed_queue_sends_all_away() -> None:
    queue = RoundQueue(tickets_max=1, waiting_max=8)
    ticket = await ask(queue)
    sent_away: list[QueuedAsk | None] = []

    async def wait() -> None:
        sent_away.append(await queue.take_ticket(QUESTION, gold=True, since_ms=1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert len(queue.waiting) == 1
        nursery.cancel_scope.cancel()
    assert queue.waiting == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        queue.close()
    assert sent_away == [None] and queue.waiting == [] and queue.running == [ticket]


async def test_the_advice_follows_the_length_of_rounds(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    queue = RoundQueue(tickets_max=1, waiting_max=8)
    assert (queue.retry_after_s, queue.wait_s) == (FIRST_ROUND_S, 0)
    for _ in range(30):
        ticket = await ask(queue)
        await trio.sleep(4)
        ticket.release()
    assert queue.retry_after_s == 5
    ticket = await ask(queue)
    assert 4 <= queue.wait_s < 4.1
    await trio.sleep(10_000)
    ticket.release()
    assert queue.retry_after_s == RETRY_S_MAX


def hold(ticket: QueuedAsk, for_s: float) -> None:
    ticket.hold(1_000 + int(for_s * 1000), trio.current_time() + for_s)


async def test_cancelled_rounds_are_waited_for_until_their_known_ends(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    queue = RoundQueue(tickets_max=2, waiting_max=8)
    one, other = await ask(queue), await ask(queue)
    hold(one, 675)
    assert queue.wait_s == FIRST_ROUND_S, "the other round is of usual length"
    hold(other, 40)
    assert (queue.wait_s, queue.retry_after_s) == (40, 40)
    await trio.sleep(30)
    assert (queue.wait_s, queue.retry_after_s) == (10, 10)
    hold(other, 300)
    assert (queue.wait_s, queue.retry_after_s) == (300, RETRY_S_MAX)
    assert [each.held_until_ms for each in queue.running] == [676_000, 301_000]


async def test_who_waits_behind_others_waits_for_their_rounds_too(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    queue = RoundQueue(tickets_max=1, waiting_max=8)
    ticket = await ask(queue)
    hold(ticket, 100)

    async def wait() -> None:
        (await ask(queue)).release()

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert queue.wait_s == 100 + 2 * FIRST_ROUND_S
        ticket.release()


async def test_a_cancelled_round_does_not_count_in_the_mean_length(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    queue = RoundQueue(tickets_max=1, waiting_max=8)
    ticket = await ask(queue)
    hold(ticket, 675)
    await trio.sleep(675)
    assert queue.wait_s == 0, "it gives its ticket back now"
    ticket.release()
    assert queue.retry_after_s == FIRST_ROUND_S


async def test_the_report_marks_cancelled_rounds_and_the_refusal_advises_by_them(
    autojump_clock: MockClock,  # noqa: ARG001 - time
) -> None:
    queue = RoundQueue(tickets_max=2, waiting_max=0)
    service = RoundService(cast("Any", None), queue, cast("Any", None), RoundEvents(), Clock())
    hold(await ask(queue), 50)
    hold(await ask(queue), 45)
    report = RoundsFacade(service).queue()
    assert [each.held_until_ms for each in report.running] == [51_000, 46_000] and report.wait_s == 45
    with pytest.raises(TooBusyError) as refused:
        async with service.ask(QUESTION):
            pass
    assert refused.value.retry_after_s == 45
