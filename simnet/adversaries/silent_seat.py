"""Silent seat: offers to work, acknowledges queries, answers pings, and never contributes."""

from collections.abc import Sequence

from consensus.rounds.effects import Contribute, Effect
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class SilentSeat(Behaviour):
    """Holds a useless seat, without history: the cheapest way to make others wait."""

    KIND = "silent-seat"
    NEWCOMER = True

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Perform all effects except contributions."""
        return () if isinstance(effect, Contribute) else (effect,)
