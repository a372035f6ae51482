"""The places of a sandbox: how many commands run at a time, and who goes first."""

from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

from node.sandbox.ports import Urgency
from node.signals import Signal

WAITING_MAX: Final = 64
"""Commands that wait for a place. Whoever tests runs four at a time (`node.findings.tester.TESTED_MAX`), and tests few
programs at once, so that a longer queue is a fault of ours, or an attack that we did not think of."""


class NoPlaceError(Exception):
    """Too many commands wait already. The message is a clause that says so."""


class Places:
    """Places for commands. The most urgent waits least; among equals it is first come, first served.

    A command that runs is not interrupted: its limits of time end it.
    """

    def __init__(self, places: int) -> None:
        """Create places, all of them free."""
        self._free = places
        self._queue: list[tuple[Urgency, int]] = []
        """Who waits, the next one first."""
        self._arrivals = count()
        self._changed = Signal()

    @asynccontextmanager
    async def hold(self, urgency: Urgency) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises NoPlaceError."""
        if len(self._queue) >= WAITING_MAX:
            raise NoPlaceError(f"more than {WAITING_MAX} commands wait for a place")
        ticket = (urgency, next(self._arrivals))
        insort(self._queue, ticket)
        try:
            await self._changed.wait_until(lambda: self._free > 0 and self._queue[0] == ticket)
            self._free -= 1
        finally:
            self._queue.remove(ticket)
            self._changed.fire()
        try:
            yield
        finally:
            self._free += 1
            self._changed.fire()
