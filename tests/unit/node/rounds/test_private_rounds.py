"""What a node keeps among the members of a private round: answers on their way, and the certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.events import Delivered
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.overlay.host import Overlay
from node.overlay.types import PeerUnreachable
from node.rounds.driver import Driver
from node.rounds.inbound import CERTIFICATE, InboundRouter, WorkDone
from node.storage import CertificateSummary
from protocol.types import Key, Kind, Outcome
from tests.support.hand import Hand
from tests.support.stores import opened
from tests.support.swarm import Swarm, keypair, params

QUOTED = "Which?"


def asked(*, private: bool) -> Swarm:
    """A swarm with a finished round of `a` with `b` and `c`; the members quote the question."""
    swarm = Swarm("abc")
    for node in swarm.nodes.values():
        node.text = f"{QUOTED}\n{node.text}"
    swarm.ask(**{"turns": ()} if private else {})
    swarm.run()
    return swarm


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize(("private", "served"), [(True, "abc"), (False, "abcx")])
async def test_the_certificate_of_a_private_round_is_for_its_members(
    tmp_path: Path, private: bool, served: str, remembers: bool
) -> None:
    """Also long after the round; everybody knows its id, for the query was gossiped."""
    swarm = asked(private=private)
    assert swarm.certificate is not None
    query = swarm.verified().record.id
    participant = swarm.nodes["b"].participant if remembers else Participant(keypair("b"), params())
    async with opened(tmp_path, fresh_key=True) as store:
        await store.put_certificate(
            CertificateSummary(query, Outcome.DECIDED, keypair("a").public, 1), swarm.certificate
        )
        inbound = InboundRouter(participant, store, Clock())
        got = {name: await inbound.on_request(CERTIFICATE, keypair(name).public, query) for name in "abcx"}
    assert got == {name: swarm.certificate if name in served else b"" for name in "abcx"}


@dataclass
class DeafOverlay:
    """Reaches the requester at the last of its tries, or never; remembers what was gossiped."""

    replies: list[bytes | None]
    gossiped: list[Kind] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)

    async def publish(self, _topic: str, envelope: bytes) -> None:
        self.gossiped.append(Kind(envelope[0]))

    async def request(self, _peer: Key, _protocol: str, _payload: bytes, *, timeout_ms: int) -> bytes:
        self.at_s.append(trio.current_time())
        reply = self.replies.pop(0)
        if reply is None:
            await trio.sleep(timeout_ms / 1000)
            raise PeerUnreachable("it does not reply")
        return reply


@pytest.mark.parametrize(
    ("private", "replies", "tries", "gossiped", "acknowledged"),
    [
        (False, [None], 1, [Kind.ANSWER], False),
        (True, [None, b"busy", b""], 3, [], True),
        (True, [None] * delivery.STREAM_TRIES_MAX, delivery.STREAM_TRIES_MAX, [], None),
        (True, [b"late"], 1, [], None),
    ],
)
async def test_an_answer_to_a_private_query_is_sent_again_and_never_gossiped(
    autojump_clock: MockClock,  # noqa: ARG001 - time
    private: bool,
    replies: list[bytes | None],
    tries: int,
    gossiped: list[Kind],
    acknowledged: bool | None,
) -> None:
    hand, overlay, nothing = Hand().to_opening(), DeafOverlay(replies), cast("Any", None)
    participant = Participant(keypair("b"), hand.params)
    inbound = InboundRouter(participant, nothing, Clock())
    driver = Driver(participant, cast("Overlay", overlay), inbound, nothing, nothing, nothing, Clock())
    answer = hand.answer("b")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver._outbox.run)
        await driver._contribute(fx.Contribute(keypair("a").public, "/strand/topic", answer, private))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert (len(overlay.at_s), overlay.gossiped) == (tries, gossiped)
    told = [] if acknowledged is None else [WorkDone(hand.record.id, Delivered(answer.id, acknowledged=acknowledged))]
    waiting = inbound.inbox.statistics().current_buffer_used
    assert [inbound.inbox.receive_nowait() for _ in range(waiting)] == told


def test_members_of_a_private_round_send_their_answers_in_confidence() -> None:
    for private in (True, False):
        sent: list[fx.Contribute] = []

        def watch(_swarm: Swarm, _node: object, effect: fx.Effect, sent: list[fx.Contribute] = sent) -> None:
            if isinstance(effect, fx.Contribute):
                sent.append(effect)

        swarm = Swarm("abc")
        swarm.interceptors = dict.fromkeys("abc", watch)  # type: ignore[arg-type]
        swarm.ask(**{"turns": ()} if private else {})
        swarm.run()
        assert {each.message.kind for each in sent if each.private} == ({Kind.ANSWER} if private else set())
