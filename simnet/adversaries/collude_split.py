"""Collusion with split roles: a third of the ring gives the wrong answer, the others their own; all vote for it."""

from simnet.adversaries.behaviour import Behaviour, Ring
from simnet.adversaries.collude_same_answer import favour
from simnet.oracle import Candidate, SimQuestion


class ColludeSplit(Behaviour):
    """Most of the ring earns trust by its answers, and the wrong answer does not look like a bloc."""

    KIND = "collude-split"

    def __init__(self, node: int, ring: Ring) -> None:
        super().__init__(node, ring)
        self._speaks = ring.members.index(node) % 3 == 0

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return the ring's answer if the node is one of its speakers."""
        return self.ring.oracle.wrong(question, "ring") if self._speaks else own

    def prefer(self, question: SimQuestion, first: Candidate, second: Candidate, own: int) -> int:
        """Prefer the ring's cluster."""
        return favour(self.ring.oracle.wrong(question, "ring"), first, second, own)
