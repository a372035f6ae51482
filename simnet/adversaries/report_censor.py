"""Report censor: a requester that leaves out reports about its own answer, so that nothing is settled about it."""

from collections.abc import Sequence

from consensus.rounds.effects import Effect, Journal, Publish
from protocol.messages import Answer, CloseSlate, Report
from protocol.signing import VerifiedMessage
from protocol.types import Digest
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class ReportCensor(Behaviour):
    """Acknowledges such reports and omits them, whatever they say: an answer that fails may then still win."""

    KIND = "report-censor"
    ASKS = True
    answer_id = Digest(b"")
    place: int | None = None
    """Position of its own answer in the slate."""

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Act honestly, but note which answer of the slate is its own."""
        match effect:
            case Journal(message=VerifiedMessage(body=Answer())):
                self.answer_id = effect.message.id
            case Publish(message=VerifiedMessage(body=CloseSlate(answers=answers))):
                self.place = answers.index(self.answer_id) if self.answer_id in answers else None
        return (effect,)

    def takes(self, message: VerifiedMessage) -> bool:
        """Take all but reports about its own answer."""
        body = message.body
        return not isinstance(body, Report) or all(each.answer != self.place for each in body.findings)
