"""Tests of answers as a node's work, in virtual time: what is reported, what is declined, and who pays."""

from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from consensus.rounds.effects import RunTests, SlateAnswer
from consensus.rounds.events import AnswersTested, Unable
from node.clock import Clock
from node.findings.ports import Assignment
from node.rounds.inbound import InboundRouter, WorkDone
from node.sandbox.choosing import SandboxOff
from node.sandbox.ports import Urgency
from node.work.node_tester import NodeTester, NodeTesterState
from node.work.serving import _Payer, _Turns
from node.work.spare_time import SpareUse
from node.work.testing import JOBS_MAX, NO_TURN, STILL_OPENING, STRANGERS_MAX, RoundTester
from protocol.conversation import single
from protocol.messages import Findings
from protocol.types import ONE, CompileStatus, DeclinedPhase, DeclineReason, Digest, FindingKind, Key
from tests.support.findings import found

MARGIN_S = 0.5
QUERIES = [Digest(bytes([number]) * 32) for number in range(4)]


@dataclass
class SlowTester:
    """Takes `seconds` for each answer, one after the other, and states what it has when its time is nearly over."""

    seconds: float = 1.0
    heeds_time: bool = True
    tool_versions: str = "rustc 1.95.0 g1 x1"
    asked: list[Assignment] = field(default_factory=list)
    at_work: int = 0
    most: int = 0

    async def test(self, assignment: Assignment) -> Sequence[Findings]:
        self.asked.append(assignment)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        told = {index: found(index, source=b"", status=CompileStatus.UNKNOWN) for index in assignment.assigned}
        ends_at = trio.current_effective_deadline() - MARGIN_S if self.heeds_time else float("inf")
        try:
            with trio.move_on_at(ends_at):
                for index in assignment.assigned:
                    await trio.sleep(self.seconds)
                    told[index] = found(index)
        finally:
            self.at_work -= 1
        return list(told.values())


@dataclass
class Payers:
    """Counts what is charged, as `Serving` does."""

    charged: list[tuple[int, int]] = field(default_factory=list)
    urgencies: dict[Digest, Urgency] = field(default_factory=dict)

    def urgency(self, query: Digest) -> Urgency:
        return self.urgencies.get(query, Urgency.KNOWN)

    @contextmanager
    def account(self, _: Digest) -> Iterator["Payers"]:
        yield self

    @asynccontextmanager
    async def slot(self, _: int) -> Any:
        yield

    def charge(self, tokens: int, engine_ms: int) -> None:
        self.charged.append((tokens, engine_ms))


class Room:
    """A round tester with its mail."""

    def __init__(self, node_tester: NodeTester, payers: Payers | None = None) -> None:
        self.clock = Clock()
        self._inbound = InboundRouter(cast(Any, None), cast(Any, None), self.clock)
        self.round_tester = RoundTester(node_tester, self._inbound, self.clock, cast(Any, payers))

    def work(self, seconds: float, query: Digest = QUERIES[0], stage: int = 0) -> RunTests:
        return RunTests(
            query=query,
            stage=stage,
            turns=single("Sum."),
            slate=tuple(SlateAnswer(f"answer {number}", ONE) for number in range(3)),
            assigned=(0, 2),
            kinds=FindingKind.COMPILES,
            tests="assert!(true);",
            seed=b"s" * 32,
            deadline_ms=self.clock.now_ms() + round(seconds * 1000),
        )

    def mail(self) -> list[tuple[Digest, AnswersTested | Unable]]:
        inbox = self._inbound.inbox
        came = [inbox.receive_nowait() for _ in range(inbox.statistics().current_buffer_used)]
        return [
            (each.query, each.event)
            for each in came
            if isinstance(each, WorkDone) and isinstance(each.event, AnswersTested | Unable)
        ]


async def test_a_report_states_exactly_what_was_assigned(autojump_clock: MockClock) -> None:
    tester = SlowTester()
    at = Room(NodeTester(tester))
    await at.round_tester.test(at.work(20, stage=1))
    ((query, tested),) = at.mail()
    assert query == QUERIES[0] and isinstance(tested, AnswersTested) and tested.stage == 1
    assert [(each.answer, each.status) for each in tested.findings] == [(0, "compiles"), (2, "compiles")]
    (assignment,) = tester.asked
    assert [each.text for each in assignment.slate] == ["answer 0", "answer 1", "answer 2"]
    assert (assignment.tests, assignment.seed) == ("assert!(true);", b"s" * 32)
    assert autojump_clock.current_time() == pytest.approx(2.0, abs=0.01)


async def test_what_is_not_tested_in_time_is_unknown_and_the_rest_is_reported(autojump_clock: MockClock) -> None:
    at = Room(NodeTester(SlowTester(seconds=3)))
    # A tenth of the time is kept for the report's way, and the tester keeps half a second to write it.
    await at.round_tester.test(at.work(5))
    ((_, tested),) = at.mail()
    assert isinstance(tested, AnswersTested)
    assert [each.status for each in tested.findings] == ["compiles", "unknown"]
    assert autojump_clock.current_time() == pytest.approx(4.0, abs=0.01)


async def test_a_tester_that_does_not_end_is_ended_and_declined_in_time(autojump_clock: MockClock) -> None:
    tester = SlowTester(seconds=60, heeds_time=False)
    at = Room(NodeTester(tester))
    with capture_logs() as lines:
        await at.round_tester.test(at.work(5))
    assert at.mail() == [(QUERIES[0], Unable(DeclinedPhase.TESTING, 0, DeclineReason.CAPACITY))]
    assert autojump_clock.current_time() == pytest.approx(4.5, abs=0.01) and tester.at_work == 0
    assert [line["words"] for line in lines] == [NO_TURN]


@pytest.mark.parametrize(
    ("node_tester", "why"),
    [(NodeTester(), STILL_OPENING), (NodeTester(why_off="no rustc was found"), "no rustc was found")],
)
async def test_a_node_that_cannot_test_declines_at_once(node_tester: NodeTester, why: str) -> None:
    at = Room(node_tester)
    assert at.round_tester.tool_versions == ""
    with capture_logs() as lines:
        await at.round_tester.test(at.work(5, stage=1))
    assert at.mail() == [(QUERIES[0], Unable(DeclinedPhase.TESTING, 1, DeclineReason.ENGINE))]
    assert [line["words"] for line in lines] == [why]


async def test_few_stages_are_tested_at_a_time_and_the_others_wait(autojump_clock: MockClock) -> None:
    tester, payers = SlowTester(), Payers()
    at = Room(NodeTester(tester), payers)
    async with trio.open_nursery() as nursery:
        for query in QUERIES:
            nursery.start_soon(at.round_tester.test, at.work(20, query))
    assert tester.most == JOBS_MAX
    assert {query for query, event in at.mail() if isinstance(event, AnswersTested)} == set(QUERIES)
    # The wait for a turn costs nobody anything; a job is charged its part of the machine.
    assert [tokens for tokens, _ in payers.charged] == [0] * 4
    assert [ms for _, ms in payers.charged] == pytest.approx([1_000] * 4, abs=5)
    assert autojump_clock.current_time() == pytest.approx(4.0, abs=0.01)


class Shared(Payers):
    """The engine's turns: only the last query is a known requester's."""

    def __init__(self) -> None:
        super().__init__(urgencies=dict.fromkeys(QUERIES[:-1], Urgency.STRANGER))
        self.turns = _Turns(0.25)

    @contextmanager
    def account(self, query: Digest) -> Iterator[Any]:
        known = query == QUERIES[-1]
        with self.turns.waiting(known):
            yield _Payer(cast(Any, self), Key(query), known, self.turns)

    def charge(self, *_: Any) -> None:
        """Nobody pays here."""


async def test_strangers_that_came_before_a_known_requester_do_not_go_first(autojump_clock: MockClock) -> None:  # noqa: ARG001
    tester = SlowTester()
    at = Room(NodeTester(tester), Shared())
    async with trio.open_nursery() as nursery:
        for query in QUERIES:
            nursery.start_soon(at.round_tester.test, at.work(20, query))
            await wait_all_tasks_blocked()
    done = [query for query, event in at.mail() if isinstance(event, AnswersTested)]
    assert len(done) == 4 and set(done[:2]) == {QUERIES[0], QUERIES[-1]}, "who is at work is not interrupted"


async def test_strangers_leave_a_turn_for_somebody_known(autojump_clock: MockClock) -> None:
    tester = SlowTester(seconds=5)
    at = Room(NodeTester(tester), Shared())
    async with trio.open_nursery() as nursery:
        for query in QUERIES[:-1]:
            nursery.start_soon(at.round_tester.test, at.work(60, query))
        await trio.sleep(1)
        assert tester.at_work == STRANGERS_MAX < JOBS_MAX
        await at.round_tester.test(at.work(60, QUERIES[-1]))
        assert autojump_clock.current_time() == pytest.approx(11, abs=0.01), "it waits for nobody"
    assert [each.urgency for each in tester.asked].count(Urgency.STRANGER) == 3


async def test_our_own_round_waits_for_no_turn_and_its_commands_go_first(autojump_clock: MockClock) -> None:
    tester, payers = SlowTester(seconds=5), Payers(urgencies={QUERIES[-1]: Urgency.OWN})
    at = Room(NodeTester(tester), payers)
    async with trio.open_nursery() as nursery:
        for query in QUERIES[:-1]:
            nursery.start_soon(at.round_tester.test, at.work(60, query))
        await trio.sleep(1)
        assert tester.at_work == JOBS_MAX
        await at.round_tester.test(at.work(60, QUERIES[-1]))
        assert autojump_clock.current_time() == pytest.approx(11, abs=0.01)
    assert [each.urgency for each in tester.asked].count(Urgency.OWN) == 1
    assert len(payers.charged) == 4, "it is charged as all are"


async def test_challenges_and_gold_are_tested_only_while_no_round_is_in_hand(autojump_clock: MockClock) -> None:  # noqa: ARG001
    tester = SlowTester(seconds=5)
    at = Room(NodeTester(tester))
    ended: list[float] = []

    async def spare() -> None:
        await at.round_tester.node_tester.spare_time.spend(SpareUse.GOLD, partial(trio.sleep, 7))
        ended.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(spare)
        await trio.sleep(6)
        nursery.start_soon(at.round_tester.test, at.work(60))
    assert ended == [pytest.approx(6 + 10 + 7, abs=0.01)]


async def test_a_round_that_is_over_gets_nothing(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    tester = SlowTester()
    at = Room(NodeTester(tester))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.round_tester.test, at.work(20))
        await trio.testing.wait_all_tasks_blocked()
        at.round_tester.cancel(QUERIES[0])
    assert at.mail() == [] and tester.at_work == 0


async def test_a_node_that_stops_declines_what_it_tests_and_tests_no_more(autojump_clock: MockClock) -> None:  # noqa: ARG001
    at = Room(NodeTester(SlowTester()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.round_tester.test, at.work(20, stage=1))
        await wait_all_tasks_blocked()
        assert await at.round_tester.stop("it stops") == 1
    declined = (QUERIES[0], Unable(DeclinedPhase.TESTING, 1, DeclineReason.ENGINE))
    assert at.mail() == [declined]
    await at.round_tester.test(at.work(20, stage=1))
    assert at.mail() == [declined]


async def test_a_node_tester_tells_what_was_found_once_it_is_known() -> None:
    async def finds() -> SlowTester:
        return SlowTester()

    async def fails() -> SandboxOff:
        return SandboxOff("no compiler", "install one")

    ready, off = NodeTester(), NodeTester()
    assert ready.state is NodeTesterState.OPENING
    with capture_logs() as lines:
        await ready.open(finds)
        await off.open(fails)
    assert (ready.state, ready.tool_versions, ready.changed.count) == (NodeTesterState.READY, "rustc 1.95.0 g1 x1", 1)
    assert (off.state, off.why_off, off.remedy, off.changed.count) == (
        NodeTesterState.OFF,
        "no compiler",
        "install one",
        1,
    )
    assert [line["event"] for line in lines] == ["testing.ready", "testing.off"]


class FaultyTester:
    """Fails as a reader does that an answer drives into its limits."""

    tool_versions = "rustc 1.95.0 g1 x1"

    async def test(self, _: Assignment) -> Sequence[Findings]:
        raise RecursionError("maximum recursion depth exceeded")


@pytest.mark.usefixtures("autojump_clock")
async def test_a_fault_of_ours_declines_the_tests_and_the_node_goes_on() -> None:
    payers = Payers()
    at = Room(NodeTester(FaultyTester()), payers)
    with capture_logs() as lines:
        await at.round_tester.test(at.work(20, stage=1))
    assert at.mail() == [(QUERIES[0], Unable(DeclinedPhase.TESTING, 1, DeclineReason.ENGINE))]
    (line,) = (each for each in lines if each["event"] == "testing.failed")
    assert (line["query_id"], line["exc_info"]) == (QUERIES[0].hex()[:16], True)
    assert len(payers.charged) == 1
