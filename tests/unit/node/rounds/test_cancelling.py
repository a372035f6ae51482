"""Cancelling a round where nobody is left who could: the node ends while a client goes."""

from typing import Any, cast

import trio
from trio.testing import MockClock

from consensus.rounds.participant import Participant
from node.clock import Clock
from node.rounds.asking.service import CANCEL_S, RoundService
from node.rounds.following.hub import RoundEvents
from node.rounds.inbound import InboundRouter
from node.rounds.queue import RoundQueue
from protocol.types import Digest
from tests.support.swarm import keypair, params


async def test_cancelling_ends_although_no_driver_runs(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """The scope in which it is called is cancelled itself, and must not be held for ever."""
    participant = Participant(keypair("z"), params())
    inbound = InboundRouter(participant, cast("Any", None), Clock())
    service = RoundService(cast("Any", None), RoundQueue(1, 1), inbound, RoundEvents(), Clock())
    began_s = trio.current_time()
    with trio.CancelScope() as gone:
        gone.cancel()
        assert not await service.cancel(Digest(bytes(32)))
    assert trio.current_time() - began_s == CANCEL_S
