"""A target under trio in a thread, for a caller without: atheris."""

import math
import threading

import trio
from trio.testing import MockClock

from tests.fuzz.target import One, Target


class Serving:
    """Opens a target once, and gives it one input at a time."""

    def __init__(self, target: Target) -> None:
        self.ready = threading.Event()
        self._target = target
        self._clock = MockClock() if target.mock_clock else None
        self._token: trio.lowlevel.TrioToken
        self._one: One

    def run(self) -> None:
        """Serve until the process ends: the thread's own function."""
        trio.run(self._serve, clock=self._clock)

    async def _serve(self) -> None:
        async with self._target.open() as one:
            self._one, self._token = one, trio.lowlevel.current_trio_token()
            self.ready.set()
            await trio.sleep_forever()

    def one(self, data: bytes) -> None:
        """Give one input; raises what the target raises, and trio.RunFinishedError where it has ended."""
        trio.from_thread.run(self._give, data, trio_token=self._token)

    async def _give(self, data: bytes) -> None:
        if self._clock is None:
            await self._one(data)
            return
        # Only meanwhile: a clock that may jump while nothing is to be waited for spins, and takes the time of atheris.
        self._clock.autojump_threshold = 0
        try:
            await self._one(data)
        finally:
            self._clock.autojump_threshold = math.inf
