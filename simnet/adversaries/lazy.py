"""Lazy: answers with its model, but does not read the answers that it judges."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.chance import chance
from simnet.oracle import Candidate, SimQuestion


class Lazy(Behaviour):
    """Tosses a coin for every pair, because judging is work that nobody sees."""

    KIND = "lazy"

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Toss a coin."""
        purpose = ("lazy", self.node, question.number, first.text, second.text)
        return ONE * chance(self.ring.oracle.seed, *purpose).getrandbits(1)
