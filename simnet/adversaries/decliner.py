"""Decliner: takes a seat and declines all work except the opening, which cannot be declined."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.rounds.effects import Contribute, Effect
from protocol.messages import Ballot, Commit, Cosign, Decline
from protocol.signing import seal
from protocol.types import DeclinedPhase, DeclineReason
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class Decliner(Behaviour):
    """Holds a useless seat, too, but nobody waits for it: its possible gain is that others' votes count less."""

    KIND = "decliner"

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Send a decline in place of each contribution."""
        if not isinstance(effect, Contribute):
            return (effect,)
        match effect.message.body:
            case Commit(query=query, on=on):
                phase, wave = DeclinedPhase.ANSWERING, 0
            case Ballot(query=query, on=on, wave=wave):
                phase = DeclinedPhase.JUDGING
            case Cosign(query=query, on=on):
                phase, wave = DeclinedPhase.COSIGNING, 0
            case _:
                return (effect,)
        reason = DeclineReason.CAPACITY
        body = Decline(author=context.keypair.public, query=query, on=on, phase=phase, wave=wave, reason=reason)
        return (replace(effect, message=seal(context.keypair, context.params.digest, body)),)
