"""This node's tests of answers: findings as bounded, cancellable background tasks (rule R17)."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from consensus.rounds.effects import RunTests
from consensus.rounds.events import AnswersTested, Unable
from node.clock import Clock
from node.findings.ports import Assignment, Candidate
from node.inference.metered import Account
from node.rounds.inbound import InboundRouter, WorkDone
from node.sandbox.ports import Urgency
from node.signals import Signal
from node.work.capacity import reserve_s
from node.work.node_tester import NodeTester, NodeTesterState
from node.work.serving import Serving
from protocol.types import DeclinedPhase, DeclineReason, Digest

JOBS_MAX: Final = 2
"""Stages of others' rounds that are tested at a time; further ones wait for their turn. One fills the sandbox's places
nearly by itself, a second one those that stay free while the last program of the first one runs."""

STRANGERS_MAX: Final = JOBS_MAX - 1
"""Those of strangers among them: for somebody whom the owner knows, one turn is free or ends as soon as theirs do."""

STILL_OPENING: Final = "this node still looks for a sandbox and a compiler"
NO_TURN: Final = "tests for other rounds took all of the time"
FAULT: Final = "a fault of ours ended the tests: please report the line `testing.failed` before this one"

log = structlog.get_logger()


@dataclass(slots=True)
class _Job:
    """A stage that is tested, or waits for its turn."""

    stage: int
    scope: trio.CancelScope


class RoundTester:
    """Performs RunTests. A round has one stage of testing at a time, so each has at most one job.

    Tests are paid for as the engine's work is: their time counts for a stranger's share.
    """

    def __init__(
        self, node_tester: NodeTester, inbound: InboundRouter, clock: Clock, serving: Serving | None = None
    ) -> None:
        """Create a round tester. `serving`: charges tests to their requester; None: nobody pays."""
        self.node_tester = node_tester
        self._inbound = inbound
        self._clock = clock
        self._serving = serving
        self._jobs: dict[Digest, _Job] = {}
        """Jobs by query, at most one for each open round."""
        self._at_work: Counter[Urgency] = Counter()
        """Stages that have their turn."""
        self._freed = Signal()

    @property
    def tool_versions(self) -> str:
        """Versions that the offer states; empty: cannot test."""
        return self.node_tester.tool_versions

    async def test(self, work: RunTests) -> None:
        """Test the answers of a stage within its time, less a reserve for sending the report.

        A tester that runs out of time states what it found by then; what it did not test is "unknown". A fault of
        ours that an answer or a query brings out ends these tests, never the node.
        """
        tester = self.node_tester.tester
        if tester is None:
            why = STILL_OPENING if self.node_tester.state is NodeTesterState.OPENING else self.node_tester.why_off
            await self._decline(work.query, work.stage, DeclineReason.ENGINE, why)
            return
        urgency = Urgency.KNOWN if self._serving is None else self._serving.urgency(work.query)
        with self.node_tester.spare_time.round(), self._job(work) as job:
            budget_s = self._clock.trio_deadline(work.deadline_ms) - trio.current_time()
            with trio.move_on_after(max(budget_s - reserve_s(budget_s), 0.0)):
                async with self._turn(work.query, urgency):
                    try:
                        findings = await tester.test(_assignment(work, urgency))
                    except Exception:
                        log.exception("testing.failed", query_id=work.query.hex()[:16])
                        await self._decline(work.query, work.stage, DeclineReason.ENGINE, FAULT)
                        return
                    await self._inbound.deliver(WorkDone(work.query, AnswersTested(work.stage, tuple(findings))))
                    return
            if not job.scope.cancel_called:
                await self._decline(work.query, work.stage, DeclineReason.CAPACITY, NO_TURN)

    def cancel(self, query: Digest) -> None:
        """Stop the tests for a round that is over or has moved on."""
        if (job := self._jobs.pop(query, None)) is not None:
            job.scope.cancel()

    async def stop(self, why: str) -> int:
        """Decline what is in hand, and whatever rounds still ask for; return how many jobs were in hand."""
        self.node_tester.close(why)
        jobs = {query: job.stage for query, job in self._jobs.items()}
        for query, stage in jobs.items():
            self.cancel(query)
            await self._decline(query, stage, DeclineReason.ENGINE, why)
        return len(jobs)

    @contextmanager
    def _job(self, work: RunTests) -> Iterator[_Job]:
        """Work for a round until its stage is over or it is cancelled."""
        self.cancel(work.query)
        job = _Job(work.stage, trio.CancelScope(deadline=self._clock.trio_deadline(work.deadline_ms)))
        self._jobs[work.query] = job
        try:
            with job.scope:
                yield job
        finally:
            if self._jobs.get(work.query) is job:
                del self._jobs[work.query]

    @asynccontextmanager
    async def _turn(self, query: Digest, urgency: Urgency) -> AsyncIterator[None]:
        """Wait for a turn, and hold it at the expense of the query's requester.

        A stranger's share is looked at when a turn is free: in a queue it would stand before requesters that came
        later and go first.
        """
        if self._serving is None:
            await self._freed.wait_until(lambda: self._has_turn(urgency))
            with self._held(urgency):
                yield
            return
        with self._serving.account(query) as account:
            while True:
                await self._freed.wait_until(lambda: self._has_turn(urgency))
                async with account.slot(JOBS_MAX):
                    if not self._has_turn(urgency):
                        continue
                    with self._held(urgency):
                        async with _charged(account):
                            yield
                    return

    def _has_turn(self, urgency: Urgency) -> bool:
        """Whether a stage may begin. Our own rounds wait for nobody; the owner asks few at a time."""
        strangers = self._at_work[Urgency.STRANGER]
        if urgency is Urgency.STRANGER and strangers >= STRANGERS_MAX:
            return False
        return urgency is Urgency.OWN or self._at_work[Urgency.KNOWN] + strangers < JOBS_MAX

    @contextmanager
    def _held(self, urgency: Urgency) -> Iterator[None]:
        self._at_work[urgency] += 1
        try:
            yield
        finally:
            self._at_work[urgency] -= 1
            self._freed.fire()

    async def _decline(self, query: Digest, stage: int, reason: DeclineReason, why: str) -> None:
        """Decline, so that nobody waits for our report; `why` stays here, for the owner."""
        log.info("round.declined", query_id=query.hex()[:16], reason=str(reason), words=why)
        await self._inbound.deliver(WorkDone(query, Unable(DeclinedPhase.TESTING, stage, reason)))


@asynccontextmanager
async def _charged(account: Account) -> AsyncIterator[None]:
    """Charge the block's time, of which each of JOBS_MAX jobs takes its part of the machine."""
    began_s = trio.current_time()
    try:
        yield
    finally:
        account.charge(0, round(1000 * (trio.current_time() - began_s) / JOBS_MAX))


def _assignment(work: RunTests, urgency: Urgency) -> Assignment:
    return Assignment(
        turns=work.turns,
        slate=tuple(Candidate(each.text, each.vote_weight) for each in work.slate),
        assigned=work.assigned,
        kinds=work.kinds,
        tests=work.tests,
        seed=work.seed,
        urgency=urgency,
    )
