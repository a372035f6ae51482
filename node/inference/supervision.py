"""Supervision of our own model servers: start, observation, restart."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from consensus.rounds.backoff import Backoff, Restarts
from node.inference.ports import EngineError
from node.inference.status import EngineStage, ServerStatus
from node.text import one_line

FAILURES_MAX = 8
"""Consecutive failures after which a server stays down: with the pauses below, half a minute beside the starts."""

PAUSES_S = Backoff(0.25, 60.0)
"""Pauses before a restart, in seconds."""

STABLE_S = 60.0
"""Seconds of service after which an end is no failed start, however long the start took: the count begins anew."""

TAIL_BYTES_MAX = 8192
"""Bytes of a server's last output that are kept, for the one line of it that goes into an error."""

WORDS_CHARS_MAX = 300
"""Characters of a server's last line in an error."""

_log = structlog.get_logger(__name__)


class Supervisor:
    """Starts a server again when it ends, with growing pauses and a limit.

    `live` is one run of the server, from start to end; it updates the status and returns the server's last line of
    output.
    """

    def __init__(self, name: str, live: Callable[[], Awaitable[str]]) -> None:
        self.status = ServerStatus(name)
        self._live = live

    async def run(self, task_status: trio.TaskStatus[EngineError | None]) -> None:
        """Run until the server stays down. Reports None when it is ready for the first time, or why it never was.

        A server that ends before it was ever ready is not started again: that is a mistake to report.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report_ready, task_status)
            restarts = Restarts(PAUSES_S, STABLE_S)
            while restarts.failures < FAILURES_MAX:
                await self._run_once()
                pause_s = restarts.ended(self.status.served_s)
                if not self.status.lives:
                    task_status.started(EngineError(f"{self.status.name} did not start: {self.status.trouble}"))
                    nursery.cancel_scope.cancel()
                    return
                if restarts.failures < FAILURES_MAX:
                    reason = self.status.trouble
                    _log.warning("engine.ended", reason=reason, failures=restarts.failures, restart_in_s=pause_s)
                    await trio.sleep(pause_s)
            self.status.become(EngineStage.DOWN)
            _log.error("engine.down", reason=self.status.trouble, failures=restarts.failures)

    async def _run_once(self) -> None:
        """Run the server until it ends."""
        self.status.starts += 1
        self.status.become(EngineStage.STARTING)
        self.status.trouble = await self._live()
        self.status.pid = None
        self.status.become(EngineStage.PAUSING)

    async def _report_ready(self, task_status: trio.TaskStatus[EngineError | None]) -> None:
        # It may have ended again before this task wakes.
        await self.status.wait_until(lambda: self.status.lives > 0)
        task_status.started(None)


async def end_with_stdin(process: trio.Process, patience_s: float) -> None:
    """Close a child's stdin to ask it to exit; kill it if it has not exited after `patience_s`."""
    with trio.CancelScope(shield=True):
        assert process.stdin is not None
        await process.stdin.aclose()
        with trio.move_on_after(patience_s):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def last_line(tail: bytes | bytearray) -> str:
    """Return the last line of a server's output, printable and short; empty if there is none."""
    lines = tail.decode(errors="replace").replace("\r", "\n").split("\n")
    return one_line(next((line.strip() for line in reversed(lines) if line.strip()), ""), WORDS_CHARS_MAX)


async def keep_tail(stream: trio.abc.ReceiveStream, tail: bytearray) -> None:
    """Read a stream to its end, so that the writer never blocks, and keep its last bytes."""
    async with stream:
        async for chunk in stream:
            tail += chunk
            del tail[:-TAIL_BYTES_MAX]
