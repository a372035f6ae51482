"""Work in hand, in virtual time: partial ballots, what is not begun, and what is stopped."""

from dataclasses import replace
from typing import Any, cast

import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from consensus.rounds.effects import Generate, Judge
from consensus.rounds.events import Generated, Judged, Unable
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.inference import Engine, EngineConfig, EngineError
from node.inference.metered import Metered
from node.inference.scripted import open_scripted
from node.rounds.inbound import InboundRouter, WorkDone
from node.storage import Store
from node.work.fitness import FAILED_ROUNDS_MAX, RETRIALS_S
from node.work.worker import EngineWorker
from protocol.conversation import single
from protocol.messages import Turn
from protocol.types import ABSTAIN, DeclinedPhase, DeclineReason, Digest, Role, TaskType, TurnRole

QUERY, OTHER = Digest(b"q" * 32), Digest(b"o" * 32)
PAIRS = tuple((f"// quality 0.9{n}\nfn a() {{}}", f"// quality 0.1{n}\nfn b() {{}}") for n in range(3))


class Room:
    """An engine worker over a scripted engine, with its mail."""

    def __init__(self, worker: EngineWorker, clock: Clock, inbound: InboundRouter) -> None:
        self.worker, self._clock, self._inbound = worker, clock, inbound

    def judge(self, seconds: float, query: Digest = QUERY, wave: int = 0) -> Judge:
        return Judge(query, wave, single("Sum."), PAIRS, self._clock.now_ms() + round(seconds * 1000))

    def generate(self, seconds: float, tokens: int, query: Digest = QUERY, content: str = "Sum.") -> Generate:
        return Generate(query, single(content), TaskType.CODE, tokens, self._clock.now_ms() + round(seconds * 1000))

    def mail(self) -> list[Generated | Judged]:
        inbox = self._inbound.inbox
        found = [inbox.receive_nowait() for _ in range(inbox.statistics().current_buffer_used)]
        return [
            each.event for each in found if isinstance(each, WorkDone) and isinstance(each.event, Generated | Judged)
        ]

    def declined(self) -> list[tuple[Digest, Unable]]:
        inbox = self._inbound.inbox
        found = [inbox.receive_nowait() for _ in range(inbox.statistics().current_buffer_used)]
        return [
            (each.query, each.event) for each in found if isinstance(each, WorkDone) and isinstance(each.event, Unable)
        ]


async def room(latency_s: float, **config: int) -> Room:
    settings: dict[str, Any] = {"seed": 1, "latency_ms": round(latency_s * 1000), "max_tokens": 100_000, **config}
    engine_config = EngineConfig(kind="scripted", **settings)
    clock = Clock()
    inbound = InboundRouter(cast(Participant, None), cast(Store, None), clock)
    worker = EngineWorker(await open_scripted(engine_config), engine_config, inbound, clock)
    await worker.probe()
    return Room(worker, clock, inbound)


async def test_what_is_judged_by_the_deadline_counts_and_the_rest_abstains(autojump_clock: MockClock) -> None:
    at = await room(latency_s=1)
    # Six questions of a second each; half a second of the budget is kept for the ballot's way.
    await at.worker.judge(at.judge(seconds=5))
    assert autojump_clock.current_time() == pytest.approx(4.5, abs=0.01)
    (judged,) = at.mail()
    assert isinstance(judged, Judged)
    assert judged.preferences[0] > 60_000
    assert judged.preferences[1] > 60_000
    assert judged.preferences[2] == ABSTAIN
    assert at.worker.queue == 0


async def test_a_ballot_in_time_is_whole(autojump_clock: MockClock) -> None:
    at = await room(latency_s=1)
    await at.worker.judge(at.judge(seconds=60))
    assert autojump_clock.current_time() == pytest.approx(6, abs=0.01)
    (judged,) = at.mail()
    assert isinstance(judged, Judged)
    assert ABSTAIN not in judged.preferences


async def test_a_ballot_with_no_time_for_half_of_it_is_not_begun_and_the_next_is_tried(
    autojump_clock: MockClock,
) -> None:
    at = await room(latency_s=1)
    await at.worker.judge(at.judge(seconds=60))
    began_s = autojump_clock.current_time()
    await at.worker.judge(at.judge(seconds=4))
    assert autojump_clock.current_time() == began_s
    assert len(at.mail()) == 1
    # The engine may be faster by now: nobody would know if it were never asked again.
    await at.worker.judge(at.judge(seconds=4))
    assert len(at.mail()) == 1


@pytest.mark.parametrize(("reasoning_tokens", "begun"), [(0, True), (90, True), (100, False)])
async def test_a_ballot_is_not_begun_without_the_time_to_reason_about_half_of_it(
    autojump_clock: MockClock, reasoning_tokens: int, begun: bool
) -> None:
    at = await room(latency_s=0, reasoning_tokens=reasoning_tokens)
    # Two pairs of three, in both orders, at 1,000 tokens a second, within 0.8 of 0.9 of the budget.
    await at.worker.judge(at.judge(seconds=0.52))
    assert len(at.mail()) == begun
    assert at.worker.engine.counts.judgements == 6 * begun
    assert autojump_clock.current_time() == 0


async def test_a_context_without_room_for_reasoning_gives_no_ballot() -> None:
    at = await room(latency_s=0, context_tokens=1536, reasoning_tokens=100)
    await at.worker.judge(at.judge(seconds=60))
    assert (at.worker.engine.counts.judgements, at.mail()) == (0, [])


async def test_an_answer_that_would_come_late_is_not_begun(autojump_clock: MockClock) -> None:
    at = await room(latency_s=0)
    await at.worker.generate(at.generate(seconds=1, tokens=2_000))
    assert at.worker.engine.counts.answers == 0
    await at.worker.generate(at.generate(seconds=3, tokens=2_000))
    (generated,) = at.mail()
    assert isinstance(generated, Generated)
    assert autojump_clock.current_time() == 0


async def test_a_query_over_the_context_is_not_asked() -> None:
    at = await room(latency_s=0, context_tokens=1_000)
    await at.worker.generate(at.generate(seconds=100, tokens=10, content="x" * 10_000))
    assert (at.worker.engine.counts.answers, at.mail()) == (0, [])


class Refusing:
    """An engine that refuses every prompt, as a server does whose context is full."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def answer(self, *_: Any) -> Any:
        raise EngineError("the request exceeds the available context size")

    preference = answer


@pytest.mark.parametrize(("bytes_", "reason"), [(2_000, DeclineReason.CAPACITY), (200, DeclineReason.ENGINE)])
async def test_a_query_that_may_be_too_long_costs_no_role(bytes_: int, reason: DeclineReason) -> None:
    """A server counts tokens better than we do; askers of long queries could end roles otherwise."""
    at = await room(latency_s=0, context_tokens=1_000)
    at.worker.engine = Metered(cast(Engine, Refusing(at.worker.engine)))
    for number in range(FAILED_ROUNDS_MAX):
        await at.worker.generate(at.generate(100, 10, Digest(bytes([number]) * 32), content="x" * bytes_))
    assert [each for _, each in at.declined()] == [Unable(DeclinedPhase.ANSWERING, 0, reason)] * FAILED_ROUNDS_MAX
    assert (Role.ANSWER in at.worker.roles) is (reason is DeclineReason.CAPACITY)


@pytest.mark.parametrize(("bytes_", "judged"), [(2_500, True), (8_000, True), (10_000, False)])
async def test_a_query_is_judged_whole_or_not_at_all(bytes_: int, judged: bool) -> None:
    """Whatever its turns: nothing of them is cut for a judge, and declining costs no role."""
    at = await room(latency_s=0, context_tokens=4_096)
    turns = (*single("x" * (bytes_ // 2)), Turn(role=TurnRole.ASSISTANT, text="y" * (bytes_ // 2)), *single("Sum."))
    for _ in range(FAILED_ROUNDS_MAX):
        await at.worker.judge(replace(at.judge(seconds=100), turns=turns))
    if judged:
        assert [type(each) for each in at.mail()] == [Judged] * FAILED_ROUNDS_MAX
    else:
        assert at.worker.engine.counts.judgements == 0
        assert at.declined() == [(QUERY, Unable(DeclinedPhase.JUDGING, 0, DeclineReason.CAPACITY))] * FAILED_ROUNDS_MAX
    assert Role.JUDGE in at.worker.roles


@pytest.mark.parametrize(("bytes_", "keeps"), [(6_000, True), (200, False)])
async def test_a_query_whose_prompts_may_be_too_long_costs_no_role_of_a_judge(bytes_: int, keeps: bool) -> None:
    at = await room(latency_s=0, context_tokens=4_096)
    at.worker.engine = Metered(cast(Engine, Refusing(at.worker.engine)))
    for number in range(FAILED_ROUNDS_MAX):
        work = replace(at.judge(seconds=100), query=Digest(bytes([number]) * 32), turns=single("x" * bytes_))
        await at.worker.judge(work)
    assert (Role.JUDGE in at.worker.roles) is keeps


async def test_work_in_hand_leaves_no_time_for_more(autojump_clock: MockClock) -> None:
    at = await room(latency_s=8)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.worker.generate, at.generate(seconds=100, tokens=3_000))
        await wait_all_tasks_blocked()
        assert at.worker.queue == 1
        await at.worker.generate(at.generate(seconds=3, tokens=100, query=OTHER))
        assert at.worker.engine.counts.answers == 1
        await at.worker.generate(at.generate(seconds=10, tokens=100, query=OTHER))
        assert at.worker.engine.counts.answers == 2
    assert autojump_clock.current_time() == pytest.approx(8, abs=0.01)
    assert len(at.mail()) == 2


async def test_what_a_round_asks_for_next_ends_what_it_asked_for_before(autojump_clock: MockClock) -> None:
    at = await room(latency_s=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.worker.generate, at.generate(seconds=100, tokens=10))
        await wait_all_tasks_blocked()
        nursery.start_soon(at.worker.judge, at.judge(seconds=100, wave=0))
        await trio.sleep(3.5)
        nursery.start_soon(at.worker.judge, at.judge(seconds=100, wave=1))
    (judged,) = at.mail()
    assert isinstance(judged, Judged)
    assert judged.wave == 1
    assert autojump_clock.current_time() == pytest.approx(9.5, abs=0.01)
    assert at.worker.queue == 0


async def test_a_round_that_is_over_is_worked_for_no_longer(autojump_clock: MockClock) -> None:
    at = await room(latency_s=60)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.worker.generate, at.generate(seconds=100, tokens=10))
        await trio.sleep(1)
        at.worker.cancel(OTHER)
        assert at.worker.queue == 1
        at.worker.cancel(QUERY)
    assert autojump_clock.current_time() == pytest.approx(1, abs=0.01)
    assert (at.mail(), at.worker.queue) == ([], 0)


async def test_ballots_that_are_void_are_counted_logged_once_a_round_and_end_the_role(
    autojump_clock: MockClock,
) -> None:
    """An engine that cannot say A or B abstains from each pair, in both orders."""
    at = await room(latency_s=0)
    pairs = (("fn a() {}", "fn b() {}"), ("fn a() {}", "fn c() {}"))
    with structlog.testing.capture_logs() as logs:
        for number in range(FAILED_ROUNDS_MAX):
            assert at.worker.roles == Role.ANSWER | Role.JUDGE
            work = replace(at.judge(seconds=60), query=Digest(bytes([number]) * 32), pairs=pairs)
            await at.worker.judge(work)
    told = [each["reason"] for each in logs if each["event"] == "round.abstained"]
    assert told == ["2 of 2 pairs: the reply does not say A or B"] * FAILED_ROUNDS_MAX
    assert at.worker.engine.counts.abstentions == 4 * FAILED_ROUNDS_MAX
    assert at.worker.roles == Role.ANSWER
    await at.worker.probe()
    assert at.worker.roles == Role.ANSWER, "a probe too soon decides nothing"
    autojump_clock.jump(RETRIALS_S.first)
    await at.worker.probe()
    assert at.worker.roles == Role.ANSWER | Role.JUDGE
    await at.worker.judge(at.judge(seconds=60))
    assert at.worker.fitness.records[Role.JUDGE].in_a_row == 0


async def test_one_abstention_of_three_is_a_ballot() -> None:
    at = await room(latency_s=0)
    pairs = (*PAIRS[:2], ("fn a() {}", "fn b() {}"))
    with structlog.testing.capture_logs() as logs:
        await at.worker.judge(replace(at.judge(seconds=60), pairs=pairs))
    assert [each["pairs"] for each in logs if each["event"] == "ballot.abstained"] == [1]
    assert at.worker.fitness.records[Role.JUDGE].failed == 0


async def test_a_node_that_stops_declines_what_is_in_hand_and_what_rounds_still_ask_for(
    autojump_clock: MockClock,
) -> None:
    at = await room(latency_s=60)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.worker.generate, at.generate(seconds=600, tokens=10))
        nursery.start_soon(at.worker.judge, at.judge(seconds=600, query=OTHER, wave=2))
        await wait_all_tasks_blocked()
        assert await at.worker.stop() == 2
    await at.worker.judge(at.judge(seconds=600, wave=1))
    *in_hand, later = at.declined()
    assert sorted(in_hand, key=lambda each: each[0]) == [
        (OTHER, Unable(DeclinedPhase.JUDGING, 2, DeclineReason.ENGINE)),
        (QUERY, Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE)),
    ]
    assert later == (QUERY, Unable(DeclinedPhase.JUDGING, 1, DeclineReason.ENGINE))
    assert autojump_clock.current_time() < 1, "no request was waited for"
    assert at.worker.queue == 0
