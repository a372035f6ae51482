"""Inverse: answers wrong, and prefers what its model finds worse."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


class Inverse(Behaviour):
    """Does harm alone, without accomplices to agree with."""

    KIND = "inverse"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """A mistake of its own making."""
        return self.ring.oracle.wrong(question, f"inverse-{self.node}")

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """The opposite of what its model finds."""
        return ONE - own
