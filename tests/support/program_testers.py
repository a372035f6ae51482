"""A tester in memory, for tests of what is built on one: it says of each program what a table says."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from node.gold.ports import ProgramFindings, ProgramTest
from protocol.types import CompileStatus

OUTCOMES = tuple(bytes([each, 1, 1]) for each in range(8))
"""What a right program shows on eight inputs."""


def seen(
    passed: int = 3,
    failed: int = 0,
    not_run: int = 0,
    *,
    status: CompileStatus = CompileStatus.COMPILES,
    warnings: int = 0,
    differs: int = 0,
    unknown: int = 0,
) -> ProgramFindings:
    """What was seen of a program: by default all tests pass, and all outcomes are the right program's.

    `differs`: number of inputs, from the first, with another outcome. `unknown`: those from the last without any.
    """
    outcomes = [b"\xff\xff\xff" if place < differs else each for place, each in enumerate(OUTCOMES)]
    outcomes[len(outcomes) - unknown :] = [b""] * unknown
    return ProgramFindings(status, warnings, passed, failed, not_run, tuple(outcomes))


def telling(observed: ProgramFindings) -> ProgramFindings:
    """The same on twice as many inputs, so that the behaviour tells programs apart (`is_informative`)."""
    further = tuple(bytes([*each[:2], 2]) if observed.outcomes[-1] else b"" for each in OUTCOMES)
    return replace(observed, outcomes=observed.outcomes + further)


RIGHT = seen()
WRONG = seen(1, 2, differs=2)
BROKEN = seen(0, 3, status=CompileStatus.FAILS, unknown=8)
ENDLESS = seen(2, 0, 1, unknown=8)
UNTESTED = seen(0, 0, 3, status=CompileStatus.UNKNOWN, unknown=8)


class TableProgramTester:
    """Says what `tells` says of each program, and remembers what it was asked."""

    def __init__(self, tells: Callable[[str], ProgramFindings], *, is_ready: bool = True) -> None:
        self._tells = tells
        self.is_ready = is_ready
        self.asked: list[tuple[ProgramTest, tuple[str, ...]]] = []

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        self.asked.append((test, tuple(programs)))
        return [self._tells(program) for program in programs]
