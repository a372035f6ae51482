"""First slot: answers with its model, and always prefers the answer shown first."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


class FirstSlot(Behaviour):
    """A judge that has nothing but position bias."""

    KIND = "first-slot"

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Prefer the first."""
        return ONE
