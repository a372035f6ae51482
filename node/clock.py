"""The node's clock: wall time at the start, then monotonic: a corrected wall clock cannot stretch a phase (R11)."""

import time
from collections.abc import Callable
from typing import Final

import trio

STEP_MS: Final = 1_000
"""ms by which the wall clock must be off to count as set: NTP moves what is less gradually, and the monotonic clock
with it."""


class Clock:
    """Milliseconds since the Unix epoch that never go back. Under trio's MockClock they follow virtual time."""

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._offset_ms = wall_s() * 1000 - trio.current_time() * 1000
        self._told_ms = 0
        """How far behind us the wall clock was when that was last told."""

    def now_ms(self) -> int:
        """Now."""
        return int(trio.current_time() * 1000 + self._offset_ms)

    def trio_deadline(self, at_ms: int) -> float:
        """The same moment on trio's clock, in seconds."""
        return (at_ms - self._offset_ms) / 1000

    def follow(self) -> int:
        """Take over a wall clock that was set forward, as after sleep or NTP's first answer; not within a round.

        Returns the ms by which it was set, each time once; 0: not at all. Below zero it is not followed: what replay
        guards have forgotten would be new again. Until a restart the node's dates are then ahead of the wall's.
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
