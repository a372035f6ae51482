"""An orderly end of the node: nothing new, a bounded time for what is under way, a decline for the rest."""

from typing import Final

import structlog
import trio

from node.api.events import STOPPED
from node.rounds.asking.service import RoundService
from node.rounds.driver import Driver
from node.work.serving import Serving
from node.work.worker import EngineWorker

LAST_WORDS_S: Final = 5.0
"""Seconds for the declines, once the time to finish is over: a contribution is acknowledged within two, or gossiped."""

FAREWELL_S: Final = 1.0
"""Seconds for users whose round has just ended to fetch its certificate, and for the last gossip to leave; an idle node
does not wait."""

log = structlog.get_logger()


class StopRequest:
    """The wish that a node stops: made once, with a reason for the log, such as a signal's name."""

    def __init__(self) -> None:
        self.reason = ""
        self._made = trio.Event()

    def make(self, reason: str) -> None:
        """Ask the node to stop."""
        self.reason = reason
        self._made.set()

    async def wait(self) -> str:
        """Wait until the node shall stop. Returns the reason."""
        await self._made.wait()
        return self.reason


class Shutdown:
    """Winds a node down. Its peers then need not wait for it, and its users learn how their rounds ended."""

    def __init__(self, serving: Serving, rounds: RoundService, worker: EngineWorker, driver: Driver) -> None:
        self._serving = serving
        self._rounds = rounds
        self._worker = worker
        self._driver = driver

    @property
    def open_rounds(self) -> int:
        """Rounds that are open, in each role."""
        return sum(len(self._driver.timeline.open_rounds(role)) for role in ("requester", "member"))

    async def run(self, reason: str, stop_ms: int) -> None:
        """Stop taking work, wait at most `stop_ms` for what is under way, decline the rest, and return."""
        log.info("node.stopping", reason=reason, open_rounds=self.open_rounds, within_ms=stop_ms)
        self._serving.stop()
        self._rounds.stop()
        has_users = self._rounds.followed > 0
        with trio.move_on_after(stop_ms / 1000) as in_time:
            await self._finish()
        is_late = in_time.cancelled_caught and bool(self.open_rounds or self._rounds.followed)
        if is_late:
            with trio.move_on_after(LAST_WORDS_S):
                await self._give_up()
        if has_users or is_late:
            await trio.sleep(FAREWELL_S)
        log.info("node.stopped", open_rounds=self.open_rounds)

    async def _finish(self) -> None:
        """Wait until no round is open, and until the users of ours have been told of their ends."""
        # A question that has had its turn may not have begun yet.
        await self._driver.flush()
        await self._driver.timeline.ended.wait_until(lambda: not self.open_rounds)
        await self._driver.flush()
        await self._rounds.wait_unfollowed()

    async def _give_up(self) -> None:
        """Cancel our own rounds, decline what the engine has in hand for others, and wait until both are said."""
        for query in self._driver.timeline.open_rounds("requester"):
            await self._rounds.cancel(query)
        log.warning("node.declined", count=await self._worker.stop(), open_rounds=self.open_rounds)
        await self._driver.flush()
        # Decided ones cannot be cancelled: their users have the answer, and only the co-signatures are missing.
        self._driver.leave_own(STOPPED)
        await self._rounds.wait_unfollowed()
