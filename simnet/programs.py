"""Simulated programs under test, and the findings of honest testers about them.

A program is its option: programs of one option behave alike on every input, those of two differ on a share of inputs
that is drawn for each option. Findings depend on the round's seed as a real tester's do, so that honest testers agree
bit for bit, save where a test brings no information.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Final

from protocol.limits import LINT_CLASSES, OUTCOME_BYTES, OUTCOMES_MAX, SOURCE_BYTES
from protocol.messages import Findings
from protocol.types import CompileStatus, FindingKind
from simnet.chance import chance

RIGHT: Final = 0
"""The option of right programs, or of most of them."""

NOTHING_CHECKED: Final = (0, 0, 0)
"""Checks that passed, failed and were not run."""

TESTS: Final = 4
"""Tests that an asker gives, if it gives any."""

UNNOTICED: Final = 0.2
"""Share of wrong options that pass all of an asker's tests: an assumption."""

ERROR: Final = 308
"""The compiler's most frequent error, mismatched types."""

DIFFERENCE_MIN: Final = 0.1
DIFFERENCE_MAX: Final = 0.9
"""Share of inputs on which an option that is not the right one differs from it: some mistakes show at the bounds only,
others everywhere."""

BEHAVIOURS_KEPT: Final = 256
"""Behaviours whose outcomes are cached: more than there are in a few rounds at one time, 144 bytes each."""

WARNED: Final = 0.3
"""Share of programs with a warning, right or not."""


@dataclass(frozen=True, slots=True)
class Program:
    """The truth about an answer's program."""

    option: int
    """Programs of one option behave alike."""
    compiles: bool
    source: str
    """Its text, without the prose around it."""
    is_right: bool
    """Whether it compiles and does what was asked."""


def source_of(option: int, writer: str, *, compiles: bool) -> str:
    """Return a text of Rust tokens: equal for equal arguments, of another canonical form for all others."""
    return f"fn f{option}() {{ {'' if compiles else 'let '}{writer.replace(' ', '_').replace('-', '_')}(); }}"


@dataclass(frozen=True, slots=True)
class HonestTesters:
    """Honest testers of one round, with all that decides about their findings."""

    seed: int
    """The world's seed."""
    question: int
    testable: bool
    """Whether the question's programs can be run."""
    flake: float
    """Chance that a test brings no information."""
    kinds: FindingKind
    key: bytes
    """The round's seed, equal for all testers."""

    def findings(self, tester: int, answer: int, program: Program | None) -> Findings:
        """Return what the tester finds out about an answer; None: no program was found in its text."""
        source = b"" if program is None else _digest(program.source.encode(), SOURCE_BYTES)
        flakes = program is None or self._chance("flake", tester, program.source).random() < self.flake
        if program is None or flakes or not self.kinds & FindingKind.COMPILES:
            return _stated(answer, source, CompileStatus.UNKNOWN)
        if not program.compiles:
            return _stated(answer, source, CompileStatus.FAILS)
        lints = outcomes = b""
        tests = self._tests(program) if self.kinds & FindingKind.TESTS else NOTHING_CHECKED
        if self.kinds & FindingKind.LINT:
            lints = self._lints(program)
        if self.kinds & FindingKind.BEHAVIOUR and self.testable:
            outcomes = self.outcomes(program.option)
        return replace(_stated(answer, source, CompileStatus.COMPILES, lints, outcomes), tests=tests)

    def outcomes(self, option: int) -> bytes:
        """Return the digests of a behaviour's outcomes, OUTCOMES_MAX of OUTCOME_BYTES each."""
        return _outcomes(self.seed, self.question, option, self.key)

    def _tests(self, program: Program) -> tuple[int, int, int]:
        """Right programs pass all tests, and so do some wrong ones, by option: an asker's tests are few."""
        random = self._chance("tests", program.option)
        failed = 0 if program.is_right or random.random() < UNNOTICED else random.randint(1, TESTS)
        return TESTS - failed, failed, 0

    def _lints(self, program: Program) -> bytes:
        random = self._chance("lints", program.source)
        counts = bytearray(LINT_CLASSES)
        if random.random() < WARNED:
            counts[random.randrange(LINT_CLASSES)] = 1
        return bytes(counts)

    def _chance(self, purpose: str, *about: int | str) -> Random:
        return chance(self.seed, purpose, self.question, *about)


@lru_cache(BEHAVIOURS_KEPT)
def _outcomes(seed: int, question: int, option: int, key: bytes) -> bytes:
    outcomes = _stream(question, RIGHT, key)
    if option == RIGHT:
        return outcomes
    own, random = _stream(question, option, key), chance(seed, "difference", question, option)
    share = random.uniform(DIFFERENCE_MIN, DIFFERENCE_MAX)
    differs = [random.random() < share for _ in range(OUTCOMES_MAX)]
    differs[random.randrange(OUTCOMES_MAX)] = True
    starts = range(0, len(own), OUTCOME_BYTES)
    chosen = (own if there else outcomes for there in differs)
    return b"".join(each[start : start + OUTCOME_BYTES] for each, start in zip(chosen, starts, strict=True))


def _stream(question: int, option: int, key: bytes) -> bytes:
    """Return outcomes of an option's own. No byte is zero, because a digest of zeros would be no information."""
    drawn = Random(blake2b(b"%d/%d" % (question, option), key=key).digest())
    return drawn.randbytes(OUTCOMES_MAX * OUTCOME_BYTES).replace(b"\0", b"\1")


def _stated(answer: int, source: bytes, status: CompileStatus, lints: bytes = b"", outcomes: bytes = b"") -> Findings:
    return Findings(
        answer=answer,
        source=source,
        status=status,
        error=ERROR if status is CompileStatus.FAILS else 0,
        lints=lints,
        unsafe=0,
        panics=0,
        tests=NOTHING_CHECKED,
        examples=NOTHING_CHECKED,
        outcomes=outcomes,
    )


def _digest(data: bytes, size: int) -> bytes:
    return blake2b(data, digest_size=size).digest()
