"""Dead seat: offers to work and is gone when it is asked to."""

from protocol.signing import VerifiedMessage
from protocol.types import Kind
from simnet.adversaries.behaviour import Behaviour


class DeadSeat(Behaviour):
    """Like a node that was killed while its offer stands: no contribution, no acknowledgement, no pong."""

    KIND = "dead-seat"

    def takes(self, message: VerifiedMessage) -> bool:
        """Only offers, without which it would ask nobody."""
        return message.kind is Kind.OFFER

    def replies(self) -> bool:
        """To nothing."""
        return False
