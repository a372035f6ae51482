"""What a damaged file means: bytes that are missing from the journal's end cost a vote, never a second one."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from node.storage import DATABASE_NAME, CertificateSummary, StoreError, Synchronous
from protocol.types import Outcome
from tests.support.stores import (
    JOINED,
    LATER_MS,
    MESSAGES,
    copy_fixture,
    entry,
    opened,
    query,
)

WAL = f"{DATABASE_NAME}-wal"

KilledLife = Callable[[Synchronous], None]
"""See conftest."""


def cut(wal: Path) -> None:
    """Lose the last transaction."""
    raw = wal.read_bytes()
    wal.write_bytes(raw[: len(raw) * 3 // 4])


def scratch(wal: Path) -> None:
    """Turn one byte in the last quarter."""
    raw = bytearray(wal.read_bytes())
    raw[len(raw) * 7 // 8] ^= 0xFF
    wal.write_bytes(raw)


def empty(wal: Path) -> None:
    wal.write_bytes(b"")


def lose(wal: Path) -> None:
    wal.unlink()
    wal.with_name(f"{DATABASE_NAME}-shm").unlink(missing_ok=True)


def garble(wal: Path) -> None:
    wal.write_bytes(b"garbage" * 5_000)


@pytest.mark.parametrize("damage", [cut, scratch, empty, lose, garble])
async def test_a_journal_that_lost_its_end_is_silent(tmp_path: Path, killed_life: KilledLife, damage: object) -> None:
    """Given a killed life whose write-ahead log is damaged, then SQLite reads what is before the damage and says
    nothing, and yet the node stays out of all that it may have signed (R12)."""
    assert callable(damage)
    killed_life("normal")
    damage(tmp_path / WAL)
    async with opened(tmp_path, now_ms=LATER_MS) as store:
        assert await store.journal(query(MESSAGES)) == []
        assert await store.rounds_to_recover(LATER_MS) == []
        assert store.journal_began_ms == LATER_MS
        await store.write_journal([entry(9)])
    async with opened(tmp_path, now_ms=2 * LATER_MS) as store:
        assert store.journal_began_ms == LATER_MS
        assert await store.journal(query(9)) == [entry(9)]


async def test_a_torn_write_of_the_next_message_costs_nothing(tmp_path: Path, killed_life: KilledLife) -> None:
    """Given a life that was killed while it wrote a message it had not sent, then all that it sent is repeated."""
    killed_life("normal")
    with (tmp_path / WAL).open("ab") as wal:
        wal.write(b"half of a page" * 100)
    async with opened(tmp_path, now_ms=LATER_MS) as store:
        assert [await store.journal(query(number)) for number in (1, 2, 3)] == [[entry(n)] for n in (1, 2, 3)]
        assert store.journal_is_complete
        assert await store.rounds_to_recover(LATER_MS) == [JOINED]


async def test_an_older_copy_of_the_file_is_silent(tmp_path: Path) -> None:
    """Given a file that somebody copied before more was signed, when it is moved back, then it does not sign again."""
    async with opened(tmp_path, fresh_key=True) as store:
        await store.write_journal([entry(1)])
    copy = (tmp_path / DATABASE_NAME).read_bytes()
    async with opened(tmp_path) as store:
        await store.write_journal([entry(2)])
    (tmp_path / DATABASE_NAME).write_bytes(copy)
    async with opened(tmp_path, now_ms=LATER_MS) as store:
        assert store.journal_began_ms == LATER_MS


async def test_a_damaged_page_is_told_with_what_to_do_and_nothing_is_deleted(tmp_path: Path) -> None:
    """Given a file whose certificates are overwritten, then it opens, and reading them says what to do, in one line."""
    async with opened(tmp_path, fresh_key=True) as store:
        summary = CertificateSummary(query(1), Outcome.DECIDED, b"w" * 32, 1)
        await store.put_certificate(summary, b"certificate" * 1_000)
    path = tmp_path / DATABASE_NAME
    overwrite_table(path, "certificates")
    before = path.read_bytes()
    async with opened(tmp_path) as store:
        with pytest.raises(StoreError, match=r"strand\.db is damaged .*: move it and strand\.db-wal away") as refused:
            await store.certificate(query(1))
    assert "\n" not in str(refused.value)
    assert len(path.read_bytes()) == len(before)


async def test_after_a_power_cut_every_page_is_looked_at(tmp_path: Path, killed_life: KilledLife) -> None:
    killed_life("normal")
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite_table(tmp_path / DATABASE_NAME, "certificates")
    with pytest.raises(StoreError, match="is damaged"):
        async with opened(tmp_path, boot_id="another boot"):
            pass


async def test_garbage_for_a_database_is_refused_and_kept(tmp_path: Path) -> None:
    copy_fixture(tmp_path, 3)
    path = tmp_path / DATABASE_NAME
    garbage = b"garbage" + path.read_bytes()[7:]
    path.write_bytes(garbage)
    with pytest.raises(StoreError, match=r"is damaged \(file is not a database\)"):
        async with opened(tmp_path):
            pass
    assert path.read_bytes() == garbage


def overwrite_table(path: Path, table: str) -> None:
    """Write garbage over the first page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)
