"""The events of a round of ours, noted while it is open and packed when it has ended, to be replayed with their times.

Only events are noted that the history hears anyway, so none is built for this. What closings counted follows from the
certificate (`replaying.with_counted`).
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from node.api.events import BaseEvent, Progress, RoundEvent

NOTED_MAX: Final = 512
"""Events noted of one round, some KB each at 64 members: one every 50 ms of each phase in which somebody contributes,
and one for each member that fetches the text. Beyond that, newer progress of a phase takes the place of older."""

PACKED_BYTES_MAX: Final = 256 * 1024
"""Bytes of one round's events as they are stored. Keys repeat: a round of seven takes 1 to 3 KB beside its texts;
question and answer may have 64 KiB each. Larger ones are not stored: the certificate is there."""

UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of the JSON of NOTED_MAX events of 64 members, and of the texts with every character escaped, with room."""

_LEVEL: Final = 1
"""Level of compression: higher ones take thrice as long for a fifth less."""


class EventNotes:
    """The events of one open round in their order, at most NOTED_MAX."""

    def __init__(self) -> None:
        self._events: list[BaseEvent] = []

    def note(self, event: BaseEvent) -> None:
        """Add an event."""
        if len(self._events) < NOTED_MAX:
            self._events.append(event)
        elif isinstance(event, Progress) and _is_of_phase(self._events[-1], event):
            self._events[-1] = event
        else:
            # One of those that a round has once, or a new phase: the oldest progress is of least interest.
            oldest = (place for place, each in enumerate(self._events) if isinstance(each, Progress))
            if (place := next(oldest, None)) is not None:
                del self._events[place]
                self._events.append(event)

    def __iter__(self) -> Iterator[RoundEvent]:
        return iter(self._events)  # type: ignore[arg-type]  # each is one of the union


def _is_of_phase(last: BaseEvent, event: Progress) -> bool:
    return isinstance(last, Progress) and (last.phase, last.wave) == (event.phase, event.wave)


def pack(events: Sequence[RoundEvent]) -> bytes | None:
    """Return the events as bytes for the store; None if they are too large. Takes some milliseconds for 64 members."""
    packed = zlib.compress(msgspec.json.encode(events), _LEVEL)
    return packed if len(packed) <= PACKED_BYTES_MAX else None


def unpack(packed: bytes) -> tuple[RoundEvent, ...] | None:
    """Return the events that were packed; None if they are of another strand, or damaged."""
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(packed, UNPACKED_BYTES_MAX)
        return msgspec.json.decode(raw, type=tuple[RoundEvent, ...]) if unpacking.eof else None
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError):
        return None
