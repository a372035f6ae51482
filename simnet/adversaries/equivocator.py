"""Equivocator: tells the requester one thing and everybody else another, in the same slot."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.effects import Contribute, Effect
from protocol.messages import Ballot, Commit
from protocol.signing import seal
from protocol.types import ABSTAIN, ONE, Digest
from simnet.adversaries.behaviour import Action, Behaviour, Desk, Frame


class Equivocator(Behaviour):
    """It signs two ballots, the second one the first one's mirror; on even nodes two commitments."""

    KIND = "equivocator"

    def perform(self, effect: Effect, desk: Desk) -> Sequence[Action]:
        """The honest contribution by stream, the other one by gossip."""
        if not isinstance(effect, Contribute):
            return (effect,)
        match effect.message.body:
            case Commit() as commit if self.node % 2 == 0:
                other: Commit | Ballot = replace(commit, commitment=Digest(bytes(32)))
            case Ballot() as ballot:
                mirrored = (
                    replace(each, preference=each.preference if each.preference == ABSTAIN else ONE - each.preference)
                    for each in ballot.judgements
                )
                other = replace(ballot, judgements=tuple(mirrored))
            case _:
                return (effect,)
        second = seal(desk.keypair, desk.params.digest, other)
        return (effect, Frame(effect.topic, desk.keypair.public, second.envelope))
