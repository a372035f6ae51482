"""Late: does its work and sends it when the phase is over."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from consensus.rounds.effects import Contribute, Effect
from protocol.messages import Query
from protocol.signing import VerifiedMessage
from protocol.types import Kind
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Later

MARGIN_MS = 500
"""Milliseconds by which it misses the phase's budget."""


class Late(Behaviour):
    """Each contribution comes after the phase's whole budget."""

    KIND = "late"
    budgets_ms: Mapping[Kind, int] = MappingProxyType({})

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Note the budgets of the newest query."""
        if isinstance(query := message.body, Query):
            self.budgets_ms = {
                Kind.COMMIT: query.answer_ms,
                Kind.ANSWER: query.open_ms,
                Kind.BALLOT: query.judge_ms,
                Kind.COSIGN: query.cosign_ms,
            }
        return ()

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Delay contributions."""
        if isinstance(effect, Contribute):
            return (Later(self.budgets_ms.get(effect.message.kind, 0) + MARGIN_MS, effect),)
        return (effect,)
