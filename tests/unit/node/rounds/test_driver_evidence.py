"""Evidence of our own finding leaves beside what rounds wait for, and slowly."""

from __future__ import annotations

from typing import Any, cast

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from consensus.rounds import effects as fx
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.overlay.budgets import AUTHOR_USELESS
from node.overlay.host import Overlay
from node.rounds.driver import Driver
from node.rounds.inbound import InboundRouter
from node.rounds.outbox import EVIDENCE_MAX, EVIDENCE_RATE, OUTBOX_MAX, Outbox
from protocol.types import Digest, Kind
from tests.support.hand import Hand
from tests.support.swarm import keypair

TOPIC = "/strand/topic"


class _Overlay:
    """Remembers the kinds of what was published."""

    def __init__(self) -> None:
        self.said: list[Kind] = []
        self.envelopes: list[bytes] = []

    async def publish(self, _topic: str, envelope: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.said.append(Kind(envelope[0]))
        self.envelopes.append(envelope)


async def test_a_flood_of_evidence_holds_no_round(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """Given more evidence than the outbox holds, then the loop goes on, a commitment leaves at once, and of the
    evidence no more than what others take of us though they have found the same."""
    hand, overlay = Hand(), _Overlay()
    participant = Participant(keypair("b"), hand.params)
    clock = Clock()
    inbound = InboundRouter(participant, cast(Any, None), clock)
    nothing = cast(Any, None)
    driver = Driver(participant, cast(Overlay, overlay), inbound, nothing, nothing, nothing, clock)
    evidence = fx.Publish((TOPIC,), hand.evidence("b", *hand.equivocation("c")))
    commitment = fx.Publish((TOPIC,), hand.commit("b"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver._outbox.run)
        with trio.fail_after(1):
            await driver._perform([*[evidence] * (OUTBOX_MAX + 1), commitment], nursery)
            await wait_all_tasks_blocked()
        assert Kind.COMMIT in overlay.said
        for _ in range(10):
            await driver._perform([evidence] * EVIDENCE_MAX, nursery)
            await trio.sleep(60)
        nursery.cancel_scope.cancel()
    least = 600 * EVIDENCE_RATE.per_s
    assert least <= overlay.said.count(Kind.EVIDENCE) <= least + EVIDENCE_RATE.burst + 1
    assert EVIDENCE_RATE.per_s < AUTHOR_USELESS.per_s
    assert EVIDENCE_RATE.burst < AUTHOR_USELESS.burst


async def test_each_round_has_its_turn_of_evidence(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """What is found in an honest round goes out after one piece of the round that floods, and is not dropped for it."""
    overlay = _Overlay()
    outbox = Outbox(cast(Overlay, overlay))
    flood, honest = Digest(b"f" * 32), Digest(b"h" * 32)
    flooding, accusing = bytes((Kind.EVIDENCE,)) + b"flood", bytes((Kind.EVIDENCE,)) + b"honest"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        for _ in range(2 * EVIDENCE_MAX):
            outbox.accuse(flood, TOPIC, flooding)
        await wait_all_tasks_blocked()
        assert overlay.envelopes == [flooding] * int(EVIDENCE_RATE.burst)
        for _ in range(EVIDENCE_MAX):
            outbox.accuse(flood, TOPIC, flooding)
        outbox.accuse(honest, TOPIC, accusing)
        await trio.sleep(2.5 / EVIDENCE_RATE.per_s)
        assert overlay.envelopes[int(EVIDENCE_RATE.burst) :] == [flooding, accusing]
        nursery.cancel_scope.cancel()


async def test_with_a_piece_of_each_of_too_many_rounds_one_goes() -> None:
    outbox = Outbox(cast(Overlay, _Overlay()))
    for number in range(EVIDENCE_MAX + 1):
        outbox.accuse(Digest(bytes((number,)) * 32), TOPIC, b"e")
    assert len(outbox._evidence) == EVIDENCE_MAX and all(outbox._evidence.values())
