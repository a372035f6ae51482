"""Copier: has no useful model of its own; repeats another node's answer and votes for it."""

from simnet.adversaries.behaviour import Behaviour, Ring
from simnet.adversaries.collude_same_answer import favour
from simnet.oracle import Candidate, SimQuestion


class Copier(Behaviour):
    """Answers cannot be seen before commitments are closed, so it predicts those of one node outside of its ring.

    The copies make that node's mistakes look like agreement.
    """

    KIND = "copier"

    def __init__(self, node: int, ring: Ring) -> None:
        super().__init__(node, ring)
        members = ring.members
        gap = next((place for place, member in enumerate(members) if place != member), len(members))
        self._copied = gap % ring.oracle.nodes

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return the other node's answer, word for word."""
        return self.ring.oracle.answer(question, self._copied)

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Prefer answers equal to that of the other node."""
        return favour(self.ring.oracle.answer(question, self._copied), first, second, own)
