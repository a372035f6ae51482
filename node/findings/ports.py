"""Port of testers: their assignments and findings, as rounds and gold know them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from node.sandbox.ports import Urgency
from protocol.messages import Findings, Turn
from protocol.types import FindingKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer of a slate."""

    text: str
    vote_weight: int
    """Its author's vote weight, 2^-16: the target signature is chosen by weight, not by heads."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Answers to test, and everything that every tester of the round reads alike."""

    turns: tuple[Turn, ...]
    slate: tuple[Candidate, ...]
    """All answers of the slate, in its order."""
    assigned: tuple[int, ...]
    """Positions of the answers to test, in the order of the report."""
    kinds: FindingKind
    tests: str
    """The asker's tests; empty: none."""
    seed: bytes
    """32 bytes, the same for all testers of a round: inputs are drawn from it, and outcome digests are keyed by it."""
    urgency: Urgency = Urgency.STRANGER


class AnswerTester(Protocol):
    """Tests answers on this machine."""

    @property
    def tool_versions(self) -> str:
        """Versions of toolchain, generator and extractor, as the offer states them; empty: cannot test now."""
        ...

    async def test(self, assignment: Assignment) -> Sequence[Findings]:
        """Return the findings about the assigned answers, in their order. Never raises for what an answer contains.

        Cancelling stops it and leaves nothing behind.
        """
        ...
