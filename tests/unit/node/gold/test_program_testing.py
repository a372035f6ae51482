"""What gold asks of the node's tester, and what it reads in findings."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from node.findings.ports import Assignment
from node.gold.ports import ProgramTest
from node.gold.program_testing import NO_FINDINGS, PROGRAMS_MAX, SandboxProgramTester
from protocol.conversation import single
from protocol.limits import OUTCOME_BYTES
from protocol.messages import Findings
from protocol.types import ONE, CompileStatus, FindingKind

SEED = bytes(range(32))
FOUND = Findings(
    answer=0,
    source=b"s" * 16,
    status=CompileStatus.COMPILES,
    error=0,
    lints=bytes([1, 0, 2, 0, 0, 0]),
    unsafe=0,
    panics=0,
    tests=(3, 1, 2),
    examples=(0, 0, 0),
    outcomes=b"abc" + bytes(OUTCOME_BYTES) + b"abd",
)


class RecordingTester:
    """Finds the same about each answer, and remembers what was assigned."""

    tool_versions = "rustc 1.95.0 g1 x1"

    def __init__(self) -> None:
        self.assigned: list[Assignment] = []

    async def test(self, assignment: Assignment) -> Sequence[Findings]:
        self.assigned.append(assignment)
        return [replace(FOUND, answer=position) for position in assignment.assigned]


async def test_findings_are_read() -> None:
    (seen,) = await SandboxProgramTester(RecordingTester()).test(ProgramTest("Write f.", "tests", SEED), ["a"])
    assert (seen.status, seen.warnings) == (CompileStatus.COMPILES, 3)
    assert (seen.passed, seen.failed, seen.not_run) == (3, 1, 2)
    assert seen.outcomes == (b"abc", b"", b"abd")
    assert seen.is_wrong and not seen.is_right


@pytest.mark.parametrize(
    ("tests", "behaviour", "more"),
    [
        ("", True, FindingKind.BEHAVIOUR),
        ("t", False, FindingKind.TESTS),
        ("t", True, FindingKind.TESTS | FindingKind.BEHAVIOUR),
    ],
)
async def test_only_what_is_wanted_is_done(tests: str, behaviour: bool, more: FindingKind) -> None:
    tester = RecordingTester()
    await SandboxProgramTester(tester).test(ProgramTest("Write f.", tests, SEED, behaviour), ["a", "b"])
    (assignment,) = tester.assigned
    assert assignment.kinds == FindingKind.COMPILES | FindingKind.LINT | more
    assert (assignment.turns, assignment.tests, assignment.seed) == (single("Write f."), tests, SEED)
    assert assignment.assigned == (0, 1)
    assert [(each.text, each.vote_weight) for each in assignment.slate] == [("a", ONE), ("b", ONE)]


async def test_programs_are_at_most_a_slate() -> None:
    with pytest.raises(AssertionError, match="more programs"):
        await SandboxProgramTester(RecordingTester()).test(ProgramTest("f", "", SEED), ["a"] * (PROGRAMS_MAX + 1))


def test_it_is_ready_while_the_tester_is() -> None:
    tester = RecordingTester()
    assert SandboxProgramTester(tester).is_ready
    tester.tool_versions = ""
    assert not SandboxProgramTester(tester).is_ready


class FaultyTester:
    """Fails as a reader does that a program drives into its limits."""

    tool_versions = "rustc 1.95.0 g1 x1"

    async def test(self, _: Assignment) -> Sequence[Findings]:
        raise RecursionError("maximum recursion depth exceeded")


async def test_nothing_is_seen_where_a_fault_of_ours_ends_the_tests() -> None:
    with capture_logs() as lines:
        seen = await SandboxProgramTester(FaultyTester()).test(ProgramTest("Write f.", "tests", SEED), ["a", "b"])
    assert seen == [NO_FINDINGS, NO_FINDINGS]
    assert [line["event"] for line in lines] == ["testing.failed"]
