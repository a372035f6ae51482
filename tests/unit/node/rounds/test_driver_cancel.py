"""Cancelling a round (R16) at a whole driver: the engine stops, the user is told, and the ticket stays taken."""

from pathlib import Path

import trio

from consensus.rounds.effects import Ending
from node.rounds.following.hub import REQUESTER
from node.rounds.inbound import CancelRequest
from protocol.types import Digest, Kind
from tests.unit.node.rounds.test_driver_disk import PATIENCE_S, World, end_of, refusing, world

ONLY_ANSWERING = {"answer_ms": 2_000, "open_ms": 0, "judge_ms": 0, "cosign_ms": 0}
"""Two seconds in all, so that the test sees the end of them."""

ROUND_MS = sum(ONLY_ANSWERING.values())


async def cancel(at: World, query: Digest) -> bool:
    tell, told = trio.open_memory_channel[bool](1)
    await at.inbound.deliver(CancelRequest(query, tell))
    return await told.receive()


async def test_a_cancelled_round_stops_the_engine_and_keeps_its_ticket(tmp_path: Path) -> None:
    async with world(tmp_path, "a") as at:
        before_ms = at.clock.now_ms()
        query = await at.ask(1, **ONLY_ANSWERING)
        after_ms = at.clock.now_ms()
        assert isinstance(query, bytes)
        await at.engine.asked.wait()
        with at.hub.subscribe(query, roles=REQUESTER) as events:
            assert await cancel(at, query)
            assert (await end_of(events)).ending == Ending.CANCELLED
        with trio.fail_after(PATIENCE_S):
            await at.engine.stopped.wait()
        (held,) = at.queue.running  # Whoever cancels may not ask again at once, and is told until when.
        assert held.held_until_ms is not None and before_ms <= held.held_until_ms - ROUND_MS <= after_ms
        assert held.held_until_s == at.clock.trio_deadline(held.held_until_ms)
        assert [message.kind for message in at.overlay.of_slots()] == [Kind.CANCEL]
        await at.assert_all_is_journalled()
        assert not await cancel(at, query), "there is nothing left to cancel"
        with trio.fail_after(PATIENCE_S):
            await at.free()


async def test_a_cancel_that_cannot_be_journalled_is_not_said(tmp_path: Path) -> None:
    """The user has gone all the same: the round ends here, and its ticket is free, for nothing more can come of it."""
    async with world(tmp_path, "a") as at:
        query = await at.ask(1)
        assert isinstance(query, bytes)
        await at.engine.asked.wait()
        with refusing(at.store), at.hub.subscribe(query, roles=REQUESTER) as events:
            assert await cancel(at, query)
            assert (await end_of(events)).ending == Ending.CANCELLED
            with trio.fail_after(PATIENCE_S):
                await at.free()
        assert at.overlay.of_slots() == []


async def test_what_is_no_round_of_ours_is_not_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path, "a") as at:
        assert not await cancel(at, Digest(bytes(32)))
