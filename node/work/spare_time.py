"""The time of the tester that no round needs: challenges and gold are tested in it, one after the other.

Their programs are strangers' as well, and nobody waits for them. So a round's tests never share the machine with them,
and they never see a machine that a round makes slow: what does not end in their time counts against its author.
"""

from bisect import insort
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import count
from typing import Final, TypeVar

import trio

from node.signals import Signal

SPARE_S_MAX: Final = 300.0
"""Seconds in which a piece of such work must be done, the wait for its time and all its beginnings included: as long as
the answers of a gold round may take. Beyond them nothing is known."""

WAITING_MAX: Final = 8
"""Pieces of work that wait. The node has one task for challenges and one for gold; a user's commands add some."""

Result = TypeVar("Result")


class SpareUse(IntEnum):
    """What spare time is used for, the more urgent first."""

    CHALLENGE = 0
    """Making items for newcomers, who may be waiting, and scoring their replies."""
    GOLD = 1
    """Grading the answers of rounds that are over."""


class SpareTime:
    """Tells who tests. Rounds begin whenever they like; other work begins while there are none, and yields to them."""

    def __init__(self) -> None:
        """Nobody tests yet."""
        self._rounds = 0
        """Stages of rounds that are tested here, or wait for their turn."""
        self._queue: list[tuple[SpareUse, int]] = []
        """Other work, the next piece first."""
        self._arrivals = count()
        self._at_work: trio.CancelScope | None = None
        self._changed = Signal()

    @contextmanager
    def round(self) -> Iterator[None]:
        """Hold the tester for a stage of a round. What else is tested stops at once, to begin anew later."""
        self._rounds += 1
        if self._at_work is not None:
            self._at_work.cancel()
        try:
            yield
        finally:
            self._rounds -= 1
            self._changed.fire()

    async def spend(self, use: SpareUse, work: Callable[[], Awaitable[Result]]) -> Result | None:
        """Return the result of `work`, which begins anew whenever a round comes between; None: there was no time."""
        if len(self._queue) >= WAITING_MAX:
            return None
        ticket = (use, next(self._arrivals))
        insort(self._queue, ticket)
        try:
            with trio.move_on_after(SPARE_S_MAX):
                while True:
                    await self._changed.wait_until(lambda: self._is_free_for(ticket))
                    with trio.CancelScope() as self._at_work:
                        try:
                            return await work()
                        finally:
                            self._at_work = None
        finally:
            self._queue.remove(ticket)
            self._changed.fire()
        return None

    def _is_free_for(self, ticket: tuple[SpareUse, int]) -> bool:
        return not self._rounds and self._at_work is None and self._queue[0] == ticket
