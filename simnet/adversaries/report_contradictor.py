"""Report contradictor: reports outcomes that it made up, so that nothing about an answer is settled."""

from dataclasses import replace

from protocol.limits import OUTCOME_BYTES, OUTCOMES_MAX
from protocol.messages import Findings
from protocol.types import CompileStatus
from simnet.adversaries.behaviour import Behaviour
from simnet.chance import chance
from simnet.oracle import Candidate, SimQuestion


class ReportContradictor(Behaviour):
    """Answers and judges with its model. Each of its reports contradicts everybody, also its accomplices."""

    KIND = "report-contradictor"

    def report(self, question: SimQuestion, candidate: Candidate | None, own: Findings) -> Findings:
        """Say that the answer compiles, and make outcomes up."""
        random = chance(self.ring.oracle.seed, "made up", self.node, question.number, own.answer)
        outcomes = random.randbytes(OUTCOMES_MAX * OUTCOME_BYTES)
        return replace(own, status=CompileStatus.COMPILES, error=0, outcomes=outcomes)
