"""Inverse: answers wrong, and prefers the answer that its model finds worse."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


class Inverse(Behaviour):
    """Does harm alone, without accomplices to agree with."""

    KIND = "inverse"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return a wrong answer of its own."""
        return self.ring.oracle.wrong(question, f"inverse-{self.node}")

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Return the opposite of its model's preference."""
        return ONE - own
