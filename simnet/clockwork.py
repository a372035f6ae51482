"""Virtual time: integer milliseconds and a heap of scheduled actions; equal times run in the order of scheduling."""

import heapq
from collections.abc import Callable
from typing import Any


class Clockwork:
    """The only clock of a world."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.events = 0
        """Number of actions that have run."""
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._scheduled = 0

    def at(self, at_ms: int, action: Callable[..., None], *args: Any) -> None:
        """Schedule an action; one in the past runs next."""
        self._scheduled += 1
        heapq.heappush(self._heap, (max(at_ms, self.now_ms), self._scheduled, action, args))

    def after(self, after_ms: int, action: Callable[..., None], *args: Any) -> None:
        """Schedule an action after a delay."""
        self.at(self.now_ms + after_ms, action, *args)

    def run(self, until_ms: int) -> None:
        """Let time pass, up to and including `until_ms`, or until nothing is scheduled."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until_ms:
            self.now_ms, _, action, args = pop(heap)
            self.events += 1
            action(*args)
        self.now_ms = max(self.now_ms, until_ms)
