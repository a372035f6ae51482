"""Withholder: commits to an answer and never opens it."""

from collections.abc import Sequence

from consensus.rounds.effects import Contribute, Effect
from protocol.types import Kind
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class Withholder(Behaviour):
    """Makes everybody wait for an opening that does not come."""

    KIND = "withholder"

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Perform all effects except the opening."""
        withheld = isinstance(effect, Contribute) and effect.message.kind is Kind.ANSWER
        return () if withheld else (effect,)
