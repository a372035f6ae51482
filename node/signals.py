"""A condition that tasks wait for: a count of changes, so that no change between a check and the wait is missed."""

from collections.abc import Callable

import trio


class Signal:
    """Counts changes of a state. Its owner fires it after each change; any task may wait.

    Unlike an event that is replaced after each use, a count cannot be missed: a task that remembers the count of its
    last check returns at once if anything has changed since. A wait that is over at once is no checkpoint.
    """

    __slots__ = ("_waiting", "count")

    def __init__(self) -> None:
        self.count = 0
        """Changes so far."""
        self._waiting = trio.lowlevel.ParkingLot()

    def fire(self, times: int = 1) -> None:
        """Count `times` changes that have taken place, and wake all waiting tasks."""
        self.count += times
        self._waiting.unpark_all()

    async def wait(self, seen: int) -> int:
        """Wait until more than `seen` changes have been counted. Returns their number."""
        await self.wait_until(lambda: self.count > seen)
        return self.count

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is checked again after every change."""
        while not holds():
            await self._waiting.park()
