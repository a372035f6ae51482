"""Places of requests that take long: their number is limited, so that most kinds together leave room for the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FOLLOWED_SHARE: Final = 2
"""Divisor: one in two connections may follow a round or wait for its turn, whichever face it came by. What this and the
shares below leave over, one in eight, is for immediate replies."""

WAITS_SHARE: Final = 4
"""Divisor: one in four connections may wait for offers, but no more than WAITS_MAX."""

WAITS_MAX: Final = 64
"""Requests that may wait for offers at once: each looks through the book when it changes."""

STREAMS_SHARE: Final = 8
"""Divisor: one in eight connections may be a stream of events, but no more than STREAMS_MAX."""

STREAMS_MAX: Final = 32
"""Streams of events at once: dashboards and terminals of one node's owner. Each may have 256 events waiting."""

READS_MAX: Final = 4
"""Requests that may search the history, read a round or verify a certificate at once: each step of a search holds the
store for some milliseconds, for which the journal waits, and verifying takes a core."""

GOLD_ROUNDS_MAX: Final = 2
"""Gold rounds that may run at once: each holds a connection for a round's time, and a turn that users wait for."""

TRIALS_MAX: Final = 1
"""Trials of the engine that may run at once: each takes the engine's time, which rounds need."""


class Places:
    """Limits the number of long requests. There is no queue: a request without a place is refused."""

    def __init__(self, places_max: int) -> None:
        self._free = places_max

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a place while the block runs; yield whether there was one."""
        if self._free <= 0:
            yield False
            return
        self._free -= 1
        try:
            yield True
        finally:
            self._free += 1


class RequestPlaces:
    """The places of one node's interface by kind of request; all faces share them."""

    def __init__(self, connections_max: int) -> None:
        """Share out `connections_max` connections."""
        self.followed = Places(connections_max // FOLLOWED_SHARE)
        self.waits = Places(min(WAITS_MAX, connections_max // WAITS_SHARE))
        self.streams = Places(min(STREAMS_MAX, connections_max // STREAMS_SHARE))
        self.reads = Places(READS_MAX)
        self.gold_rounds = Places(GOLD_ROUNDS_MAX)
        self.trials = Places(TRIALS_MAX)
