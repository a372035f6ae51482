"""Closing equivocator: a requester that tells half of the members another story."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.effects import Effect, Publish
from protocol.messages import CloseCommits, Evidence, Query
from protocol.signing import VerifiedMessage, seal
from protocol.types import Key
from simnet.adversaries.behaviour import Action, Behaviour, Desk, Frame


class ClosingEquivocator(Behaviour):
    """It signs two commits closings, one of which lacks a member."""

    KIND = "closing-equivocator"
    ASKS = True
    members: tuple[Key, ...] = ()

    def perform(self, effect: Effect, desk: Desk) -> Sequence[Action]:
        """One closing to one half of the members, the other to the other half."""
        if not isinstance(effect, Publish):
            return (effect,)
        match effect.message.body:
            case Query() as query:
                self.members = tuple(seat.member for seat in query.roster if seat.member != query.author)
                return (effect,)
            case CloseCommits() as closing if len(closing.commitments) > 1:
                other = replace(closing, commitments=closing.commitments[1:])
                second = seal(desk.keypair, desk.params.digest, other)
                half = len(self.members) // 2
                (on,), source = effect.topics, desk.keypair.public
                return (
                    Frame(on, source, effect.message.envelope, self.members[:half]),
                    Frame(on, source, second.envelope, self.members[half:]),
                )
            case _:
                return (effect,)

    def takes(self, message: VerifiedMessage) -> bool:
        """Everything but evidence: an honest machine that is shown its own two closings gives the round up."""
        return not isinstance(message.body, Evidence)
