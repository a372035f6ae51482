"""The store's quota: the oldest history goes first, the journal's needed part never."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.config import NodeTable
from node.storage import DATABASE_NAME, AskedRound, CertificateSummary, JournalEntry, Store, open_store
from node.storage.quota import JOURNAL_KEPT_MS, counted_bytes, enforce
from protocol.types import Kind, Outcome
from tests.support.stores import NOW_MS, OWNER, query

CERTIFICATE_BYTES = 1_000


async def put_certificate(store: Store, number: int, at_ms: int) -> None:
    summary = CertificateSummary(query(number), Outcome.DECIDED, b"", at_ms)
    await store.put_certificate(summary, bytes(CERTIFICATE_BYTES))


def asked(number: int, at_ms: int) -> AskedRound:
    return AskedRound(query(number), at_ms, "code", False, "decided", "finished", "t" * 500, b"s" * 250, b"b" * 250)


def message(number: int, at_ms: int, size: int = 1_000) -> JournalEntry:
    return JournalEntry(query(number), Kind.COMMIT, 0, bytes(size), b"", at_ms)


def store_of(folder: Path, bytes_max: int):  # type: ignore[no-untyped-def]
    return open_store(folder, public_key=OWNER, fresh_key=True, now_ms=NOW_MS, bytes_max=bytes_max)


async def test_the_oldest_history_goes_first_of_whichever_table(tmp_path: Path) -> None:
    async with store_of(tmp_path, 5_000) as store:
        for number in (1, 3, 5, 7):
            await put_certificate(store, number, number)
            await store.put_asked(asked(number + 1, number + 1))
        kept = [number for number in range(1, 9, 2) if await store.certificate(query(number)) is not None]
        assert kept == [5, 7]
        assert [number for number in range(2, 9, 2) if await store.asked(query(number)) is not None] == [4, 6, 8]


async def test_the_journal_of_rounds_that_may_be_open_stays_whatever_the_quota_says(tmp_path: Path) -> None:
    async with store_of(tmp_path, 3_000) as store:
        for number in range(10):
            await store.write_journal([message(number, NOW_MS + number)])
        await put_certificate(store, 99, NOW_MS)
        assert await store.certificate(query(99)) is None, "there is no room for history"
        assert all([await store.journal(query(number)) for number in range(10)])
        assert store.journal_is_complete


async def test_of_the_journal_only_what_no_round_can_need_is_deleted(tmp_path: Path) -> None:
    now_ms = NOW_MS + 2 * JOURNAL_KEPT_MS
    async with store_of(tmp_path, 0) as store:
        await store.write_journal([message(1, now_ms - JOURNAL_KEPT_MS - 1)])
        await store.write_journal([message(2, now_ms - JOURNAL_KEPT_MS)])
        await store.write_journal([message(3, now_ms)])
    async with store_of(tmp_path, 1_000) as store:
        assert [bool(await store.journal(query(number))) for number in (1, 2, 3)] == [False, True, True]
        # R12: what was deleted may have been signed in any round up to then.
        assert store.journal_began_ms == now_ms - JOURNAL_KEPT_MS


async def test_without_a_quota_nothing_is_deleted(tmp_path: Path) -> None:
    async with store_of(tmp_path, 0) as store:
        for number in range(20):
            await put_certificate(store, number, number)
        assert await store.count_certificates() == 20
        assert await store.counted_bytes() == 20 * CERTIFICATE_BYTES


async def test_the_count_is_exact_after_many_deletions(tmp_path: Path) -> None:
    async with store_of(tmp_path, 0) as store:
        for number in range(600):
            await put_certificate(store, number, number)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection, connection:
        assert enforce(connection, 100 * CERTIFICATE_BYTES) >= 500
        (real,) = connection.execute("SELECT sum(length(bytes)) FROM certificates").fetchone()
        assert counted_bytes(connection) == real <= 100 * CERTIFICATE_BYTES
        assert real >= 97 * CERTIFICATE_BYTES, "little more is deleted than must be"
        assert enforce(connection, 0) and enforce(connection, 0) == 0


def test_a_quota_that_would_leave_no_history_is_refused() -> None:
    NodeTable(store_bytes_max=16 << 20)
    with pytest.raises(ValueError, match="store_bytes_max must be at least"):
        NodeTable(store_bytes_max=1_000_000)
