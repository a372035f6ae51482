"""What a node says while its disk refuses: nothing that is not journalled (R12). The overlay is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import trio

from consensus.learning.roster import Trust
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from node.api.asking import Question
from node.api.events import Ended
from node.clock import Clock
from node.inference import EngineConfig
from node.inference.scripted import open_scripted
from node.overlay.host import Overlay
from node.rounds.driver import Driver
from node.rounds.following.hub import REQUESTER, RoundEvents, Subscription
from node.rounds.inbound import AskRequest, InboundRouter
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import open_reputation
from node.rounds.queue import RoundQueue
from node.storage import Store, open_store
from node.work.worker import EngineWorker
from protocol.conversation import single
from protocol.errors import Fault, FaultReason, Verdict
from protocol.messages import Query
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest
from tests.support.stores import refusing
from tests.support.swarm import Swarm, keypair, params

PARAMS = params()
PATIENCE_S = 30.0
"""For what must come."""


@dataclass
class MemoryOverlay:
    """Takes everything, tells nobody, and remembers it."""

    said: list[bytes] = field(default_factory=list)
    news: trio.Event = field(default_factory=trio.Event)

    async def publish(self, _topic: str, envelope: bytes) -> None:
        self._hear(envelope)

    async def request(self, _peer: bytes, _protocol: str, payload: bytes, *, timeout_ms: int) -> bytes:
        assert timeout_ms > 0
        self._hear(payload)
        return b""

    def _hear(self, envelope: bytes) -> None:
        self.said.append(envelope)
        self.news.set()
        self.news = trio.Event()

    async def heard(self, kinds: int) -> None:
        """Wait for so many messages."""
        with trio.fail_after(PATIENCE_S):
            while len(self.said) < kinds:
                await self.news.wait()

    def of_slots(self) -> list[VerifiedMessage]:
        """What was said that fills a slot of ours."""
        opened = [open_envelope(envelope, PARAMS.digest) for envelope in self.said]
        messages = [each for each in opened if isinstance(each, VerifiedMessage)]
        return [each for each in messages if each.kind in CLOSINGS or each.kind in CONTRIBUTIONS]


@dataclass
class GatedEngine:
    """A scripted engine that answers when it may."""

    engine: Any
    gate: trio.Event = field(default_factory=trio.Event)
    asked: trio.Event = field(default_factory=trio.Event)
    stopped: trio.Event = field(default_factory=trio.Event)
    """Whether an answer was cancelled."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def answer(self, *args: Any) -> Any:
        self.asked.set()
        try:
            await self.gate.wait()
        except trio.Cancelled:
            self.stopped.set()
            raise
        return await self.engine.answer(*args)


@dataclass
class World:
    """One node without a network."""

    overlay: MemoryOverlay
    engine: GatedEngine
    store: Store
    inbound: InboundRouter
    participant: Participant
    clock: Clock
    hub: RoundEvents

    queue: RoundQueue = field(default_factory=lambda: RoundQueue(1, 1))
    """One round of its own at once."""

    def query(self, nonce: int = 0, **changes: Any) -> Query:
        """A query of `a` to `a` and `b`, dated now."""
        return Swarm("ab").query(sent_at_ms=self.clock.now_ms(), nonce=bytes([nonce]) * 32, **changes)

    async def ask(self, nonce: int = 0, **changes: Any) -> Digest | Fault:
        """Ask as a user does."""
        begun, began = trio.open_memory_channel[Digest | Fault](1)
        ask = await self.queue.take_ticket(Question.single("Which?"), gold=False, since_ms=0)
        assert ask is not None
        await self.inbound.deliver(AskRequest(self.query(nonce, **changes), LeftOut(single("Which?")), begun, ask))
        return await began.receive()

    async def free(self) -> None:
        """Wait until it may ask again."""
        assert await self.queue.take_ticket(Question.single("Which?"), gold=False, since_ms=0) is not None

    def hear(self, query: Query) -> Verdict:
        """Let the query of another come by gossip."""
        message = seal(keypair("a"), PARAMS.digest, query)
        return self.inbound.on_gossip(topic(PARAMS, "rust", 0), keypair("a").public, message.envelope)

    async def assert_all_is_journalled(self) -> None:
        for message in self.overlay.of_slots():
            body = cast(Any, message.body)
            journalled = [each.envelope for each in await self.store.journal(body.query)]
            assert message.envelope in journalled, message.kind


@asynccontextmanager
async def world(folder: Path, name: str) -> AsyncIterator[World]:
    """The node of that name: `a` asks, `b` is a member."""
    clock = Clock()
    config = EngineConfig(kind="scripted", seed=1)
    async with open_store(folder, public_key=keypair(name).public, fresh_key=True, now_ms=0, boot_id="b") as store:
        participant = Participant(keypair(name), PARAMS)
        inbound = InboundRouter(participant, store, clock)
        engine = GatedEngine(await open_scripted(config))
        worker = EngineWorker(cast(Any, engine), config, inbound, clock)
        reputation = await open_reputation(store, GoldBook(), Trust(0, {}), "rust")
        overlay = MemoryOverlay()
        driver = Driver(participant, cast(Overlay, overlay), inbound, worker, store, reputation, clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.run)
            nursery.start_soon(store.mend)
            yield World(overlay, engine, store, inbound, participant, clock, driver.events)
            nursery.cancel_scope.cancel()


async def end_of(events: Subscription) -> Ended:
    """The last event of a round that somebody follows."""
    with trio.fail_after(PATIENCE_S):
        *_, end = [event async for event in events]
    assert isinstance(end, Ended)
    return end


async def test_a_member_that_cannot_journal_says_nothing_and_serves_nothing(tmp_path: Path) -> None:
    """Given a member whose disk refuses when its answer is ready, then it leaves the round: no commitment of it is
    said, then or later, and when the disk takes it again, the node works in another round."""
    async with world(tmp_path, "b") as at:
        at.hear(at.query(1))
        await at.engine.asked.wait()
        with refusing(at.store):
            at.engine.gate.set()
            await at.store.health.wait(blocked=True)
            at.engine.asked = trio.Event()
            assert at.hear(at.query(2)) is Verdict.ACCEPT
            assert isinstance(await at.ask(3), Fault)
        assert at.overlay.of_slots() == []
        with trio.fail_after(PATIENCE_S):
            await at.store.health.wait(blocked=False)
        assert not at.engine.asked.is_set()
        at.hear(at.query(4))
        await at.overlay.heard(1)
        await at.assert_all_is_journalled()
        assert len({cast(Any, message.body).query for message in at.overlay.of_slots()}) == 1


async def test_an_asker_that_cannot_journal_says_so_at_once(tmp_path: Path) -> None:
    """Given an asker whose disk refuses amid a round, then the round ends with that reason, long before its budgets,
    and no closing of it is said; a new question is refused until the disk takes it again."""
    async with world(tmp_path, "a") as at:
        query = await at.ask(1)
        assert not isinstance(query, Fault)
        await at.engine.asked.wait()
        with refusing(at.store), at.hub.subscribe(query, roles=REQUESTER) as events:
            at.engine.gate.set()
            end = await end_of(events)
            assert (end.ending, end.role) == ("left", "requester")
            assert end.fault is not None and end.fault.startswith("not_journalled")
            assert not at.queue.running, "the next user may ask"
            refusal = await at.ask(2)
            assert not at.queue.running
            assert isinstance(refusal, Fault) and refusal.reason is FaultReason.NOT_JOURNALLED
            assert "may not be written" in refusal.detail
        await at.assert_all_is_journalled()
        with trio.fail_after(PATIENCE_S):
            await at.store.health.wait(blocked=False)
        assert not isinstance(await at.ask(3), Fault)
