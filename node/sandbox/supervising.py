"""Supervises a started program: its output, what it uses, how it ends, and that nothing of it is left."""

import os
import resource
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import trio

from node.sandbox.measuring import Usage, out_of_memory_kills
from node.sandbox.ports import Ending, Limits

WATCH_S: Final = 0.05
"""Seconds between two looks at memory and CPU time: within them two cores touch some 200 MB."""

SIGNALLED: Final = 128
"""Exit codes above it tell a signal."""

_SIGNAL_MAX: Final = 64
_READ_BYTES: Final = 65_536

_NO_MEMORY: Final = b"memory allocation of "
"""What a Rust program says before it aborts for want of memory."""

_NO_MEMORY_BYTES: Final = 4_096
"""Bytes at the end of the error output in which it may stand."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a supervised program ended."""

    ending: Ending
    code: int
    """Exit code, or the signal's number; 0 where neither applies."""
    stdout: bytes
    stderr: bytes
    wall_s: float
    cpu_s: float


class Supervised(ABC):
    """One program with all its descendants."""

    def __init__(self, argv: Sequence[str], descriptors: Sequence[int], stdin: int, opened: ExitStack) -> None:
        """Start `argv`. `descriptors`: those of ours that it keeps; `opened`: holds what this opens. Raises OSError."""
        self._opened = opened
        with ExitStack() as ends:
            self._stdout, stdout = self._pipe(ends)
            self._stderr, stderr = self._pipe(ends)
            # In this thread, which lives as long as the node: the kernel ends the program with the thread that started
            # it. A worker thread of trio's ends when it has been idle.
            self._outer = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=descriptors,
                env={},
                cwd="/",
                start_new_session=True,
            )
        self._outer_held = self._hold(os.pidfd_open(self._outer.pid))
        self._why: Ending | None = None
        self._cpu_s = 0.0
        self._used: resource.struct_rusage | None = None

    def _pipe(self, ends: ExitStack) -> tuple[int, int]:
        """Return the descriptors of a pipe: ours, and theirs, which is closed with `ends`."""
        ours, theirs = os.pipe()
        ends.callback(os.close, theirs)
        os.set_blocking(ours, False)
        return self._hold(ours), theirs

    def _hold(self, descriptor: int) -> int:
        self._opened.callback(os.close, descriptor)
        return descriptor

    @abstractmethod
    def kill(self) -> None:
        """End the program and all its descendants."""

    @abstractmethod
    def _measure(self) -> Usage:
        """Return what they use."""

    @abstractmethod
    def _has_too_many_files(self) -> bool:
        """Whether they made more files than they may."""

    @abstractmethod
    def _is_full(self) -> bool:
        """Whether no byte more fits where they may write."""

    async def _supervise(self, limits: Limits) -> Ended:
        """Wait for the program's end, or bring it about."""
        stdout, stderr = bytearray(), bytearray()
        kills_before = out_of_memory_kills()
        began = time.monotonic()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, self._stdout, stdout, limits.output_bytes)
            nursery.start_soon(self._read, self._stderr, stderr, limits.output_bytes)
            with trio.move_on_after(limits.wall_s) as waiting:
                async with trio.open_nursery() as beside:
                    beside.start_soon(self._watch, limits)
                    await trio.lowlevel.wait_readable(self._outer_held)
                    beside.cancel_scope.cancel()
            if waiting.cancelled_caught:
                self._stop(Ending.OUT_OF_TIME)
            used = await self.end()
        wall_s = time.monotonic() - began
        code = int(self._outer.returncode)
        ending = self._why or self._ending(code, bytes(stderr), has_killed=out_of_memory_kills() > kills_before)
        if ending is Ending.SIGNALLED:
            code -= SIGNALLED
        elif ending is not Ending.EXITED:
            code = 0
        cpu_s = max(self._cpu_s, used.ru_utime + used.ru_stime)
        return Ended(ending, code, bytes(stdout), bytes(stderr), wall_s, cpu_s)

    def _ending(self, code: int, stderr: bytes, *, has_killed: bool) -> Ending:
        """Return how a command ended that we did not end. `has_killed`: whether the kernel ran out of memory."""
        number = code - SIGNALLED
        match number:
            case signal.SIGXCPU:
                return Ending.OUT_OF_TIME
            case signal.SIGXFSZ:
                return Ending.TOO_MUCH_OUTPUT
            case signal.SIGABRT if _NO_MEMORY in stderr[-_NO_MEMORY_BYTES:]:
                return Ending.OUT_OF_MEMORY
            case signal.SIGKILL if has_killed:
                return Ending.OUT_OF_MEMORY
        if code and self._is_full():
            return Ending.TOO_MUCH_OUTPUT
        return Ending.SIGNALLED if 0 < number <= _SIGNAL_MAX else Ending.EXITED

    async def _read(self, pipe: int, content: bytearray, bytes_max: int) -> None:
        while True:
            await trio.lowlevel.wait_readable(pipe)
            chunk = os.read(pipe, _READ_BYTES)
            if not chunk:
                return
            content += chunk
            if len(content) > bytes_max:
                del content[bytes_max:]
                self._stop(Ending.TOO_MUCH_OUTPUT)
                return

    async def _watch(self, limits: Limits) -> None:
        """End the command when all its processes together take more than they may."""
        while True:
            await trio.sleep(WATCH_S)
            used = self._measure()
            self._cpu_s = max(self._cpu_s, used.cpu_s)
            if used.memory_bytes > limits.memory_bytes or self._has_too_many_files():
                self._stop(Ending.OUT_OF_MEMORY)
            elif used.cpu_s > limits.cpu_s:
                self._stop(Ending.OUT_OF_TIME)

    def _stop(self, why: Ending) -> None:
        self._why = self._why or why
        self.kill()

    async def end(self) -> resource.struct_rusage:
        """Kill what still runs, and wait until nothing is left. Returns what all of it used. Cannot be cancelled."""
        if self._used is None:
            self.kill()
            with trio.CancelScope(shield=True):
                await trio.lowlevel.wait_readable(self._outer_held)
            self._used = self._reap()
        return self._used

    def _reap(self) -> resource.struct_rusage:
        """Take note of the supervisor's end, which has come."""
        _, status, used = os.wait4(self._outer.pid, 0)
        self._outer.returncode = os.waitstatus_to_exitcode(status)
        return used
