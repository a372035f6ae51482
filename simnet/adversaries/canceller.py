"""Canceller: a requester that tells half of the members that the round is cancelled, and goes on with the others."""

from protocol.messages import Cancel, Closing, Message
from simnet.adversaries.closing_equivocator import ClosingEquivocator


class Canceller(ClosingEquivocator):
    """Signs a cancel beside a closing: of commits, of the slate, of a wave or the tally, in turn."""

    KIND = "canceller"

    def second(self, closing: Message) -> Message:
        """Return a cancel in the closing's place."""
        assert isinstance(closing, Closing)
        return Cancel(author=closing.author, query=closing.query, prev=closing.prev)
