"""A requester that knows which answer of its round is its own."""

from collections.abc import Sequence

from consensus.rounds.effects import Effect, Journal, Publish
from protocol.messages import Answer, CloseSlate
from protocol.signing import VerifiedMessage
from protocol.types import Digest
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class OwnAnswerRequester(Behaviour):
    """Acts honestly, and notes the place of its own answer in the slate."""

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
