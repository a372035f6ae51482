"""Scores a program by tests that we trust: tasks of the corpus, and those of measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from node.findings.assembly import assemble
from node.findings.checks.asker_tests import AskerTests
from node.findings.compiling import EDITION
from node.findings.running import Order, Work
from node.findings.rust_sandbox import RustSandbox
from node.findings.verdicts import Counts, all_failed, count_once, none_run
from protocol.types import CompileStatus

_SEED: Final = bytes(32)
"""No input is drawn."""


class Grade(Enum):
    """Whether a program is right."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """No information: a time limit, a crash of the compiler, a sandbox that did not start."""


@dataclass(frozen=True, slots=True)
class Score:
    """What tests say about a program."""

    counts: Counts
    """Passed, failed, not run."""

    @property
    def grade(self) -> Grade:
        """Right if all tests pass, wrong if one fails."""
        passed, failed, missing = self.counts
        if failed:
            return Grade.WRONG
        return Grade.RIGHT if passed and not missing else Grade.UNKNOWN


async def score(
    rust: RustSandbox,
    source: str,
    tests: AskerTests,
    *,
    edition: str = EDITION,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> Score:
    """Run tests on a program: one build and one run, without a check beforehand.

    A program that does not compile, or not with the tests, fails all of them; so does a test that takes too long.
    `files`: what the tests read, by name.
    """
    assembled = assemble(source, tests=tests)
    built = await rust.build(assembled, edition=edition)
    count = assembled.test_count
    if built.library is None:
        return Score(all_failed(count) if built.status is CompileStatus.FAILS else none_run(count))
    ran = await rust.run(built.library, [Order(Work.TRUSTED_TESTS, count)], seed=_SEED, files=files)
    return Score(count_once(ran[Work.TRUSTED_TESTS]))
