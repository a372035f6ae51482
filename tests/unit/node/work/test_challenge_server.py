"""What a node does for challenges, and what it refuses, on a scripted engine and a real ledger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from consensus.learning.experience import Experience
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.config import NodeConfig, ServeTable, TrustTable
from node.inference import EngineConfig
from node.inference.scripted import open_scripted
from node.overlay.types import Refused
from node.rounds.asking.queries import trust
from node.rounds.inbound import InboundRouter
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.storage import Store
from node.work.challenge_server import PLACES, TOO_FAST, ChallengeServer
from node.work.ledger import Spent
from node.work.serving import Serving, open_serving
from node.work.worker import EngineWorker
from protocol import codec
from protocol.conversation import single
from protocol.errors import Fault
from protocol.messages import Turn
from protocol.streams import Challenge, ChallengeReply
from protocol.types import ABSTAIN, Key, TaskType, TurnRole
from tests.support.stores import opened
from tests.support.swarm import keypair

OWN, FRIEND, DENIED = (keypair(name).public for name in ("own", "friend", "denied"))
STRANGERS = [keypair(f"stranger {number}").public for number in range(20)]
STRANGER = STRANGERS[0]
BETTER, WORSE = "// quality 0.9\nfn a() {}", "// quality 0.1\nfn b() {}"


def ask(*answers: str, prompt: str = "Sum.", max_tokens: int = 64, budget_ms: int = 60_000) -> bytes:
    challenge = Challenge(
        turns=single(prompt), task=TaskType.CODE, answers=answers, max_tokens=max_tokens, budget_ms=budget_ms
    )
    return codec.encode(challenge)


@dataclass
class Challenged:
    server: ChallengeServer
    serving: Serving
    worker: EngineWorker
    clock: Clock

    async def serve(self, payload: bytes, peer: Key = STRANGER) -> ChallengeReply | Refused:
        raw = await self.server.serve(peer, payload)
        if isinstance(raw, Refused):
            return raw
        reply = codec.decode(ChallengeReply, raw)
        assert not isinstance(reply, Fault)
        return reply

    async def refusal(self, payload: bytes, peer: Key = STRANGER) -> str:
        reply = await self.serve(payload, peer)
        assert isinstance(reply, ChallengeReply) and not reply.text and reply.preference == ABSTAIN
        return reply.refusal


@asynccontextmanager
async def challenged(folder: Path, latency_ms: int = 0, **serve: Any) -> AsyncIterator[Challenged]:
    engine = EngineConfig(kind="scripted", seed=1, latency_ms=latency_ms)
    config = NodeConfig(
        engine=engine,
        trust=TrustTable(trusted={FRIEND.hex(): 1.0}),
        serve=ServeTable(deny=(DENIED.hex(),), **serve),
    )
    clock = Clock()
    async with opened(folder) as store:
        reputation = Reputation(Experience(), GoldBook(), trust(config), store, "rust")
        serving = await open_serving(OWN, config, reputation, store, clock)
        inbound = InboundRouter(cast(Participant, None), cast(Store, None), clock)
        worker = EngineWorker(await open_scripted(engine), engine, inbound, clock, serving)
        await worker.probe()
        yield Challenged(ChallengeServer(worker, serving, clock), serving, worker, clock)
        assert not worker.queue and not inbound.waiting, "rounds hear nothing of challenges"


async def test_an_answer_and_a_comparison(tmp_path: Path) -> None:
    async with challenged(tmp_path) as at:
        answered = await at.serve(ask())
        assert isinstance(answered, ChallengeReply) and "// quality" in answered.text and not answered.refusal
        first = await at.serve(ask(BETTER, WORSE))
        other = await at.serve(ask(WORSE, BETTER))
        assert isinstance(first, ChallengeReply) and isinstance(other, ChallengeReply)
        assert first.preference > 60_000 and other.preference < 6_000
        assert at.server.done == 3


async def test_it_is_paid_like_a_round(tmp_path: Path) -> None:
    async with challenged(tmp_path) as at:
        await at.serve(ask())
        spent = at.serving.spent(1, at.clock.now_ms())
        assert spent["strangers"].rounds == 1 and spent["strangers"].tokens > 0
        assert spent["own"] == Spent()


async def test_challenges_make_no_round_forgotten(tmp_path: Path) -> None:
    async with challenged(tmp_path) as at:
        await at.serve(ask())
        assert not at.serving._requesters


async def test_quotas_of_strangers_hold(tmp_path: Path) -> None:
    async with challenged(tmp_path, rounds_per_hour=1) as at:
        assert isinstance(await at.serve(ask()), ChallengeReply)
        assert await at.refusal(ask(), STRANGERS[1]) == "over_quota"
        assert isinstance(await at.serve(ask(), FRIEND), ChallengeReply)
    async with challenged(tmp_path / "b", tokens_per_hour=1_000) as at:
        assert await at.refusal(ask(max_tokens=2_000)) == "over_quota"
        assert await at.refusal(ask("x" * 3_000, "y" * 3_000)) == "over_quota"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", ask("one"), bytes(300_000), codec.encode(ChallengeReply(refusal="", text="", preference=0))],
)
async def test_what_is_malformed_is_refused_without_work(tmp_path: Path, payload: bytes) -> None:
    async with challenged(tmp_path) as at:
        assert isinstance(await at.serve(payload), Refused)
        assert at.serving.spent(1, at.clock.now_ms())["strangers"] == Spent()


async def test_the_last_turn_asks(tmp_path: Path) -> None:
    turns = (*single("Sum."), Turn(role=TurnRole.ASSISTANT, text="What?"))
    payload = codec.encode(Challenge(turns=turns, task=TaskType.CODE, answers=(), max_tokens=1, budget_ms=1))
    async with challenged(tmp_path) as at:
        assert isinstance(await at.serve(payload), Refused)


async def test_too_fast_is_refused_before_it_is_read(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    async with challenged(tmp_path) as at:
        replies = [await at.serve(b"\xc1") for _ in range(6)]
        assert [isinstance(each, Refused) for each in replies] == [True] * 4 + [False] * 2
        assert await at.refusal(ask()) == TOO_FAST
        await trio.sleep(31)
        assert not (await at.serve(ask())).refusal  # type: ignore[union-attr]


async def test_more_keys_are_no_faster_and_take_nothing_from_the_known(
    tmp_path: Path,
    autojump_clock: MockClock,  # noqa: ARG001 - it makes time pass
) -> None:
    async with challenged(tmp_path) as at:
        words = [await at.serve(ask(), peer) for peer in STRANGERS]
        assert [each.refusal for each in words if isinstance(each, ChallengeReply)] == [""] * 16 + [TOO_FAST] * 4
        served = await at.serve(ask(), FRIEND)
        assert isinstance(served, ChallengeReply) and not served.refusal


async def test_garbage_of_many_keys_takes_nothing_from_other_strangers(tmp_path: Path) -> None:
    async with challenged(tmp_path) as at:
        for peer in STRANGERS[1:]:
            assert isinstance(await at.serve(b"", peer), Refused)
        served = await at.serve(ask())
        assert isinstance(served, ChallengeReply) and not served.refusal


async def test_places_are_few_and_one_for_each_peer(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    async with challenged(tmp_path, latency_ms=1_000) as at, trio.open_nursery() as nursery:
        for peer in STRANGERS[:PLACES]:
            nursery.start_soon(at.serve, ask(), peer)
        await wait_all_tasks_blocked()
        assert await at.refusal(ask(), STRANGERS[PLACES]) == "busy"
        assert await at.refusal(ask(), STRANGERS[0]) == "busy"


async def test_nobody_is_served_who_would_not_be_in_a_round(tmp_path: Path) -> None:
    async with challenged(tmp_path) as at:
        assert await at.refusal(ask(), DENIED) == "not_served"
        await at.serving.pause(None)
        assert await at.refusal(ask()) == "paused"
        at.serving.stop()
        assert await at.refusal(ask()) == "stopping"
    async with challenged(tmp_path / "b", whom="reputation") as at:
        assert await at.refusal(ask()) == "not_served"


async def test_a_node_that_gives_up_its_work_says_so(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    """The engine's work is stopped like that for rounds."""
    async with challenged(tmp_path, latency_ms=50_000) as at, trio.open_nursery() as nursery:
        words: list[str] = []

        async def serve() -> None:
            words.append(await at.refusal(ask()))

        nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        assert at.worker.queue == 1
        assert await at.worker.stop() == 1
        await wait_all_tasks_blocked()
        assert words == ["engine"]


async def test_a_challenge_ends_in_time_and_when_it_is_cancelled(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    async with challenged(tmp_path, latency_ms=50_000) as at:
        assert await at.refusal(ask(budget_ms=2_000)) == "capacity"
        with trio.move_on_after(1) as scope:
            await at.serve(ask(), STRANGERS[1])
        assert scope.cancelled_caught and not at.worker.queue
        # Strangers' phases are bounded, whatever a challenge says.
        began_s = trio.current_time()
        at.serving._serve = ServeTable(stranger_phase_ms=1_000)
        assert await at.refusal(ask(), STRANGERS[2]) == "capacity"
        assert trio.current_time() - began_s == pytest.approx(1, abs=0.01)
