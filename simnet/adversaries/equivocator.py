"""Equivocator: sends the requester one message and everybody else another for the same slot."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.rounds.effects import Contribute, Effect
from protocol.messages import Answer, Ballot, Commit, Cosign, Message
from protocol.signing import VerifiedMessage, seal
from protocol.types import ABSTAIN, ONE, Digest, Objection
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame


class Equivocator(Behaviour):
    """Signs two ballots, the second one the first one's mirror; on even nodes two commitments."""

    KIND = "equivocator"

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Send the honest contribution by stream and the other one by gossip."""
        if not isinstance(effect, Contribute):
            return (effect,)
        match effect.message.body:
            case Commit() if self.node % 2:
                return (effect,)
            case Commit() | Ballot():
                second = contradict(effect.message, context)
                return (effect, Frame(effect.topic, context.keypair.public, second.envelope))
            case _:
                return (effect,)


def contradict(message: VerifiedMessage, context: AdversaryContext) -> VerifiedMessage:
    """Return another contribution by the same author for the same slot."""
    match message.body:
        case Commit() as commit:
            other: Message = replace(commit, commitment=Digest(bytes(32)))
        case Answer() as answer:
            other = replace(answer, salt=bytes(32))
        case Ballot() as ballot:
            mirrored = (
                replace(each, preference=each.preference if each.preference == ABSTAIN else ONE - each.preference)
                for each in ballot.judgements
            )
            other = replace(ballot, judgements=tuple(mirrored))
        case Cosign() as cosign:
            other = replace(cosign, objection=Objection.MISMATCH)
        case _:
            raise ValueError(f"{message.kind.name} is no contribution")
    return seal(context.keypair, context.params.digest, other)
