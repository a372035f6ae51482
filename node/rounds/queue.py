"""The queue of this node's own questions: so many rounds run at once, the others wait, first come, first served."""

import math
from dataclasses import dataclass, field
from typing import Final

import trio

from node.api.asking import Question
from protocol.types import Digest

MEMORY: Final = 0.8
"""Share of the earlier mean in the mean length of rounds: the last five or so count."""

FIRST_ROUND_S: Final = 10.0
"""Assumed length (s) of a round before the first has ended."""

RETRY_S_MAX: Final = 60
"""Longest advice (s) to those who find no room: rounds may end sooner than expected."""


class QueueFullError(Exception):
    """As many questions wait for a ticket as may."""


@dataclass(eq=False, slots=True)
class QueuedAsk:
    """One question of our users, or gold, in the queue or in its round."""

    question: Question
    gold: bool
    since_ms: int
    """When it came, ms since the Unix epoch."""
    queue: "RoundQueue" = field(repr=False)
    query_id: Digest | None = None
    """The round's id; None while it waits."""
    began_s: float = 0.0
    """When it got its ticket, on trio's clock."""

    def release(self) -> None:
        """Give the ticket back: the round is over, or did not begin."""
        self.queue.release(self)


class RoundQueue:
    """Tickets, each the right to one round of our own, first come, first served."""

    def __init__(self, tickets_max: int, waiting_max: int) -> None:
        """Build an empty queue. `tickets_max`: rounds at once; `waiting_max`: questions that may wait."""
        self.tickets_max = tickets_max
        self.waiting_max = waiting_max
        self.running: list[QueuedAsk] = []
        """Questions that have their ticket, oldest first."""
        self.waiting: list[QueuedAsk] = []
        """Questions that wait, the next one first."""
        self._tickets = trio.Semaphore(tickets_max)
        self._waits: set[trio.CancelScope] = set()
        self._mean_s = FIRST_ROUND_S

    @property
    def is_full(self) -> bool:
        """Whether another question would have to wait, and there is no room to."""
        return self._tickets.value == 0 and len(self.waiting) >= self.waiting_max

    @property
    def retry_after_s(self) -> int:
        """Seconds after which there may be room: about when the next round ends."""
        return min(RETRY_S_MAX, max(1, math.ceil(self._mean_s / self.tickets_max)))

    @property
    def wait_s(self) -> float:
        """Expected wait (s) of a question that came now."""
        return 0.0 if self._tickets.value else self._mean_s * (len(self.waiting) + 1) / self.tickets_max

    async def take_ticket(self, question: Question, *, gold: bool, since_ms: int) -> QueuedAsk | None:
        """Wait for a ticket, to be released; None if the queue was closed meanwhile. Raises QueueFullError."""
        if self.is_full:
            raise QueueFullError
        ask = QueuedAsk(question, gold, since_ms, self)
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            self.waiting.append(ask)
            try:
                await self._tickets.acquire()
            finally:
                self.waiting.remove(ask)
                self._waits.discard(scope)
            ask.began_s = trio.current_time()
            self.running.append(ask)
            return ask
        return None

    def release(self, ask: QueuedAsk) -> None:
        """Give a ticket back."""
        self.running.remove(ask)
        self._mean_s = MEMORY * self._mean_s + (1 - MEMORY) * (trio.current_time() - ask.began_s)
        self._tickets.release()

    def close(self) -> None:
        """Send all away that wait."""
        for wait in self._waits:
            wait.cancel()
