"""The queue of this node's own questions: so many rounds run at once, the others wait, first come, first served."""

import math
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
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
    held_until_ms: int | None = None
    """If its round was cancelled: when it gives its ticket back (R16), ms since the Unix epoch."""
    held_until_s: float | None = None
    """The same on trio's clock."""

    def hold(self, until_ms: int, until_s: float) -> None:
        """Note that the round was cancelled, and that it keeps its ticket. `until_s`: until when on trio's clock."""
        self.held_until_ms, self.held_until_s = until_ms, until_s

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
        """Seconds after which there may be room: about when the next round gives its ticket back."""
        return min(RETRY_S_MAX, max(1, math.ceil(self._free_in_s(1))))

    @property
    def wait_s(self) -> float:
        """Expected wait (s) of a question that came now."""
        return 0.0 if self._tickets.value else self._free_in_s(len(self.waiting) + 1)

    def _free_in_s(self, nth: int) -> float:
        """Return in how many seconds the `nth` ticket from now is expected to be given back.

        Cancelled rounds give theirs back at a known time. The others, as many as there are tickets left, are taken to
        be of mean length, and to have begun at even distances.
        """
        now_s = trio.current_time()
        held = [max(0.0, ask.held_until_s - now_s) for ask in self.running if ask.held_until_s is not None]
        others = self.tickets_max - len(held)
        return _nth(nth, [*held, *(self._mean_s * each / others for each in range(1, others + 1))], self._mean_s)

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
        if ask.held_until_s is None:
            # A cancelled round says nothing about the length of others.
            self._mean_s = MEMORY * self._mean_s + (1 - MEMORY) * (trio.current_time() - ask.began_s)
        self._tickets.release()

    def close(self) -> None:
        """Send all away that wait."""
        for wait in self._waits:
            wait.cancel()


def _nth(nth: int, ends_s: list[float], length_s: float) -> float:
    """Return the `nth` end of rounds that follow each other: each is followed by another of `length_s` seconds."""
    ends = list(ends_s)
    heapify(ends)
    for _ in range(nth - 1):
        heapreplace(ends, ends[0] + length_s)
    return ends[0]
