"""Collusion on one answer: all accomplices give the same wrong answer and vote for it."""

from protocol.types import ONE
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion


def favour(target: Candidate, first: Candidate, second: Candidate, own: int) -> int:
    """Full preference for what says the same as the target; on other pairs `own`, so as to look honest."""
    if (first.option == target.option) == (second.option == target.option):
        return own
    return ONE if first.option == target.option else 0


class ColludeSameAnswer(Behaviour):
    """The strongest of the simple attacks: it moves both the votes and the judgements."""

    KIND = "collude-same-answer"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """The ring's."""
        return self.ring.oracle.wrong(question, "ring")

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """The ring's cluster."""
        return favour(self.ring.oracle.wrong(question, "ring"), first, second, own)
