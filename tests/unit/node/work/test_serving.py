"""The owner's word on whom the node works for, and the account of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from consensus.learning.experience import Experience, QueryPriors
from consensus.learning.roster import SeatWeights
from consensus.learning.waves import MODELS
from consensus.rounds.admission import STRANGER_PHASE_MS, Refusal, Shares, WorkingPlace
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from node.clock import Clock
from node.config import CapacityTable, NodeConfig, ServeTable, TrustTable
from node.inference import EngineConfig
from node.inference.metered import Charged, Metered
from node.inference.ports import JudgePrompt, Sampling
from node.inference.scripted import open_scripted
from node.rounds.asking.queries import trust
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.work.ledger import Spent
from node.work.serving import Serving, open_serving
from protocol.conversation import single
from protocol.limits import DURATION_MS_MAX
from protocol.types import ONE, Digest, TaskType
from tests.support.stores import opened
from tests.support.swarm import Swarm, keypair, params

OWN, NAMED, TRUSTED, EARNED, STRANGER = (
    keypair(name).public for name in ("own", "named", "trusted", "earned", "strange")
)
QUERY = Digest(b"q" * 32)
PROMPT = JudgePrompt("x" * 400, "// quality 0.9", "// quality 0.1")


def config(engine: EngineConfig | None = None, **serve: Any) -> NodeConfig:
    keys = tuple(key.hex() for key in serve.pop("keys", [NAMED]))
    return NodeConfig(
        engine=engine or EngineConfig(),
        trust=TrustTable(trusted={TRUSTED.hex(): 1.0, keypair("cheat").public.hex(): 0.0}),
        serve=ServeTable(keys=keys, **serve),
    )


async def test_friends_are_known_unless_they_are_denied(tmp_path: Path) -> None:
    denied = keypair("denied").public
    trust = TrustTable(default_weight=1.0, friends=True, trusted={keypair("cheat").public.hex(): 0.0})
    friendly = NodeConfig(trust=trust, serve=ServeTable(deny=(denied.hex(),)))
    async with serving(tmp_path, friendly) as at:
        assert at.knows(STRANGER)
        assert not at.knows(denied) and not at.knows(keypair("cheat").public)


@asynccontextmanager
async def serving(folder: Path, settings: NodeConfig) -> AsyncIterator[Serving]:
    async with opened(folder) as store:
        merits = {
            EARNED: SeatWeights(vote=ONE, judge=ONE),
            keypair("poor").public: SeatWeights(vote=ONE // 8, judge=ONE),
        }
        experience = Experience(priors={TaskType.CODE: QueryPriors(merits, MODELS[TaskType.CODE])})
        reputation = Reputation(experience, GoldBook(), trust(settings), store, "rust")
        yield await open_serving(OWN, settings, reputation, store, Clock())


def asks(
    at: Serving, name: str, places: Sequence[WorkingPlace] = (), now_ms: int | None = None, **changes: Any
) -> Refusal | None:
    query = replace(Swarm("abcd").query(), author=keypair(name).public, **changes)
    return at.refusal(QUERY, query, places, at._clock.now_ms() if now_ms is None else now_ms)


ALL = ("named", "trusted", "earned", "strange")


@pytest.mark.parametrize(
    ("whom", "served"),
    [("everyone", ALL), ("reputation", ("named", "trusted", "earned")), ("named", ("named",))],
)
async def test_whom_it_works_for(tmp_path: Path, whom: str, served: tuple[str, ...]) -> None:
    async with serving(tmp_path, config(whom=whom)) as at:
        assert {name: asks(at, name) for name in ALL} == {
            name: None if name in served else Refusal.NOT_SERVED for name in ALL
        }


async def test_who_is_known(tmp_path: Path) -> None:
    """Weight 0 is a word of the owner's, too; a little reputation is not enough."""
    async with serving(tmp_path, config()) as at:
        assert all(at.knows(key) for key in (OWN, NAMED, TRUSTED, EARNED))
        assert not any(at.knows(keypair(name).public) for name in ("strange", "cheat", "poor"))


async def test_denied_keys_are_never_served(tmp_path: Path) -> None:
    async with serving(tmp_path, config(deny=(NAMED.hex(),))) as at:
        assert asks(at, "named") is Refusal.NOT_SERVED and not at.knows(NAMED)


@pytest.mark.parametrize(
    ("engine", "whom"),
    [
        (EngineConfig(kind="openai", api_key="sk-paid"), "named"),
        (EngineConfig(kind="openai"), "everyone"),
        (EngineConfig(kind="embedded"), "everyone"),
        (EngineConfig(kind="vllm", api_key="ours"), "everyone"),
    ],
)
def test_a_paid_key_works_for_named_keys_only(engine: EngineConfig, whom: str) -> None:
    assert config(engine).serves == whom
    assert config(engine, whom="reputation").serves == "reputation"


async def test_places(tmp_path: Path) -> None:
    settings = replace(config(), capacity=CapacityTable(open_rounds_max=4))
    async with serving(tmp_path, settings) as at:
        strangers = [WorkingPlace(QUERY, keypair(name).public) for name in "xy"]
        assert asks(at, "strange", strangers) is Refusal.BUSY
        assert asks(at, "earned", strangers) is None
        assert Shares(4).strangers == 2


async def test_terms(tmp_path: Path) -> None:
    async with serving(tmp_path, config()) as at:
        assert at.phase_ms_max(QUERY, STRANGER) == STRANGER_PHASE_MS
        assert at.phase_ms_max(QUERY, TRUSTED) == DURATION_MS_MAX


@pytest.mark.parametrize("quota", ["rounds_per_hour", "rounds_per_day"])
async def test_rounds_of_strangers_are_counted_together(tmp_path: Path, quota: str) -> None:
    async with serving(tmp_path, config(**{quota: 2})) as at:
        for name in ("x", "y"):
            assert asks(at, name) is None
            at.joined(
                QUERY, replace(Swarm("abcd").query(), author=keypair(name).public), at._clock.now_ms(), again=False
            )
        assert asks(at, "z") is Refusal.OVER_QUOTA
        assert asks(at, "trusted") is None


@pytest.mark.parametrize("quota", ["tokens_per_hour", "tokens_per_day"])
async def test_tokens_of_strangers_are_counted_together_with_what_is_asked_for(tmp_path: Path, quota: str) -> None:
    async with serving(tmp_path, config(**{quota: 1_000})) as at:
        assert asks(at, "x", max_tokens=900) is None
        at.charge(STRANGER, 500, 0)
        assert asks(at, "x", max_tokens=400) is None
        assert asks(at, "x", max_tokens=900) is Refusal.OVER_QUOTA


async def test_strangers_have_their_share_of_the_engine(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """A quarter of an hour in each hour, and again when the hour has slid on."""
    async with serving(tmp_path, config()) as at:
        at.charge(STRANGER, 0, 15 * 60_000 - 1)
        at.charge(TRUSTED, 0, 60 * 60_000)
        assert asks(at, "x") is None
        at.charge(STRANGER, 0, 1)
        assert asks(at, "x") is Refusal.OVER_BUDGET
        assert asks(at, "trusted") is None
        await trio.sleep(2 * 3600)
        assert asks(at, "x") is None


async def test_hours(tmp_path: Path) -> None:
    def at_ms(hour: int, minute: int) -> int:
        return round(datetime(2026, 5, 17, hour, minute).timestamp() * 1000)

    async with serving(tmp_path, config(hours="22:00-07:00")) as at:
        assert [asks(at, "named", now_ms=at_ms(*time)) for time in ((22, 0), (6, 59), (7, 0), (21, 59))] == [
            None,
            None,
            Refusal.OFF_HOURS,
            Refusal.OFF_HOURS,
        ]
    async with serving(tmp_path, config(hours="09:30-17:00")) as at:
        assert [at.closed(at_ms(*time)) for time in ((9, 29), (9, 30), (16, 59), (17, 0))] == [
            Refusal.OFF_HOURS,
            None,
            None,
            Refusal.OFF_HOURS,
        ]


@pytest.mark.parametrize("hours", ["22-7", "24:00-07:00", "07:00-07:00", "7:00-8:00", "always"])
def test_hours_that_cannot_be_read(hours: str) -> None:
    with pytest.raises(ValueError, match="hours must be like"):
        ServeTable(hours=hours)


async def test_a_pause_ends_by_itself_or_by_its_owner(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    async with serving(tmp_path, config()) as at:
        await at.pause(2_000)
        assert asks(at, "named") is Refusal.PAUSED
    async with serving(tmp_path, config()) as at:
        assert asks(at, "named") is Refusal.PAUSED
        await trio.sleep(2)
        assert asks(at, "named") is None
        await at.pause(None)
    async with serving(tmp_path, config()) as at:
        await trio.sleep(23 * 3600)
        assert at.closed(at._clock.now_ms()) is Refusal.PAUSED
        await at.resume()
    async with serving(tmp_path, config()) as at:
        assert asks(at, "named") is None


async def test_the_account_survives_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path, config()) as at, trio.open_nursery() as nursery:
        nursery.start_soon(at.run)
        at.joined(QUERY, replace(Swarm("abcd").query(), author=STRANGER), at._clock.now_ms(), again=False)
        at.charge(STRANGER, 10, 20)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    async with serving(tmp_path, config()) as at:
        at.joined(QUERY, replace(Swarm("abcd").query(), author=STRANGER), at._clock.now_ms(), again=True)
        assert at.spent(24, at._clock.now_ms())["strangers"] == Spent(1, 10, 20), "a recovered round is no second one"


async def test_our_own_rounds_count_as_their_tokens_do(tmp_path: Path) -> None:
    async with serving(tmp_path, config()) as at:
        node, now_ms = Participant(keypair("a"), params(), admission=at), at._clock.now_ms()
        assert isinstance(node.ask(Swarm("abcd").query(sent_at_ms=now_ms), LeftOut(), now_ms), tuple)
        while node.take_local_message(now_ms) is not None:
            pass
        at.charge(keypair("a").public, 10, 20)
        assert at.ledger.by_requester(now_ms) == [(keypair("a").public, Spent(1, 10, 20))]


async def test_refusals_are_counted_and_logged_with_their_reason(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with serving(tmp_path, config(deny=(STRANGER.hex(),))) as at:
            for _ in range(4):
                assert asks(at, "strange") is Refusal.NOT_SERVED
    assert [each["reason"] for each in logs if each["event"] == "query.refused"] == ["not_served"] * 4
    assert at.refused[Refusal.NOT_SERVED] == 4


async def test_a_flood_of_queries_is_not_looked_at(tmp_path: Path) -> None:
    async with serving(tmp_path, config()) as at:
        now_ms = at._clock.now_ms()
        looked_at = sum(at.admits_query(STRANGER, 1_000, now_ms) for _ in range(100))
        assert looked_at < 10 and at.ignored == 100 - looked_at
        assert at.admits_query(TRUSTED, 1_000, now_ms)


async def test_work_is_charged_to_whoever_asked(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """Half of an engine with two slots is busy for two seconds a request: one second of the engine."""
    engine = Metered(await open_scripted(EngineConfig(kind="scripted", latency_ms=2_000)))
    async with serving(tmp_path, config()) as at:
        at.joined(QUERY, replace(Swarm("abcd").query(), author=STRANGER), at._clock.now_ms(), again=False)
        with at.account(QUERY) as account:
            charged = Charged(engine, account)
            completion = await charged.answer(single("Sum a slice."), TaskType.CODE, Sampling(0.8, 0.95, 1, 10))
            await charged.preference(PROMPT)
        with at.account(Digest(b"o" * 32)) as account:
            await Charged(engine, account).preference(PROMPT)
        spent = at.spent(1, at._clock.now_ms())
    tokens = completion.prompt_tokens + completion.answer_tokens + 100
    assert spent["strangers"] == Spent(1, tokens, 4_000 // engine.concurrency)
    assert spent["own"] == Spent(0, 100, 2_000 // engine.concurrency)
    assert spent["known"] == Spent()


async def test_what_is_broken_off_is_charged(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    engine = Metered(await open_scripted(EngineConfig(kind="scripted", latency_ms=2_000)))
    async with serving(tmp_path, config()) as at:
        at.joined(QUERY, replace(Swarm("abcd").query(), author=STRANGER), at._clock.now_ms(), again=False)
        with at.account(QUERY) as account, trio.move_on_after(1):
            await Charged(engine, account).preference(PROMPT)
        assert at.spent(1, at._clock.now_ms())["strangers"] == Spent(1, 100, 1_000 // engine.concurrency)


async def test_strangers_wait_while_somebody_known_waits(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    """An engine with one slot takes no request of a stranger while work of ours is in hand."""
    engine = Metered(await open_scripted(EngineConfig(kind="scripted", latency_ms=1_000)))
    ended: list[tuple[str, float]] = []
    async with serving(tmp_path, config()) as at, trio.open_nursery() as nursery:
        at.joined(QUERY, replace(Swarm("abcd").query(), author=STRANGER), at._clock.now_ms(), again=False)

        async def work(name: str, query: Digest, requests: int) -> None:
            with at.account(query) as account:
                for _ in range(requests):
                    await Charged(engine, account).preference(PROMPT)
            ended.append((name, round(trio.current_time(), 1)))

        nursery.start_soon(work, "own", Digest(b"o" * 32), 3)
        await wait_all_tasks_blocked()
        nursery.start_soon(work, "stranger", QUERY, 1)
    assert ended == [("own", 3.0), ("stranger", 4.0)]


def test_one_default() -> None:
    assert ServeTable().stranger_phase_ms == STRANGER_PHASE_MS
