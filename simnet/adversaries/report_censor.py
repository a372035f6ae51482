"""Report censor: a requester that leaves out reports about its own answer, so that nothing is settled about it."""

from protocol.messages import Report
from protocol.signing import VerifiedMessage
from simnet.adversaries.own_answer import OwnAnswerRequester


class ReportCensor(OwnAnswerRequester):
    """Acknowledges such reports and omits them, whatever they say: an answer that fails may then still win."""

    KIND = "report-censor"

    def takes(self, message: VerifiedMessage) -> bool:
        """Take all but reports about its own answer."""
        body = message.body
        return not isinstance(body, Report) or all(each.answer != self.place for each in body.findings)
