"""Favourite stopper: a requester that stops counting ballots while its own answer leads."""

from collections.abc import Sequence

from consensus.rounds.effects import Effect, Journal, Publish
from protocol.messages import Answer, Ballot, CloseSlate
from protocol.signing import VerifiedMessage
from protocol.types import ABSTAIN, ONE, Digest
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour

LEAD = 0.5
"""Mean preference for its answer above which it stops counting."""


class FavouriteStopper(Behaviour):
    """Counts ballots as they come; once its own answer leads, later ones are acknowledged and omitted."""

    KIND = "favourite-stopper"
    ASKS = True
    answer_id = Digest(b"")
    place: int | None = None
    """Position of its own answer in the slate."""
    support: tuple[float, ...] = ()
    """Preferences for its answer in the ballots that it has counted."""

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Act honestly, but note which answer of the slate is its own."""
        match effect:
            case Journal(message=VerifiedMessage(body=Answer())):
                self.answer_id = effect.message.id
            case Publish(message=VerifiedMessage(body=CloseSlate(answers=answers))):
                self.place = answers.index(self.answer_id) if self.answer_id in answers else None
                self.support = ()
        return (effect,)

    def takes(self, message: VerifiedMessage) -> bool:
        """Take ballots only until its own answer leads."""
        if not isinstance(message.body, Ballot) or self.place is None:
            return True
        if self.support and sum(self.support) / len(self.support) > LEAD:
            return False
        shares = (
            each.preference / ONE if each.first == self.place else 1.0 - each.preference / ONE
            for each in message.body.judgements
            if each.preference != ABSTAIN and self.place in (each.first, each.second)
        )
        self.support = (*self.support, *shares)
        return True
