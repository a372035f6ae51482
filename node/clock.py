"""The node's clock: wall time at the start, then monotonic: a corrected wall clock cannot stretch a phase (R11)."""

import time

import trio


class Clock:
    """Milliseconds since the Unix epoch that never jump. Under trio's MockClock they follow virtual time."""

    def __init__(self) -> None:
        self._offset_ms = time.time() * 1000 - trio.current_time() * 1000

    def now_ms(self) -> int:
        """Now."""
        return int(trio.current_time() * 1000 + self._offset_ms)

    def trio_deadline(self, at_ms: int) -> float:
        """The same moment on trio's clock, in seconds."""
        return (at_ms - self._offset_ms) / 1000
