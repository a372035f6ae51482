"""Closing equivocator: a requester that tells half of the members another story."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.rounds.effects import Effect, Publish
from protocol.messages import CloseCommits, CloseSlate, CloseTally, CloseWave, EquivocationProof, Message, Query
from protocol.signing import VerifiedMessage, seal
from protocol.types import Key
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame

ABOUT = (CloseCommits, CloseSlate, CloseWave | CloseTally)
"""What it equivocates about, by turns, query by query."""


class ClosingEquivocator(Behaviour):
    """It signs two closings for one slot, the second of which lacks a member."""

    KIND = "closing-equivocator"
    ASKS = True
    members: tuple[Key, ...] = ()
    queries: int = 0

    def perform(self, effect: Effect, desk: AdversaryContext) -> Sequence[Action]:
        """One closing to one half of the members, the other to the other half."""
        if not isinstance(effect, Publish):
            return (effect,)
        match effect.message.body:
            case Query() as query:
                self.members = tuple(seat.member for seat in query.roster if seat.member != query.author)
                self.queries += 1
                return (effect,)
            case closing if isinstance(closing, ABOUT[(self.node + self.queries) % len(ABOUT)]):
                other = _without_one(closing)
                if other is closing:
                    return (effect,)
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
        return not isinstance(message.body, EquivocationProof)


def _without_one(closing: Message) -> Message:
    """The closing without the first that it names, if it names several; members pull what does not ride along."""
    match closing:
        case CloseCommits(commitments=(_, *others)) if others:
            return replace(closing, commitments=tuple(others))
        case CloseSlate(answers=(_, *others)) if others:
            return replace(closing, answers=tuple(others), ride_along=())
        case CloseWave(ballots=(_, *others)) | CloseTally(ballots=(_, *others)) if others:
            return replace(closing, ballots=tuple(others), ride_along=())
        case _:
            return closing
