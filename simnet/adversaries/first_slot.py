"""First slot: answers with its model, and always prefers what is shown first."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


class FirstSlot(Behaviour):
    """A judge whose position bias is all it has."""

    KIND = "first-slot"

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """The first."""
        return ONE
