"""Signals that end a command in an orderly way."""

import signal
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final

import trio

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals of a service manager's or shell's `kill`, and of a closed terminal."""


async def until_ended(work: Callable[[], Awaitable[int | None]]) -> int:
    """Run a command and return its exit code; a signal in ENDING cancels it: 128 and its number, as in shells."""
    ended_by: list[int] = []
    token, scope = trio.lowlevel.current_trio_token(), trio.CancelScope()

    def end(number: int, _: FrameType | None) -> None:
        ended_by.append(number)
        token.run_sync_soon(scope.cancel)

    # Own handlers: one of trio's receivers needs a task beside the command, whose errors a nursery would wrap.
    with ExitStack() as stack, scope:
        if threading.current_thread() is threading.main_thread():
            for each in _heeded(ENDING):
                stack.callback(signal.signal, each, signal.signal(each, end))
        return int(await work() or 0)
    return 128 + ended_by[0]


@contextmanager
def ended_at_once() -> Iterator[None]:
    """Let a signal in ENDING end the process while the block runs: for a call that waits and that nobody can cancel."""
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for each in _heeded(ENDING):
                stack.callback(signal.signal, each, signal.signal(each, signal.SIG_DFL))
        yield


async def on_signals(
    take: Callable[[signal.Signals], None], *signals: signal.Signals, task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    """Call `take` with each of these signals as it comes, until cancelled; the task has started when it listens."""
    heeded = _heeded(signals)
    if not heeded:
        task_status.started()
        await trio.sleep_forever()
    with trio.open_signal_receiver(*heeded) as received:
        task_status.started()
        async for number in received:
            take(signal.Signals(number))


def _heeded(signals: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Return the signals that the parent does not make us ignore, as `nohup` does, and shells for background jobs."""
    return [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
