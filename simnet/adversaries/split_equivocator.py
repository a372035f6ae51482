"""Split equivocator: a member that sends different messages to the two halves of the swarm, requester included."""

from collections.abc import Sequence

from consensus.rounds.effects import Contribute, Effect
from protocol.messages import Query
from protocol.signing import VerifiedMessage
from protocol.types import Key
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame
from simnet.adversaries.equivocator import contradict


class SplitEquivocator(Behaviour):
    """Signs two of each contribution, and gossips each to the members of one half."""

    KIND = "split-equivocator"
    members: tuple[Key, ...] = ()

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Note the members of the round."""
        if isinstance(message.body, Query):
            self.members = tuple(seat.member for seat in message.body.roster if seat.member != context.keypair.public)
        return ()

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Send one contribution to the even places of the roster, the other to the odd ones."""
        if not isinstance(effect, Contribute):
            return (effect,)
        second = contradict(effect.message, context)
        topic, source = effect.topic, context.keypair.public
        return (
            Frame(topic, source, effect.message.envelope, self.members[::2]),
            Frame(topic, source, second.envelope, self.members[1::2]),
        )
