"""Challenges and gold are tested while no round is, and yield to rounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.findings.ports import Assignment
from node.gold.ports import SEED_BYTES, ProgramTest
from node.gold.program_testing import NO_FINDINGS
from node.work.node_tester import NodeTester
from node.work.program_testing import NodeProgramTester
from node.work.spare_time import SPARE_S_MAX, WAITING_MAX, SpareTime, SpareUse
from protocol.messages import Findings
from tests.support.findings import found


@dataclass
class Work:
    """Pieces of work of ten seconds each: when each began, and which ended."""

    spare: SpareTime = field(default_factory=SpareTime)
    began: list[tuple[str, float]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def do(self, name: str, use: SpareUse) -> None:
        async def work() -> str:
            self.began.append((name, round(trio.current_time())))
            await trio.sleep(10)
            return name

        if (result := await self.spare.spend(use, work)) is not None:
            self.ended.append(result)


async def test_it_begins_when_no_round_is_tested_and_challenges_go_before_gold(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    at = Work()
    async with trio.open_nursery() as nursery:
        with at.spare.round():
            for name, use in (("gold", SpareUse.GOLD), ("challenge", SpareUse.CHALLENGE), ("late", SpareUse.GOLD)):
                nursery.start_soon(at.do, name, use)
                await wait_all_tasks_blocked()
            await trio.sleep(5)
            assert at.began == []
    assert at.began == [("challenge", 5), ("gold", 15), ("late", 25)]
    assert at.ended == ["challenge", "gold", "late"]


async def test_a_round_stops_it_at_once_and_it_begins_anew_afterwards(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    at = Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.do, "gold", SpareUse.GOLD)
        await trio.sleep(9)
        with at.spare.round():
            await wait_all_tasks_blocked()
            nursery.start_soon(at.do, "challenge", SpareUse.CHALLENGE)
            await trio.sleep(1)
            with at.spare.round():
                await trio.sleep(10)
            await trio.sleep(10)
    assert at.began == [("gold", 0), ("challenge", 30), ("gold", 40)]
    assert at.ended == ["challenge", "gold"]


async def test_what_gets_no_time_is_given_up(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    at = Work()
    with at.spare.round():
        await at.do("gold", SpareUse.GOLD)
    assert at.began == [] and trio.current_time() == pytest.approx(SPARE_S_MAX)
    await at.do("gold", SpareUse.GOLD)
    assert at.ended == ["gold"]


async def test_no_more_waits_than_the_queue_has_room_for(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    at = Work()
    with at.spare.round():
        async with trio.open_nursery() as nursery:
            for number in range(WAITING_MAX):
                nursery.start_soon(at.do, str(number), SpareUse.GOLD)
            await wait_all_tasks_blocked()
            before_s = trio.current_time()
            await at.do("one too many", SpareUse.CHALLENGE)
            assert trio.current_time() == before_s and at.ended == []
            nursery.cancel_scope.cancel()
    await at.do("after", SpareUse.GOLD)
    assert at.ended == ["after"]


class SlowTester:
    """Takes ten seconds, and writes down what it was asked and whether it was let finish."""

    tool_versions = "rustc 1.95.0 g1 x1"

    def __init__(self) -> None:
        self.asked = 0
        self.done = 0

    async def test(self, assignment: Assignment) -> Sequence[Findings]:
        self.asked += 1
        await trio.sleep(10)
        self.done += 1
        return [found(index) for index in assignment.assigned]


async def test_programs_are_seen_all_at_once_or_not_at_all(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    """A program that a round has slowed down would count as one that does not end."""
    tester = SlowTester()
    node_tester = NodeTester(tester)
    program_tester = NodeProgramTester(node_tester, SpareUse.GOLD)
    test = ProgramTest("Write f.", "", bytes(SEED_BYTES))
    async with trio.open_nursery() as nursery:
        seen: list[object] = []

        async def run_test() -> None:
            seen.extend(await program_tester.test(test, ["fn f() {}", "fn g() {}"]))

        nursery.start_soon(run_test)
        await trio.sleep(9)
        with node_tester.spare_time.round():
            await trio.sleep(60)
    assert (tester.asked, tester.done) == (2, 1) and len(seen) == 2 and NO_FINDINGS not in seen
    with node_tester.spare_time.round():
        assert await program_tester.test(test, ["fn f() {}"]) == [NO_FINDINGS]
    assert tester.asked == 2
