"""Sleeper: honest until it has earned weight, then it colludes."""

from simnet.adversaries.collude_same_answer import ColludeSameAnswer
from simnet.oracle import Candidate, SimQuestion

SLEEPS_QUESTIONS = 10
"""Questions for which it is honest: the swarm's first by number, so that all sleepers wake together."""


class Sleeper(ColludeSameAnswer):
    """Past behaviour alone does not reveal it."""

    KIND = "sleeper"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return its model's answer at first, then the ring's."""
        return own if question.number < SLEEPS_QUESTIONS else super().answer(question, own)

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Return its model's preference at first, then prefer the ring's cluster."""
        return own if question.number < SLEEPS_QUESTIONS else super().prefer(question, first, second, own)
