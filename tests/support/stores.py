"""Stores for tests: one owner, small entries, and any version's file from the fixtures."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from pathlib import Path

from node.storage import (
    DATABASE_NAME,
    LIMITS,
    CertificateSummary,
    JournalEntry,
    OpenRound,
    Store,
    Synchronous,
    TableLimit,
    open_store,
)
from protocol.types import Digest, Key, Kind

OWNER = b"o" * 32
NOW_MS = 1_000
BOOT = "this boot"

ROOT = Path(__file__).parents[2]
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


async def kept(store: Store, rows_max: int = 100) -> list[CertificateSummary]:
    """What the stored certificates say, newest first."""
    return [row.summary for row in await store.list_certificates(None, rows_max)]


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


LATER_MS = 90_000
MESSAGES = 3
"""messages that a killed life wrote, of queries 1 to 3"""

JOINED = OpenRound(query(1), Key(b"r" * 32), LATER_MS * 2)

LIFE = """
import sys, trio
from pathlib import Path
from tests.support.stores import MESSAGES, entry, opened, query
from node.storage import OpenRound
from protocol.types import Key

async def main():
    async with opened(Path(sys.argv[1]), fresh_key=True, synchronous=sys.argv[2]) as store:
        for number in range(1, MESSAGES + 1):
            await store.write_journal([entry(number)])
        await store.put_round(OpenRound(query(1), Key(b"r" * 32), int(sys.argv[3])))
        print("written", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


def live_and_be_killed(folder: Path, synchronous: Synchronous) -> None:
    """Run a life in this boot that joins a round, writes one message, and does not get to close its store."""
    command = [sys.executable, "-c", LIFE, str(folder), synchronous, str(JOINED.deadline_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None and child.stdout.readline() == "written\n"
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL


@contextmanager
def refusing(store: Store) -> Iterator[None]:
    """Let SQLite refuse every write of an open store, as it does on a read-only disk."""
    connection = store._file.connection
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")
