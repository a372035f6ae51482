"""Signals that end a command in an orderly way."""

import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Final

import trio

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""A service manager's or shell's `kill`, and a terminal that is closed."""


async def until_ended(work: Callable[[], Awaitable[int | None]]) -> int:
    """Run a command and return its exit code; one of ENDING cancels it: 128 and the signal's number, as in shells."""
    ended_by: list[int] = []
    with trio.CancelScope() as scope:
        if threading.current_thread() is threading.main_thread():
            trio.lowlevel.spawn_system_task(_cancel, scope, ended_by)
        return int(await work() or 0)
    return 128 + ended_by[0]


async def first_signal(*signals: signal.Signals) -> int:
    """Wait for one of these signals. What the parent has us ignore stays ignored: `nohup`, jobs in the background."""
    heard = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*heard) as received:
        async for number in received:
            return number
    raise AssertionError("a signal receiver never ends")


async def _cancel(scope: trio.CancelScope, ended_by: list[int]) -> None:
    ended_by.append(await first_signal(*ENDING))
    scope.cancel()
