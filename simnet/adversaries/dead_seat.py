"""Dead seat: offers to work and is gone when it gets a query."""

from protocol.signing import VerifiedMessage
from protocol.types import Kind
from simnet.adversaries.behaviour import Behaviour


class DeadSeat(Behaviour):
    """Like a node that was killed while its offer is in force: no contribution, no acknowledgement, no pong."""

    KIND = "dead-seat"

    def takes(self, message: VerifiedMessage) -> bool:
        """Take only offers, without which it would ask nobody."""
        return message.kind is Kind.OFFER

    def replies(self) -> bool:
        """Reply to nothing."""
        return False
