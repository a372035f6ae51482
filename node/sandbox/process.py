"""Runs a prepared program in its own process namespace to its end, and ends it when it goes beyond its limits.

The program's first process is a shell of ours, the *gate*. It tells us that the namespace stands, by a message whose
sender the kernel certifies, and waits. We take hold of the namespace's first process and of its working folder, which
no file system names, and then let the gate start the command. When the gate ends, the kernel ends everything in the
namespace; what the command left in the working folder is read then, when nothing can change it.
"""

import os
import resource
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import trio

from node.sandbox.collecting import collect
from node.sandbox.measuring import out_of_memory_kills, usage
from node.sandbox.ports import Ending, Finished, Limits

SETUP_S_MAX: Final = 20.0
"""Seconds until the gate must have spoken: it takes 10 ms, and more on a machine with much to do."""

ENTRIES_MAX: Final = 1_024
"""Files and folders in the working folder: each takes a kilobyte of kernel memory, whatever its size."""

COMPLAINT_BYTES_MAX: Final = 2_048
"""Bytes of the error output that are read when the sandbox does not start."""

GATE: Final = (
    '[ -x "$1" ] || { echo "there is no program $1 in the sandbox" >&2; exit 125; }; '
    "unset PWD OLDPWD; echo >&0; read -r _ || exit 125; "
    # Its own remarks on how the command ended are nobody's output.
    'exec 3>&2 2>/dev/null; "$@" <"$0" 2>&3 3>&-; exit $?'
)
"""Shell script of the gate: its standard input is our socket, its name the file with the command's."""

_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of a message's sender, as the kernel states them."""

WATCH_S: Final = 0.05
"""Seconds between two looks at memory and CPU time: within them two cores touch some 200 MB."""

SIGNALLED: Final = 128
"""Exit codes above it tell a signal."""

_SIGNAL_MAX: Final = 64
_READ_BYTES: Final = 65_536

_NO_MEMORY: Final = b"memory allocation of "
"""Message of a Rust program before it aborts for want of memory."""

_NO_MEMORY_BYTES: Final = 4_096
"""Bytes at the end of the error output in which it may stand."""


class NotStartedError(Exception):
    """The sandbox could not be set up. The message is for the owner."""


class SandboxProcess:
    """One namespace with its command, from the first program that is started to the last file that is read."""

    def __init__(self, argv: Sequence[str], descriptors: Sequence[int], opened: ExitStack) -> None:
        """Start `argv`, a program that sets up the namespace and executes the gate in it, in its working folder.

        `descriptors`: those of ours that it reads; `opened`: holds what this opens. Raises OSError.
        """
        self._opened = opened
        self._gate, theirs = socket.socketpair()
        opened.callback(self._gate.close)
        # Before anything is sent: the kernel adds the sender only from then on.
        self._gate.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs, ExitStack() as ends:
            self._stdout, stdout = self._pipe(ends)
            self._stderr, stderr = self._pipe(ends)
            # In this thread, which lives as long as the node: the kernel ends the program with the thread that started
            # it. A worker thread of trio's ends when it has been idle.
            self._outer = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
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
        self._pid = 0
        self._held = self._folder = -1

    def _pipe(self, ends: ExitStack) -> tuple[int, int]:
        """Return the descriptors of a pipe: ours, and theirs, which is closed with `ends`."""
        ours, theirs = os.pipe()
        ends.callback(os.close, theirs)
        os.set_blocking(ours, False)
        return self._hold(ours), theirs

    def _hold(self, descriptor: int) -> int:
        self._opened.callback(os.close, descriptor)
        return descriptor

    async def enter(self) -> None:
        """Wait until the gate speaks, and take hold of the namespace. Raises NotStartedError.

        Cannot be cancelled: what has not spoken cannot be ended without leaving an orphan. It takes milliseconds.
        """
        gate = trio.socket.from_stdlib_socket(self._gate)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + SETUP_S_MAX):
            told, ancillary, _, _ = await gate.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
            if told:
                self._take_hold(_CREDENTIALS.unpack(ancillary[0][2])[0])
                return
        raise NotStartedError(await self._complaint())

    def _take_hold(self, pid: int) -> None:
        """Open what belongs to the namespace while the gate, its first process, waits for our word."""
        self._pid = pid
        self._held = self._hold(os.pidfd_open(pid))
        self._folder = self._hold(os.open(f"/proc/{pid}/cwd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        # If the machine runs out of memory all the same, this ends before anything of the owner's.
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")

    async def _complaint(self) -> str:
        """Return what the set-up said, in one line of bounded length."""
        self.kill()
        await self.end()
        # All who could write have ended: this does not wait.
        lines = os.read(self._stderr, COMPLAINT_BYTES_MAX).decode(errors="replace").splitlines()
        return lines[-1] if lines else f"it was not ready within {SETUP_S_MAX:.0f} s"

    async def run(self, limits: Limits, wanted: Mapping[str, int]) -> Finished:
        """Let the gate start the command, and wait for its end or bring it about.

        Returns what came of it. `wanted`: files to return, with the most bytes of each.
        """
        self._gate.send(b"\n")
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
        files = collect(self._folder, wanted)
        return Finished(ending, code, bytes(stdout), bytes(stderr), files, wall_s, cpu_s)

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
            used = usage(self._pid)
            self._cpu_s = max(self._cpu_s, used.cpu_s)
            if used.memory_bytes > limits.memory_bytes or self._has_too_many_files():
                self._stop(Ending.OUT_OF_MEMORY)
            elif used.cpu_s > limits.cpu_s:
                self._stop(Ending.OUT_OF_TIME)

    def _stop(self, why: Ending) -> None:
        self._why = self._why or why
        self.kill()

    def _has_too_many_files(self) -> bool:
        space = os.fstatvfs(self._folder)
        return space.f_files - space.f_ffree > ENTRIES_MAX

    def _is_full(self) -> bool:
        return not os.fstatvfs(self._folder).f_bavail

    def kill(self) -> None:
        """End everything in the namespace."""
        with suppress(ProcessLookupError):
            if self._held >= 0:
                # The kernel ends all others with the first process, and only then tells its parent.
                signal.pidfd_send_signal(self._held, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self._outer_held, signal.SIGKILL)

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
