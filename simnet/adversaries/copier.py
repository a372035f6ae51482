"""Copier: has no model of its own worth the name; repeats another node's answer and votes for it."""

from simnet.adversaries.behaviour import Behaviour, Ring
from simnet.adversaries.collude_same_answer import favour
from simnet.oracle import Candidate, SimQuestion


class Copier(Behaviour):
    """It cannot see answers before commitments are closed, so it gives what one node outside of its ring would say.

    The copies make that node's mistakes look like agreement.
    """

    KIND = "copier"

    def __init__(self, node: int, ring: Ring) -> None:
        super().__init__(node, ring)
        members = ring.members
        gap = next((place for place, member in enumerate(members) if place != member), len(members))
        self._copied = gap % ring.oracle.nodes

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """The other node's, word for word."""
        return self.ring.oracle.answer(question, self._copied)

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """What says the same."""
        return favour(self.ring.oracle.answer(question, self._copied), first, second, own)
