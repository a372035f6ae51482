"""Signals that end a command in an orderly way."""

import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""A service manager's or shell's `kill`, and a terminal that is closed."""


async def until_ended(work: Callable[[], Awaitable[int | None]]) -> int:
    """Run a command and return its exit code; one of ENDING cancels it: 128 and the signal's number, as in shells."""
    ended_by: list[int] = []
    with _heard(*ENDING) as received, trio.CancelScope() as scope:
        # Heard before the command's first step, which may make a folder. A nursery would wrap the command's errors.
        trio.lowlevel.spawn_system_task(_cancel, received, scope, ended_by)
        return int(await work() or 0)
    return 128 + ended_by[0]


async def first_signal(*signals: signal.Signals) -> int:
    """Wait for one of these signals."""
    with _heard(*signals) as received:
        return await _next(received)


@contextmanager
def _heard(*signals: signal.Signals) -> Iterator[AsyncIterator[int] | None]:
    """Hear these signals. What the parent has us ignore stays ignored: `nohup`, jobs in the background."""
    heard = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    if not heard or threading.current_thread() is not threading.main_thread():
        yield None
        return
    with trio.open_signal_receiver(*heard) as received:
        yield received


async def _next(received: AsyncIterator[int] | None) -> int:
    if received is None:
        await trio.sleep_forever()
    return await anext(received)


async def _cancel(received: AsyncIterator[int] | None, scope: trio.CancelScope, ended_by: list[int]) -> None:
    ended_by.append(await _next(received))
    scope.cancel()
