"""Favourite stopper: a requester that stops counting ballots while its own answer leads."""

from collections.abc import Sequence

from consensus.rounds.effects import Effect, Publish
from protocol.messages import Ballot, CloseSlate
from protocol.signing import VerifiedMessage
from protocol.types import ABSTAIN, ONE
from simnet.adversaries.behaviour import Action, AdversaryContext
from simnet.adversaries.own_answer import OwnAnswerRequester

LEAD = 0.5
"""Mean preference for its answer above which it stops counting."""


class FavouriteStopper(OwnAnswerRequester):
    """Counts ballots as they come; once its own answer leads, later ones are acknowledged and omitted."""

    KIND = "favourite-stopper"
    support: tuple[float, ...] = ()
    """Preferences for its answer in the ballots that it has counted."""

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Act honestly; with a new slate nothing is counted yet."""
        match effect:
            case Publish(message=VerifiedMessage(body=CloseSlate())):
                self.support = ()
        return super().perform(effect, context)

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
