"""The store's file: who may open it, what a start finds of the life before, and how a life ends."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from node.storage.records import StoreError
from node.storage.schema import migrate

DATABASE_NAME: Final = "strand.db"
LOCK_NAME: Final = "strand.lock"

Synchronous = Literal["normal", "full"]


@dataclass(frozen=True, slots=True)
class Start:
    """What a start of the node knows when it opens its store."""

    public_key: bytes
    fresh_key: bool
    """Whether the key was made in this same start: only then is a new journal a complete one (R12)."""
    now_ms: int
    boot_id: str
    """The kernel's present boot; empty if it names none: then each end that was not clean counts as a power cut."""
    synchronous: Synchronous


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. The kernel lets go of it when the process dies, however it dies. Raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use the folder {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreError(f"another strand uses {folder}: stop it, or give this one a data_dir of its own") from error
    try:
        yield
    finally:
        os.close(lock)


def connect(path: Path, start: Start) -> sqlite3.Connection:
    """Open, or create, the file, and note in it that a life has begun. Raises StoreError."""
    try:
        # The journal holds salts that nobody may see before they are opened. SQLite gives the WAL the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # The store says when: SQLite would do it within whatever commit fills a thousandth page.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        _begin(connection, path, start)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"cannot read {path}: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def disconnect(connection: sqlite3.Connection) -> None:
    """Close the file; where the disk allows, note that all of it is on the disk: no later power cut can take it."""
    with closing(connection), suppress(sqlite3.Error):
        connection.execute("PRAGMA synchronous = FULL")
        with connection:
            connection.execute("UPDATE meta SET unsynced_boot = NULL")


def _begin(connection: sqlite3.Connection, path: Path, start: Start) -> None:
    # A commit with FULL waits for the disk to hold the whole write-ahead log, what was committed before included.
    connection.execute("PRAGMA synchronous = FULL")
    found = migrate(connection, path, start.public_key, 0 if start.fresh_key else start.now_ms)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (unsynced,) = connection.execute("SELECT unsynced_boot FROM meta").fetchone()
        if found > 0 and unsynced is not None and (unsynced != start.boot_id or not start.boot_id):
            _fall_silent(connection, start.now_ms)
        # Before the first commit that is not waited for: a power cut must find this mark, whatever else it takes.
        unsynced = start.boot_id if start.synchronous == "normal" else None
        connection.execute("UPDATE meta SET unsynced_boot = ?", (unsynced,))
    connection.execute(f"PRAGMA synchronous = {start.synchronous}")


def _fall_silent(connection: sqlite3.Connection, now_ms: int) -> None:
    """R12: the journal's end may be lost, so we stay out of all rounds of before, and repeat nothing.

    A clock that was set back by the reboot is of no help: what is dated before our last message is refused, too.
    """
    last = connection.execute("SELECT created_ms FROM journal ORDER BY age DESC LIMIT 1").fetchone()
    began_ms = now_ms if last is None else max(now_ms, last[0] + 1)
    connection.execute("UPDATE meta SET journal_began_ms = max(journal_began_ms, ?)", (began_ms,))
    connection.execute("DELETE FROM open_rounds")
