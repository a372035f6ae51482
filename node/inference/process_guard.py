"""Guards a model server of several processes and ends all of them when the node ends: the script of a child process.

The node starts this script in a session of its own and writes one line to its stdin, {"argv": [...], "env": {...}},
which it keeps open: the kernel closes it however the node ends. When it is closed, or when the server's first process
ends, every process of the session and every descendant is ended. The exit code is the server's.

Linux only: pidfds, /proc, and prctl. The script may import nothing but the standard library.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

SETTINGS_BYTES_MAX = 1024 * 1024
"""Bytes of the settings: arguments and a user's whole environment; Linux itself allows 2 MiB for both."""

TERM_S = 5.0
"""Seconds for an orderly end of the server: a GPU's memory is freed either way."""

KILL_S = 5.0
"""Seconds to wait until killed processes are gone; one that hangs in the GPU's driver may take longer."""

SIGNALLED = 128
"""Added to a signal's number for the exit code of a server that it ended, as in shells."""

_PAUSE_S = 0.02
"""Seconds between two checks for remaining processes: /proc has no notifications."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the server until it ends or stdin does."""
    settings = json.loads(sys.stdin.buffer.readline(SETTINGS_BYTES_MAX))
    # Orphans of the server become children of ours, so that they can be reaped.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        server = subprocess.Popen(
            settings["argv"],
            env=settings["env"],
            stdin=subprocess.DEVNULL,
            # If this script is killed, the first process goes too; the node ends the others at its next start.
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        print(f"cannot start {settings['argv'][0]}: {error.strerror}", file=sys.stderr, flush=True)
        return 127
    ended = os.pidfd_open(server.pid)
    stdin = sys.stdin.fileno()
    while True:
        readable, _, _ = select.select([stdin, ended], [], [])
        if ended in readable or not os.read(stdin, 4096):
            break
    if server.poll() is None:
        server.terminate()
        select.select([ended], [], [], TERM_S)
        server.kill()
    code = server.wait()
    end_all(os.getpid(), KILL_S)
    return code if code >= 0 else SIGNALLED - code


def end_all(session: int, patience_s: float, folder: Path | None = None) -> int:
    """Kill all processes of a session and all descendants of its leader, except ourselves, until none is left.

    `folder`: only those that work in it. Returns how many are left after `patience_s`: normally 0.
    """
    deadline_s = time.monotonic() + patience_s
    while left := [pid for pid in session_members(session) if folder is None or _works_in(pid, folder)]:
        if time.monotonic() > deadline_s:
            return len(left)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)
    return 0


def session_members(session: int) -> set[int]:
    """Return living processes of a session, and their descendants in any session; without ourselves."""
    children: dict[int, list[int]] = {}
    members = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        # It may end during the check.
        with suppress(OSError, ValueError, IndexError):
            # The name stands in brackets and may hold anything: the fields follow the last bracket.
            state, parent, _, own_session, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.name))
                if int(own_session) == session:
                    members.add(int(entry.name))
    heirs = [session, *members]
    while heirs:
        new = set(children.get(heirs.pop(), ())) - members
        members |= new
        heirs += new
    return members - {os.getpid()}


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
