"""The store's file: exclusive access, recovery at the start, and the end of a run."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from node.storage import tables
from node.storage.health import explain, explain_os
from node.storage.records import StoreError
from node.storage.schema import migrate

DATABASE_NAME: Final = "strand.db"
LOCK_NAME: Final = "strand.lock"

HEAD_SUFFIX: Final = "-head"
HEAD_BYTES: Final = 8

BUSY_S: Final = 1.0
"""Seconds to wait for another program's lock on the file (such as SQLite's shell): the event loop waits, too."""

Synchronous = Literal["normal", "full"]


@dataclass(frozen=True, slots=True)
class Start:
    """The data that a start of the node has when it opens its store."""

    public_key: bytes
    fresh_key: bool
    """Whether the key was made in this same start: only then is a new journal complete (R12)."""
    now_ms: int
    boot_id: str
    """The kernel's present boot; empty if unknown: then each end that was not clean counts as a power cut."""
    synchronous: Synchronous


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel releases however the process ends. Raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise explain_os(error, folder) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreError(f"another strand uses {folder}: stop it, or give this one a data_dir of its own") from error
    try:
        yield
    finally:
        os.close(lock)


class StoreFile:
    """The database, and beside it the age of the journal's last row.

    SQLite reads a write-ahead log up to the first wrong byte, and treats a missing one as empty. Rows of the journal
    that it then omits show only in the second file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, head: int) -> None:
        self.path = path
        self.connection = connection
        self._head = head

    def note_head(self, age: int) -> None:
        """Store the age of the journal's last row. Raises StoreBlockedError."""
        try:
            os.pwrite(self._head, age.to_bytes(HEAD_BYTES, "big"), 0)
        except OSError as error:
            raise explain_os(error, self.path) from error

    def noted_head(self) -> int:
        """Return the last stored age; 0 if there is none."""
        return int.from_bytes(os.pread(self._head, HEAD_BYTES, 0), "big")

    def close(self) -> None:
        """Close the file. If the disk allows, record that everything is on the disk: no later power cut can take it."""
        os.close(self._head)
        with closing(self.connection), suppress(sqlite3.Error):
            self.connection.execute("PRAGMA synchronous = FULL")
            with self.connection:
                self.connection.execute("UPDATE meta SET unsynced_boot = NULL")


def open_file(path: Path, start: Start) -> StoreFile:
    """Open, or create, the file, and record in it that a run has begun. Raises StoreError."""
    try:
        # The journal holds salts that nobody may see before they are opened. SQLite gives the WAL the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        head = os.open(path.with_name(path.name + HEAD_SUFFIX), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise explain_os(error, path) from error
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    except sqlite3.Error as error:
        os.close(head)
        raise explain(error, path) from error
    file = StoreFile(path, connection, head)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # The store decides when: SQLite would do it within whatever commit fills a thousandth page.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        _begin(file, start)
    except (sqlite3.Error, StoreError) as error:
        connection.close()
        os.close(head)
        raise explain(error, path) if isinstance(error, sqlite3.Error) else error from error
    return file


def _begin(file: StoreFile, start: Start) -> None:
    connection = file.connection
    # A commit with FULL waits until the disk holds the whole write-ahead log, earlier commits included.
    connection.execute("PRAGMA synchronous = FULL")
    found = migrate(connection, file.path, start.public_key, 0 if start.fresh_key else start.now_ms)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (unsynced,) = connection.execute("SELECT unsynced_boot FROM meta").fetchone()
        head = tables.journal_head(connection)
        if found > 0 and unsynced is not None and (unsynced != start.boot_id or not start.boot_id):
            _check(connection)
            _fall_silent(connection, start.now_ms)
        elif found > 0 and head < file.noted_head():
            _fall_silent(connection, start.now_ms)
        # Before the first commit without a wait: a power cut must find this mark, whatever else it takes.
        unsynced = start.boot_id if start.synchronous == "normal" else None
        connection.execute("UPDATE meta SET unsynced_boot = ?", (unsynced,))
    file.note_head(head)
    connection.execute(f"PRAGMA synchronous = {start.synchronous}")


def _check(connection: sqlite3.Connection) -> None:
    """Check every page: two seconds a GiB from memory. Raises sqlite3.DatabaseError if one is wrong."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _fall_silent(connection: sqlite3.Connection, now_ms: int) -> None:
    """R12: the journal's end may be lost, so leave all earlier rounds and repeat nothing.

    A clock set back by the reboot is no way around: queries dated before our last message are refused, too.
    """
    last = connection.execute("SELECT created_ms FROM journal ORDER BY age DESC LIMIT 1").fetchone()
    began_ms = now_ms if last is None else max(now_ms, last[0] + 1)
    connection.execute("UPDATE meta SET journal_began_ms = max(journal_began_ms, ?)", (began_ms,))
    connection.execute("DELETE FROM open_rounds")
