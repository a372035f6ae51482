"""Challenges over real streams: what is slow, what is cut off, and what hostile peers cost."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs

from consensus.learning.experience import Experience
from consensus.learning.roster import Trust
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.config import NodeConfig
from node.inference import EngineConfig
from node.inference.scripted import open_scripted
from node.overlay import Overlay, PeerUnreachable, RequestRefused, open_overlay
from node.rounds.inbound import CHALLENGE, PING, PROTOCOLS, SLOW_PROTOCOLS, InboundRouter
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.rounds.newcomers.challenger import Challenger
from node.work.challenge_server import TOO_FAST, ChallengeServer
from node.work.serving import open_serving
from node.work.worker import EngineWorker
from protocol import codec
from protocol.conversation import single
from protocol.signing import Keypair
from protocol.streams import Challenge, ChallengeReply, Pong
from protocol.types import Key, TaskType
from tests.integration.overlay.world import ECHO, Recorder, config, node, seed
from tests.support.newcomers import OFTEN, KnownItems, Nowhere, offer
from tests.support.stores import opened
from tests.support.swarm import params

SLOW = "/strand/slow/1"
BOTH = {"protocols": (ECHO, SLOW), "slow_protocols": (SLOW,)}


async def test_slow_requests_have_their_own_time() -> None:
    recorder = Recorder()
    recorder.gate = trio.Event()
    async with node(1, recorder, **BOTH, serve_timeout_ms=50) as na, node(2, Recorder(), na) as nb:
        with pytest.raises(PeerUnreachable):
            await nb.request(na.key, ECHO, b"quick", timeout_ms=5_000)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await nb.request(na.key, SLOW, b"slow", timeout_ms=15_000) == b"slow"

            nursery.start_soon(ask)
            await recorder.wait(lambda: (SLOW, nb.key, b"slow") in recorder.requests)
            with pytest.raises(PeerUnreachable):
                await nb.request(na.key, ECHO, b"again", timeout_ms=5_000)
            recorder.gate.set()


class Counting(Recorder):
    """Counts the requests that were cancelled while they were served."""

    cancelled = 0

    async def on_request(self, protocol: str, source: bytes, payload: bytes) -> bytes:
        try:
            return await super().on_request(protocol, source, payload)
        except trio.Cancelled:
            self.cancelled += 1
            self._tell()
            raise


async def test_slow_work_ends_with_its_stream_and_nothing_else_does() -> None:
    recorder = Counting()
    recorder.gate = trio.Event()
    async with node(1, recorder, **BOTH) as na, node(2, Recorder(), na) as nb:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drop, nb, na.key)
            await recorder.wait(lambda: recorder.requests)
            nursery.cancel_scope.cancel()
        await recorder.wait(lambda: recorder.cancelled)
        recorder.gate.set()
        assert await nb.request(na.key, SLOW, b"next", timeout_ms=15_000) == b"next"
        assert (nb.key, False) not in recorder.peers


async def _drop(overlay: Overlay, peer: bytes) -> None:
    await overlay.request(peer, SLOW, b"dropped", timeout_ms=60_000)


def ask(*answers: str) -> bytes:
    return codec.encode(
        Challenge(turns=single("Sum."), task=TaskType.CODE, answers=answers, max_tokens=64, budget_ms=60_000)
    )


HOSTILE = (b"", b"\xc1" * 65_536, codec.encode(Pong(clock_ms=1)), ask("one"))
"""Requests that no honest node sends: nothing, garbage of 64 KiB, another kind of record, one answer to compare."""


async def test_who_challenges_too_fast_is_refused_and_nothing_ends(tmp_path: Path) -> None:
    keypair, clock, settings = Keypair(seed(1)), Clock(), NodeConfig(engine=EngineConfig(kind="scripted"))
    async with opened(tmp_path) as store:
        reputation = Reputation(Experience(), GoldBook(), Trust(0, {}), store, "rust")
        serving = await open_serving(keypair.public, settings, reputation, store, clock)
        inbound = InboundRouter(Participant(keypair, params()), store, clock)
        worker = EngineWorker(await open_scripted(settings.engine), settings.engine, inbound, clock, serving)
        await worker.probe()
        inbound.serve_challenges(ChallengeServer(worker, serving, clock).serve)
        serves = config(protocols=PROTOCOLS, slow_protocols=SLOW_PROTOCOLS)
        recorder = Recorder()
        async with (
            open_overlay(seed(1), serves, inbound) as na,
            node(2, recorder, na) as nb,
            node(3, Recorder(), na) as nc,
        ):
            for payload in HOSTILE:
                with pytest.raises(RequestRefused):
                    await nb.request(na.key, CHALLENGE, payload, timeout_ms=15_000)
            for _ in range(3):
                reply = codec.decode(ChallengeReply, await nb.request(na.key, CHALLENGE, ask(), timeout_ms=15_000))
                assert isinstance(reply, ChallengeReply) and reply.refusal == TOO_FAST
            assert isinstance(codec.decode(Pong, await nb.request(na.key, PING, b"", timeout_ms=15_000)), Pong)
            served = codec.decode(ChallengeReply, await nc.request(na.key, CHALLENGE, ask(), timeout_ms=15_000))
            assert isinstance(served, ChallengeReply) and served.text and not served.refusal
            assert (na.key, False) not in recorder.peers, "its other streams live on"


async def test_hostile_replies_cost_only_their_senders() -> None:
    """64 KiB and more of garbage, another kind of record, a handler that fails. Silence: see the unit tests."""
    serves: dict[str, Any] = {"protocols": (CHALLENGE,), "slow_protocols": (CHALLENGE,)}
    own, long, other, failing, honest = (Recorder() for _ in range(5))
    long.answer = lambda _: b"\xc1" * 70_000
    other.answer = lambda _: codec.encode(Pong(clock_ms=1))
    failing.answer = lambda _: bytes(1 // 0)
    honest.answer = lambda _: codec.encode(ChallengeReply(refusal="", text="right 0", preference=-1))
    items = KnownItems(Random(1))
    reputation = Reputation(Experience(), GoldBook(), Trust(0, {}), cast("Any", Nowhere()), "rust")
    with capture_logs():
        async with (
            node(1, own) as na,
            node(2, long, na, **serves) as n2,
            node(3, other, na, **serves) as n3,
            node(4, failing, na, **serves) as n4,
            node(5, honest, na, **serves) as n5,
        ):
            nodes = (n2, n3, n4, n5)
            for each in nodes:
                await own.wait_peer(each)
            offers = [offer(Key(each.key)) for each in nodes]
            challenger = Challenger(lambda: offers, na, items, reputation, OFTEN, Random(1), Clock())
            assert await challenger.challenge() == len(nodes)
            known = [reputation.challenges.records[Key(each.key)] for each in nodes]
            assert [each.answers_passed for each in known] == [0, 0, 0, 1]
            assert [each.void for each in known] == [0, 0, 1, 0], "a refused stream is a refusal"
            assert all(connected for _, connected in own.peers)
