"""Grades the answers of a finished gold round by tests, in this machine's sandbox."""

import secrets
from collections.abc import Sequence
from typing import Final

import trio

from node.gold.evidence import Passed, passed
from node.gold.ports import SEED_BYTES, ProgramFindings, ProgramTest, ProgramTester

BATCH: Final = 4
"""Answers that are tested at once, beside the right program: some 3 s of work on two cores. Answers whose loops do not
end cost up to a minute each, and the tester's time for a batch is limited."""

GRADING_S_MAX: Final = 300.0
"""Seconds for the answers of one round, 64 at most. Beyond that the round is not gold: others wait to be learned from.
"""


class AnswerGrader:
    """Tells right answers from wrong ones by the asker's own tests."""

    def __init__(self, tester: ProgramTester) -> None:
        self._tester = tester

    @property
    def is_ready(self) -> bool:
        """Whether answers can be graded now."""
        return self._tester.is_ready

    async def grade(self, prompt: str, tests: str, right: str, answers: Sequence[str]) -> tuple[bool, ...] | None:
        """Return whether each answer passes the tests; None: this machine cannot tell now.

        A right program is tested beside them. Where it passes, the machine is well, so an answer that gives no
        information twice (it does not end, or fills the memory) is not right. Else authors would be blamed for this
        machine's faults. What passes only by tests that it could have forged is not right (`node.gold.evidence`).
        Cancelling stops the work and leaves nothing behind.

        Args:
            prompt: The question.
            tests: Tests in Rust.
            right: A right program or answer.
            answers: Texts of strangers.
        """
        if not self.is_ready:
            return None
        test = ProgramTest(prompt, tests, secrets.token_bytes(SEED_BYTES))
        graded: list[bool] = []
        with trio.move_on_after(GRADING_S_MAX):
            for start in range(0, len(answers), BATCH):
                batch = answers[start : start + BATCH]
                seen = await self._beside(test, right, batch)
                if seen is None:
                    return None
                known, others = seen
                for text, one in zip(batch, others, strict=True):
                    beside = known
                    if not one.is_right and not one.is_wrong:
                        again = await self._beside(test, right, [text])
                        if again is None:
                            return None
                        beside, (one,) = again
                    graded.append(passed(prompt, text, beside, one) is Passed.YES)
        return tuple(graded) if len(graded) == len(answers) else None

    async def _beside(
        self, test: ProgramTest, right: str, answers: Sequence[str]
    ) -> tuple[ProgramFindings, Sequence[ProgramFindings]] | None:
        """Test a right program and answers beside it; None if the right one does not pass."""
        known, *others = await self._tester.test(test, (right, *answers))
        return (known, others) if known.is_right else None
