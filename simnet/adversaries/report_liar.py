"""Report liar: answers and judges with its model, and says of every other answer that it does not compile."""

from dataclasses import replace

from protocol.messages import Findings
from protocol.types import CompileStatus
from simnet.adversaries.behaviour import Behaviour
from simnet.oracle import Candidate, SimQuestion
from simnet.programs import ERROR


def denied(own: Findings) -> Findings:
    """Return findings that the answer does not compile, the same from every liar."""
    return replace(own, status=CompileStatus.FAILS, error=ERROR, lints=b"", outcomes=b"")


class ReportLiar(Behaviour):
    """Wants all others set aside. Three liars of one answer settle that it fails."""

    KIND = "report-liar"

    def report(self, question: SimQuestion, candidate: Candidate | None, own: Findings) -> Findings:
        """Deny that it compiles."""
        return denied(own)
