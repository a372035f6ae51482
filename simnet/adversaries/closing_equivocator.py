"""Closing equivocator: a requester that sends a different closing to half of the members."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.rounds.effects import Effect, Publish
from protocol.messages import CloseCommits, CloseSlate, CloseTally, CloseWave, EquivocationProof, Message, Query
from protocol.signing import VerifiedMessage, seal
from protocol.types import Key
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame

ABOUT = (CloseCommits, CloseSlate, CloseWave | CloseTally)
"""Kinds of closing on which it equivocates, in turn, query by query."""


class ClosingEquivocator(Behaviour):
    """Signs two closings for one slot; the second lacks a member."""

    KIND = "closing-equivocator"
    ASKS = True
    members: tuple[Key, ...] = ()
    queries: int = 0

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Send one closing to one half of the members, and the other to the other half."""
        if not isinstance(effect, Publish):
            return (effect,)
        match effect.message.body:
            case Query() as query:
                self.members = tuple(seat.member for seat in query.roster if seat.member != query.author)
                self.queries += 1
                return (effect,)
            case closing if isinstance(closing, ABOUT[(self.node + self.queries) % len(ABOUT)]):
                other = self.second(closing)
                if other is closing:
                    return (effect,)
                second = seal(context.keypair, context.params.digest, other)
                half = len(self.members) // 2
                (on,), source = effect.topics, context.keypair.public
                return (
                    Frame(on, source, effect.message.envelope, self.members[:half]),
                    Frame(on, source, second.envelope, self.members[half:]),
                )
            case _:
                return (effect,)

    def second(self, closing: Message) -> Message:
        """Return what the other half gets; the closing itself: the same."""
        return _without_one(closing)

    def takes(self, message: VerifiedMessage) -> bool:
        """Hide evidence: an honest machine that sees its own two closings gives the round up."""
        return not isinstance(message.body, EquivocationProof)


def _without_one(closing: Message) -> Message:
    """Return the closing without its first named entry, if it names several; members pull the missing riders."""
    match closing:
        case CloseCommits(commitments=(_, *others)) if others:
            return replace(closing, commitments=tuple(others))
        case CloseSlate(answers=(_, *others)) if others:
            return replace(closing, answers=tuple(others), ride_along=())
        case CloseWave(ballots=(_, *others)) | CloseTally(ballots=(_, *others)) if others:
            return replace(closing, ballots=tuple(others), ride_along=())
        case _:
            return closing
