"""Port of program testers: whether programs compile, pass tests, and how they behave."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from protocol.types import CompileStatus

SEED_BYTES: Final = 32
"""Bytes of the seed from which inputs are drawn."""


class Visibility(StrEnum):
    """Difficulty of judging a wrong program: how rarely it behaves otherwise than the right one."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class ProgramTest:
    """A test that several programs are put to: of the tests that come with a question, and of their behaviour."""

    prompt: str
    """Names the function whose behaviour counts."""
    tests: str
    """Tests in Rust, below 32 KiB; empty: none."""
    seed: bytes
    """`SEED_BYTES` bytes: inputs are drawn from it."""
    behaviour: bool = True
    """Whether to run the programs on inputs: some .1 s for each."""


@dataclass(frozen=True, slots=True)
class ProgramFindings:
    """Findings about one program."""

    status: CompileStatus
    warnings: int
    """Warnings of the compiler and of clippy, of all classes."""
    passed: int
    failed: int
    not_run: int
    """Tests without information: out of time or memory, or the sandbox failed."""
    outcomes: tuple[bytes, ...]
    """A digest for each input, the same for all programs of one test; empty bytes: no information."""

    @property
    def is_right(self) -> bool:
        """Whether it passed all tests, of which there are some."""
        return self.status is CompileStatus.COMPILES and self.passed > 0 and not self.failed and not self.not_run

    @property
    def is_wrong(self) -> bool:
        """Whether it does not compile, or fails a test."""
        return self.status is CompileStatus.FAILS or self.failed > 0


class ProgramTester(Protocol):
    """Compiles and runs programs in this machine's sandbox."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a toolchain and a safe sandbox now."""
        ...

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        """Return the findings about at most `PROGRAMS_MAX` programs, in order. Never raises for what they contain.

        The programs are answers of strangers or parts of them. Cancelling stops it and leaves nothing behind.
        """
        ...
