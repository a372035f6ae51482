"""Runs a prepared program in its own process namespace to its end, and ends it when it goes beyond its limits.

The program's first process is a shell of ours, the *gate*. It tells us that the namespace stands, by a message whose
sender the kernel certifies, and waits. We take hold of the namespace's first process and of its working folder, which
no file system names, and then let the gate start the command. When the gate ends, the kernel ends everything in the
namespace; what the command left in the working folder is read then, when nothing can change it.
"""

import os
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import trio

from node.sandbox.collecting import collect
from node.sandbox.measuring import Usage, usage
from node.sandbox.ports import Finished, Limits
from node.sandbox.supervising import Supervised

SETUP_S_MAX: Final = 20.0
"""Seconds until the gate must have spoken: it takes 10 ms, and more on a machine with much to do."""

ENTRIES_MAX: Final = 1_024
"""Files and folders in the working folder: each takes a kilobyte of kernel memory, whatever its size."""

COMPLAINT_BYTES_MAX: Final = 2_048
"""Bytes of what the sandbox said when it did not start."""

GATE: Final = (
    '[ -x "$1" ] || { echo "there is no program $1 in the sandbox" >&2; exit 125; }; '
    "unset PWD OLDPWD; echo >&0; read -r _ || exit 125; "
    # Its own remarks on how the command ended are nobody's output.
    'exec 3>&2 2>/dev/null; "$@" <"$0" 2>&3 3>&-; exit $?'
)
"""What the gate does: its standard input is our socket, its name the file with the command's."""


_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of who sent a message, as the kernel tells it."""


class NotStartedError(Exception):
    """The sandbox could not be set up. The message is for the owner."""


class Jail(Supervised):
    """One namespace with its command, from the first program that is started to the last file that is read."""

    def __init__(self, argv: Sequence[str], descriptors: Sequence[int], opened: ExitStack) -> None:
        """Start `argv`, a program that sets up the namespace and executes the gate in it, in its working folder.

        `descriptors`: those of ours that it reads; `opened`: holds what this opens. Raises OSError.
        """
        self._gate, theirs = socket.socketpair()
        opened.callback(self._gate.close)
        # Before anything is sent: the kernel adds the sender only from then on.
        self._gate.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            super().__init__(argv, descriptors, theirs.fileno(), opened)
        self._pid = 0
        self._held = self._folder = -1

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
        """Let the gate start the command; return what came of it. `wanted`: files, with the most bytes of each."""
        self._gate.send(b"\n")
        ended = await self._supervise(limits)
        files = collect(self._folder, wanted)
        return Finished(ended.ending, ended.code, ended.stdout, ended.stderr, files, ended.wall_s, ended.cpu_s)

    def _measure(self) -> Usage:
        return usage(self._pid)

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
