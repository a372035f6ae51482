"""Lets the node's tester of answers inspect programs for gold."""

from collections.abc import Sequence
from typing import Final

import structlog

from node.findings.ports import AnswerTester, Assignment, Candidate
from node.gold.ports import Inspection, Observed
from protocol.conversation import single
from protocol.limits import MEMBERS_MAX, OUTCOME_BYTES
from protocol.messages import Findings
from protocol.types import ONE, CompileStatus, FindingKind

PROGRAMS_MAX: Final = MEMBERS_MAX
"""Programs of one inspection: as many as a slate has answers."""

UNSEEN: Final = Observed(CompileStatus.UNKNOWN, 0, 0, 0, 0, ())
"""What is seen of a program that could not be tested: nothing."""

_NO_INFORMATION: Final = bytes(OUTCOME_BYTES)

log = structlog.get_logger()


class SandboxVerifier:
    """A `Verifier` that asks an `AnswerTester`, as a round's testing phase does."""

    def __init__(self, tester: AnswerTester) -> None:
        self._tester = tester

    @property
    def is_ready(self) -> bool:
        """Whether the tester can test now."""
        return bool(self._tester.tool_versions)

    async def inspect(self, inspection: Inspection, programs: Sequence[str]) -> Sequence[Observed]:
        """Return what is seen of the programs, in order; nothing of each if a fault of ours ended the tests.

        See `Verifier`.
        """
        assert len(programs) <= PROGRAMS_MAX, "more programs than a slate has answers"
        kinds = FindingKind.COMPILES | FindingKind.LINT
        if inspection.tests:
            kinds |= FindingKind.TESTS
        if inspection.behaviour:
            kinds |= FindingKind.BEHAVIOUR
        assignment = Assignment(
            turns=single(inspection.prompt),
            slate=tuple(Candidate(text, ONE) for text in programs),
            assigned=tuple(range(len(programs))),
            kinds=kinds,
            tests=inspection.tests,
            seed=inspection.seed,
        )
        try:
            findings = await self._tester.test(assignment)
        except Exception:
            # Others write the programs: what they bring out in the tester must not end the node.
            log.exception("testing.failed")
            return [UNSEEN] * len(programs)
        return [_observed(each) for each in findings]


def _observed(findings: Findings) -> Observed:
    passed, failed, not_run = findings.tests
    cut = [findings.outcomes[at : at + OUTCOME_BYTES] for at in range(0, len(findings.outcomes), OUTCOME_BYTES)]
    return Observed(
        status=findings.status,
        warnings=sum(findings.lints),
        passed=passed,
        failed=failed,
        not_run=not_run,
        outcomes=tuple(b"" if each == _NO_INFORMATION else each for each in cut),
    )
