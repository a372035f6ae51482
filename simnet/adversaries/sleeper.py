"""Sleeper: honest until it has earned a name, then it colludes."""

from simnet.adversaries.collude_same_answer import ColludeSameAnswer
from simnet.oracle import Candidate, SimQuestion

SLEEPS_QUESTIONS = 10
"""questions for which it is honest: the swarm's first ones by number, so that all sleepers wake together."""


class Sleeper(ColludeSameAnswer):
    """Reputation alone does not see it coming."""

    KIND = "sleeper"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Its model's at first, then the ring's."""
        return own if question.number < SLEEPS_QUESTIONS else super().answer(question, own)

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Its model's at first, then the ring's cluster."""
        return own if question.number < SLEEPS_QUESTIONS else super().prefer(question, first, second, own)
