"""Peeker: pulls while answers are still being written, to read the asker's private tests before it commits."""

from collections.abc import Sequence

from consensus.rounds.effects import Pull
from protocol.messages import Query
from protocol.signing import VerifiedMessage
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Later

AFTER_MS = 500
"""Milliseconds after the query: before honest members commit."""


class Peeker(Behaviour):
    """Breaks no rule, but the asker would if it served the tests."""

    KIND = "peeker"

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Pull the chain of each query from its asker."""
        if not isinstance(message.body, Query):
            return ()
        return (Later(AFTER_MS, Pull(message.id, (), (message.author,))),)
