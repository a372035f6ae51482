"""The health of the disk: the meaning of its refusals for the node, and the user's remedy."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from node.signals import Signal
from node.storage.records import StoreBlockedError, StoreError

ROOM_BYTES: Final = 4 * 1024 * 1024
"""Bytes that must be free before work continues after a refusal: some hundred messages and a few certificates, so that
the last few kilobytes do not alternate between success and refusal."""

_SCRATCH_SUFFIX: Final = "-room"

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_REFUSED: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_FAILED: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    }
)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Health:
    """The state of the disk. `trouble` is empty while writes succeed, else one line for the user."""

    def __init__(self) -> None:
        self.trouble = ""
        self._changed = Signal()

    def __str__(self) -> str:
        return self.trouble or "ok"

    @property
    def blocked(self) -> bool:
        """Whether new work must wait, because it could not be journalled."""
        return bool(self.trouble)

    def tell(self, trouble: str) -> None:
        """Set the reason why the disk refuses writes; empty: it accepts them again."""
        self.trouble = trouble
        self._changed.fire()

    async def wait(self, *, blocked: bool) -> None:
        """Wait until the disk refuses, or until it no longer does."""
        await self._changed.wait_until(lambda: self.blocked is blocked)


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """Translate an error of SQLite: a StoreBlockedError if it may end by itself, else a StoreError."""
    # The low byte is the kind of error, the others are details.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _no_room(path)
    if code in _REFUSED:
        return _forbidden(path)
    if code in _FAILED:
        return _failing(path, str(error))
    if code in _DAMAGED:
        return StoreError(
            f"{path} is damaged ({error}): move it and {path.name}-wal away and start again; the node then stays out "
            "of rounds that began before, and has only those certificates that others still hold"
        )
    return StoreError(f"the store {path} failed: {error}")


def explain_os(error: OSError, path: Path) -> StoreBlockedError:
    """Translate the kernel's refusal."""
    if error.errno in _NO_ROOM:
        return _no_room(path)
    if error.errno in _FORBIDDEN:
        return _forbidden(path)
    return _failing(path, error.strerror or str(error))


def try_room(path: Path) -> None:
    """Allocate ROOM_BYTES on the disk that holds `path`, and free them. Raises StoreBlockedError."""
    scratch = path.with_name(path.name + _SCRATCH_SUFFIX)
    try:
        descriptor = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, ROOM_BYTES)
        finally:
            os.close(descriptor)
            scratch.unlink()
    except OSError as error:
        raise explain_os(error, path) from error


def _no_room(path: Path) -> StoreBlockedError:
    mib = ROOM_BYTES >> 20
    return StoreBlockedError(f"full: no room for {path}: free some space (at least {mib} MiB), or move its data_dir")


def _forbidden(path: Path) -> StoreBlockedError:
    return StoreBlockedError(
        f"read-only: {path} may not be written: make its file, folder and file system writable for this user"
    )


def _failing(path: Path, why: str) -> StoreBlockedError:
    return StoreBlockedError(f"failing: {path} cannot be read or written ({why}): look after its disk")
