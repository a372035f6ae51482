"""Censor: a requester that acknowledges some members' contributions and omits them."""

from protocol.messages import Answer, Ballot, Commit
from protocol.signing import VerifiedMessage
from simnet.adversaries.behaviour import Behaviour

VICTIM_BYTE_BELOW = 64
"""Keys whose first byte is below it, a quarter of all, are victims."""


class Censor(Behaviour):
    """Asks honestly, but counts no work of its victims; their co-signatures would be welcome."""

    KIND = "censor"
    ASKS = True

    def takes(self, message: VerifiedMessage) -> bool:
        """Hide commitments, answers and ballots of victims."""
        return not isinstance(message.body, Commit | Answer | Ballot) or message.author[0] >= VICTIM_BYTE_BELOW
