"""Collusion on one answer: all accomplices give the same wrong answer and vote for it."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


def favour(target: Candidate, first: Candidate, second: Candidate, own: int) -> int:
    """Return full preference for answers equal to the target, and `own` on other pairs, so as to look honest."""
    if (first.option == target.option) == (second.option == target.option):
        return own
    return ONE if first.option == target.option else 0


class ColludeSameAnswer(Behaviour):
    """The strongest of the simple attacks: it affects both the votes and the judgements."""

    KIND = "collude-same-answer"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return the ring's answer."""
        return self.ring.oracle.wrong(question, "ring")

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Prefer the ring's cluster."""
        return favour(self.ring.oracle.wrong(question, "ring"), first, second, own)
