"""Stores for tests: one owner, small entries, and any version's file from the fixtures."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from node.storage import (
    DATABASE_NAME,
    LIMITS,
    JournalEntry,
    Store,
    Synchronous,
    TableLimit,
    open_store,
)
from protocol.types import Digest, Kind

OWNER = b"o" * 32
NOW_MS = 1_000
BOOT = "this boot"

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stores"


def opened(
    folder: Path,
    *,
    fresh_key: bool = False,
    now_ms: int = NOW_MS,
    boot_id: str = BOOT,
    synchronous: Synchronous = "normal",
    **limits: TableLimit,
) -> AbstractAsyncContextManager[Store]:
    """Open OWNER's store; limits by table."""
    return open_store(
        folder,
        public_key=OWNER,
        fresh_key=fresh_key,
        now_ms=now_ms,
        boot_id=boot_id,
        synchronous=synchronous,
        limits={**LIMITS, **limits},
    )


def query(number: int) -> Digest:
    """Return a query's id."""
    return Digest(number.to_bytes(32, "big"))


def entry(number: int, *, kind: Kind = Kind.COMMIT, envelope: bytes = b"envelope") -> JournalEntry:
    """Return a journal entry of that query."""
    return JournalEntry(query(number), kind, 0, envelope, b"salt", created_ms=NOW_MS + number)


def copy_fixture(folder: Path, version: int) -> None:
    """Make the store that a strand of that version wrote."""
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.executescript((FIXTURES / f"v{version}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")


def version_of(folder: Path) -> int:
    """Return the version of the store's file."""
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
