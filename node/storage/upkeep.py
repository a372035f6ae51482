"""Care for a store's file from outside of a node: its size, a smaller one, a copy, and its removal.

A copy never holds the journal. A node that came back with an old journal would not know what its key has signed since,
and could sign a second message for a slot (R3). So a backup leaves the journal out, as a restored store begins a new
one: the node stays out of every round that began before it came back (R12), as after the loss of its store.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from node.files import remove_if_broken
from node.hardening import open_private
from node.storage.file import BUSY_S, DATABASE_NAME, HEAD_SUFFIX, only_process
from node.storage.health import explain, explain_os
from node.storage.quota import counted_bytes, enforce
from node.storage.records import StoreError
from node.storage.schema import STEPS, VERSION

CARRIED: Final = ("certificates", "rounds", "round_events", "learned", "served", "pause", "peers")
"""Tables that a copy holds."""

LEFT_OUT: Final = ("journal", "open_rounds", "seen_queries")
"""Tables that a copy does not hold: what the key has signed and seen, which a copy cannot know up to the end."""

KEPT_BY_SCHEMA: Final = ("meta", "usage")
"""Tables that each file has anew."""

_FILES: Final = ("", "-wal", "-shm", HEAD_SUFFIX)
"""Suffixes of a store's files."""


Copied = Mapping[str, int]
"""Rows that were copied, by table."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """Contents of one table."""

    rows: int
    bytes: int
    """Counted bytes of its rows; 0 for tables whose rows are small."""


@dataclass(frozen=True, slots=True)
class StoreSize:
    """Size of a store."""

    tables: Mapping[str, TableSize]
    counted_bytes: int
    """Counted bytes of all tables, which the quota bounds."""
    file_bytes: int
    """Bytes of the files on the disk."""
    free_bytes: int
    """Bytes of the file that are free to be used again."""
    journal_began_ms: int
    """Time from which the journal is complete; 0: it always was."""
    owner: bytes
    """Public key of the node."""


def size(folder: Path) -> StoreSize:
    """Measure the store in `folder`, also while a node runs on it. Raises StoreError."""
    path = folder / DATABASE_NAME
    with _reading(path) as connection:
        rows = connection.execute("SELECT name, rows, bytes FROM usage ORDER BY name").fetchall()
        (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        owner, began_ms = connection.execute("SELECT public_key, journal_began_ms FROM meta").fetchone()
        files = [path.with_name(path.name + suffix) for suffix in _FILES]
        return StoreSize(
            tables={name: TableSize(count, size_bytes) for name, count, size_bytes in rows},
            counted_bytes=counted_bytes(connection),
            file_bytes=sum(each.stat().st_size for each in files if each.exists()),
            free_bytes=pages * page_bytes,
            journal_began_ms=began_ms,
            owner=owner,
        )


def prune(folder: Path, bytes_max: int | None) -> tuple[int, int]:
    """Bring a store that no node uses within `bytes_max` (None: as it is), and give free pages back to the disk.

    Returns the rows that were deleted, and the bytes by which its files shrank. Raises StoreError.
    """
    with only_process(folder):
        before = size(folder)
        path = folder / DATABASE_NAME
        with _explained(path), closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            _require_version(connection, path, exactly=True)
            with connection:
                deleted = 0 if bytes_max is None else enforce(connection, bytes_max)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted, before.file_bytes - size(folder).file_bytes


def back_up(folder: Path, target: Path) -> Copied:
    """Copy the store in `folder`, also while a node runs on it, to the new file `target`.

    Returns the rows of each table that was copied. Raises StoreError.
    """
    return _copy(folder / DATABASE_NAME, target, 0, None)


def restore(folder: Path, source: Path, owner: bytes, now_ms: int) -> Copied:
    """Make a store in `folder`, which has none, of a backup of the node with the public key `owner`.

    Returns the rows of each table. Raises StoreError.
    """
    with only_process(folder):
        path = folder / DATABASE_NAME
        if path.exists():
            raise StoreError(f"there is a store {path} already: remove it by `strand reset`, or move it away")
        return _copy(source, path, now_ms, owner)


def remove(folder: Path, *others: str) -> None:
    """Remove the store in `folder`, which no node uses, and then `others` of its files. Raises StoreError."""
    with only_process(folder):
        try:
            for name in (*(DATABASE_NAME + suffix for suffix in _FILES), *others):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise explain_os(error, folder) from error


def _copy(source: Path, target: Path, now_ms: int, owner: bytes | None) -> Copied:
    """Write a new store file with the CARRIED tables of `source`, in its version, and with an empty journal.

    The new journal is complete from `now_ms` on at the earliest, and after the last message of the one that is left
    out. Besides, the file is marked as one whose end was not clean: whoever puts it in place by hand gets a new journal
    from the next start on, too.
    """
    with _reading(source) as connection:
        if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StoreError(f"{source} is damaged ({found}): take another backup")
        version = _require_version(connection, source, exactly=False)
        key, began_ms = connection.execute("SELECT public_key, journal_began_ms FROM meta").fetchone()
        last = connection.execute("SELECT max(created_ms) FROM journal").fetchone()[0]
        if owner is not None and key != owner:
            raise StoreError(f"{source} belongs to the key {key.hex()}, not to {owner.hex()}: restore that key first")
        try:
            open_private(target, "xb").close()
        except FileExistsError as error:
            raise StoreError(f"{target} exists already: name a new file") from error
        except OSError as error:
            raise explain_os(error, target) from error
        with remove_if_broken(target), _explained(target), closing(_connect(target, "rw")) as copy:
            for number, step in enumerate(STEPS[:version], 1):
                first = f"INSERT INTO meta VALUES (1, x'{key.hex()}', 0);" if number == 1 else ""
                copy.executescript(f"{step} {first} PRAGMA user_version = {number};")
            return _carry(connection, copy, max(now_ms, began_ms, 0 if last is None else last + 1))


def _carry(source: sqlite3.Connection, copy: sqlite3.Connection, began_ms: int) -> Copied:
    """Copy the tables row by row, within one transaction of each connection: the source's is one moment of it."""
    copied: dict[str, int] = {}
    with source, copy:
        source.execute("BEGIN")
        copy.execute("BEGIN")
        for table in CARRIED:
            columns = _columns(copy, table)
            if not columns:
                continue
            rows = source.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")
            marks = ", ".join("?" * len(columns))
            copied[table] = 0
            for row in rows:
                copy.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)
                copied[table] += 1
        copy.execute("UPDATE meta SET journal_began_ms = ?", (began_ms,))
        if "unsynced_boot" in _columns(copy, "meta"):
            copy.execute("UPDATE meta SET unsynced_boot = ''")
    return copied


def _columns(connection: sqlite3.Connection, table: str) -> Sequence[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _require_version(connection: sqlite3.Connection, path: Path, *, exactly: bool) -> int:
    """Return the file's version. Raises StoreError if this strand cannot read it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 < version <= VERSION:
        raise StoreError(f"{path} is no store of a strand up to this version (its own is {version})")
    if exactly and version != VERSION:
        raise StoreError(f"{path} is of an earlier strand: start the node once, which brings it up to date")
    return int(version)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store's file for reading only. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"there is no store {path}")
    with _explained(path), closing(_connect(path, "ro")) as connection:
        yield connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, timeout=BUSY_S)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Translate SQLite's errors in the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
