"""Collusion on one program: accomplices give it, each in its own words, vote for it, and lie as testers."""

from protocol.messages import Findings
from simnet.adversaries.collude_same_answer import ColludeSameAnswer
from simnet.adversaries.report_liar import denied
from simnet.oracle import Candidate, SimQuestion


class ColludeProgram(ColludeSameAnswer):
    """Behaviour clusters make the ring's different texts one cluster, as they do with independent right answers."""

    KIND = "collude-program"

    def answer(self, question: SimQuestion, own: Candidate) -> Candidate:
        """Return the ring's program in words of its own."""
        return self.ring.oracle.wrong(question, f"ring.{self.node}")

    def report(self, question: SimQuestion, candidate: Candidate | None, own: Findings) -> Findings:
        """Tell the truth about programs that behave like the ring's, which stand the test, and deny all others."""
        target = self.ring.oracle.wrong(question, "ring")
        return own if candidate is not None and candidate.option == target.option else denied(own)
