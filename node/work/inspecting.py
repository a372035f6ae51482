"""This node's tests of answers: findings as bounded, cancellable background tasks (rule R17)."""

import structlog
import trio

from consensus.rounds.effects import Inspect
from consensus.rounds.events import Inspected, Unable
from node.clock import Clock
from node.findings.ports import AnswerTester, Assignment, Candidate
from node.rounds.inbound import InboundRouter, WorkDone
from protocol.types import DeclinedPhase, DeclineReason, Digest

NO_TESTER = "this node has no sandbox or no toolchain"

log = structlog.get_logger()


class Inspector:
    """Performs Inspect. A round has one stage of testing at a time, so each has at most one job."""

    def __init__(self, tester: AnswerTester | None, inbound: InboundRouter, clock: Clock) -> None:
        """Create an inspector. `tester`: None where the node cannot test; it then offers no tool versions."""
        self._tester = tester
        self._inbound = inbound
        self._clock = clock
        self._jobs: dict[Digest, trio.CancelScope] = {}

    @property
    def tool_versions(self) -> str:
        """Versions that the offer states; empty: cannot test."""
        return "" if self._tester is None else self._tester.tool_versions

    async def inspect(self, work: Inspect) -> None:
        """Test the answers of a stage, if it can be done in time."""
        if self._tester is None:
            await self._decline(work, DeclineReason.ENGINE, NO_TESTER)
            return
        self.cancel(work.query)
        assignment = Assignment(
            turns=work.turns,
            slate=tuple(Candidate(each.text, each.vote_weight) for each in work.slate),
            assigned=work.assigned,
            kinds=work.kinds,
            tests=work.tests,
            seed=work.seed,
        )
        with trio.CancelScope(deadline=self._clock.trio_deadline(work.deadline_ms)) as scope:
            self._jobs[work.query] = scope
            findings = await self._tester.test(assignment)
            await self._inbound.deliver(WorkDone(work.query, Inspected(work.stage, tuple(findings))))
        if self._jobs.get(work.query) is scope:
            del self._jobs[work.query]

    def cancel(self, query: Digest) -> None:
        """Stop the tests for a round that is over or has moved on."""
        if (scope := self._jobs.pop(query, None)) is not None:
            scope.cancel()

    async def _decline(self, work: Inspect, reason: DeclineReason, why: str) -> None:
        log.info("round.declined", query_id=work.query.hex()[:16], reason=str(reason), words=why)
        await self._inbound.deliver(WorkDone(work.query, Unable(DeclinedPhase.TESTING, work.stage, reason)))
