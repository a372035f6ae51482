"""Protection of a process's secrets: the modes of its files, and no dumps of its memory."""

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import IO, Any, Final

_PR_SET_DUMPABLE: Final = 4

PRIVATE_MODE: Final = 0o600
"""Mode of private files."""


def keep_private() -> None:
    """Make every file that this process and its children write private to its user (umask 077)."""
    os.umask(0o077)


def forbid_dumps() -> None:
    """Prevent core dumps of this process and its children, and access to its memory by other processes of the user.

    The price: debuggers and profilers (gdb, strace, py-spy) attach as root only, and its /proc entries are root's, so
    that a user's own `ls -l /proc/PID/fd` is refused. Programs that it starts are as readable as before.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def open_private(file: Path, mode: str) -> IO[Any]:
    """Open a file as `Path.open` does; a new one is private to its user. Raises OSError."""
    # Path.open has no opener.
    encoding = None if "b" in mode else "utf-8"
    return open(file, mode, encoding=encoding, opener=_opener)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, PRIVATE_MODE)


def open_to_others(file: Path) -> bool:
    """Whether users other than its owner may read or write `file`; False if there is none."""
    try:
        return bool(file.stat().st_mode & 0o077)
    except OSError:
        return False
