"""The node's clock: wall time at the start, then monotonic, so that no corrected wall clock stretches a phase (R11)."""

import time
from collections.abc import Callable
from typing import Final

import trio

STEP_MS: Final = 1_000
"""Milliseconds of difference from which the wall clock counts as set: NTP corrects smaller ones gradually, and the
monotonic clock with them."""


class Clock:
    """Milliseconds since the Unix epoch that never go back. Under trio's MockClock they follow virtual time."""

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._offset_ms = wall_s() * 1000 - trio.current_time() * 1000
        self._told_ms = 0
        """Lag of the wall clock behind us when it was last reported."""

    def now_ms(self) -> int:
        """Return the present time in milliseconds since the Unix epoch."""
        return int(trio.current_time() * 1000 + self._offset_ms)

    def trio_deadline(self, at_ms: int) -> float:
        """Return the same moment on trio's clock, in seconds."""
        return (at_ms - self._offset_ms) / 1000

    def follow(self) -> int:
        """Adopt a wall clock that was set forward, as after sleep or NTP's first answer; do not call within a round.

        Returns the milliseconds by which it was set, each time once; 0: not at all. A negative step is not adopted,
        because replay guards have forgotten queries that would be new again. Until a restart the node is then ahead of
        the wall clock.
        """
        ahead_ms = round(self._wall_s() * 1000) - self.now_ms()
        if ahead_ms >= STEP_MS:
            self._offset_ms += ahead_ms
            self._told_ms = 0
            return ahead_ms
        if ahead_ms > -STEP_MS:
            self._told_ms = 0
        elif abs(ahead_ms - self._told_ms) >= STEP_MS:
            self._told_ms = ahead_ms
            return ahead_ms
        return 0
