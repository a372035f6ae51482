"""The last events of all rounds, so that a reader whose stream broke can go on where it was."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import trio

from node.api.events import BaseEvent

EVENTS_MAX: Final = 1_024
"""Events in the ring: eight rounds of 64 members, or a minute of a busy node."""

BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of their JSON: 1,024 events of the usual few KB; the beginning of a round holds up to 64 KiB of text."""

RESUME_S: Final = 60.0
"""Seconds for which events are kept after the last stream has ended: browsers try again after some seconds, and while
nobody reads them, no events are built."""


class EventRing:
    """Keeps events while a stream is open, and for RESUME_S after the last one; the oldest go first."""

    def __init__(self) -> None:
        self._events: deque[tuple[BaseEvent, int]] = deque()
        self._bytes = 0
        self._streams = 0
        self._ends_s = 0.0
        """Time on trio's clock at which keeping ends if no stream is open; 0: nothing is kept."""
        self.floor = 0
        """Number up to which events may be missing in the ring."""

    @property
    def is_on(self) -> bool:
        """Whether events are kept now."""
        if self._streams:
            return True
        if self._ends_s and trio.current_time() >= self._ends_s:
            self._ends_s, self._bytes = 0.0, 0
            self._events.clear()
        return bool(self._ends_s)

    @contextmanager
    def held(self, floor: int) -> Iterator[None]:
        """Keep events while the block runs, and RESUME_S longer; `floor`: last number, should the ring begin here."""
        if not self.is_on:
            self.floor = floor
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
            self._ends_s = trio.current_time() + RESUME_S

    def put(self, event: BaseEvent) -> None:
        """Keep an event."""
        size = len(msgspec.json.encode(event))
        self._events.append((event, size))
        self._bytes += size
        while len(self._events) > EVENTS_MAX or self._bytes > BYTES_MAX:
            oldest, size = self._events.popleft()
            self._bytes -= size
            self.floor = oldest.seq

    def after(self, seq: int) -> tuple[BaseEvent, ...]:
        """Return the kept events with greater numbers."""
        return tuple(event for event, _ in self._events if event.seq > seq)
