"""Tests programs for gold with the tester of answers that rounds have, too."""

from collections.abc import Sequence
from typing import Final

import structlog

from node.findings.ports import AnswerTester, Assignment, Candidate
from node.gold.ports import ProgramFindings, ProgramTest
from protocol.conversation import single
from protocol.limits import MEMBERS_MAX, OUTCOME_BYTES
from protocol.messages import Findings
from protocol.types import ONE, CompileStatus, FindingKind

PROGRAMS_MAX: Final = MEMBERS_MAX
"""Programs of one test: as many as a slate has answers."""

NO_FINDINGS: Final = ProgramFindings(CompileStatus.UNKNOWN, 0, 0, 0, 0, ())
"""Findings about a program that could not be tested: no information."""

_NO_INFORMATION: Final = bytes(OUTCOME_BYTES)

log = structlog.get_logger()


class SandboxProgramTester:
    """A `ProgramTester` that asks an `AnswerTester`, as a round's testing phase does."""

    def __init__(self, tester: AnswerTester) -> None:
        self._tester = tester

    @property
    def is_ready(self) -> bool:
        """Whether the tester can test now."""
        return bool(self._tester.tool_versions)

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        """Return the findings about the programs, in order: `NO_FINDINGS` of each if a fault of ours ended the tests.

        See `ProgramTester`.
        """
        assert len(programs) <= PROGRAMS_MAX, "more programs than a slate has answers"
        kinds = FindingKind.COMPILES | FindingKind.LINT
        if test.tests:
            kinds |= FindingKind.TESTS
        if test.behaviour:
            kinds |= FindingKind.BEHAVIOUR
        assignment = Assignment(
            turns=single(test.prompt),
            slate=tuple(Candidate(text, ONE) for text in programs),
            assigned=tuple(range(len(programs))),
            kinds=kinds,
            tests=test.tests,
            seed=test.seed,
        )
        try:
            findings = await self._tester.test(assignment)
        except Exception:
            # Others write the programs: what they bring out in the tester must not end the node.
            log.exception("testing.failed")
            return [NO_FINDINGS] * len(programs)
        return [_program_findings(each) for each in findings]


def _program_findings(findings: Findings) -> ProgramFindings:
    passed, failed, not_run = findings.tests
    cut = [findings.outcomes[at : at + OUTCOME_BYTES] for at in range(0, len(findings.outcomes), OUTCOME_BYTES)]
    return ProgramFindings(
        status=findings.status,
        warnings=sum(findings.lints),
        passed=passed,
        failed=failed,
        not_run=not_run,
        outcomes=tuple(b"" if each == _NO_INFORMATION else each for each in cut),
    )
