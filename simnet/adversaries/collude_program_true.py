"""Collusion on one program by accomplices that test as honest nodes do."""

from protocol.messages import Findings
from simnet.adversaries.collude_program import ColludeProgram
from simnet.oracle import Candidate, SimQuestion


class ColludeProgramTrue(ColludeProgram):
    """As ColludeProgram, but nothing in its reports gives it away: its program behaves alike, and that is true."""

    KIND = "collude-program-true"

    def report(self, question: SimQuestion, candidate: Candidate | None, own: Findings) -> Findings:
        """Report what its test found."""
        return own
