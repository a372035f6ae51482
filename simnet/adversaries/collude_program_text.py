"""Collusion on one program in one text."""

from simnet.adversaries.collude_program import ColludeProgram
from simnet.oracle import Candidate, SimQuestion


class ColludeProgramText(ColludeProgram):
    """As ColludeProgram, but the ring's texts are equal: they have the votes of one cluster without any test."""

    KIND = "collude-program-text"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return the ring's program."""
        return self.ring.oracle.wrong(question, "ring")
