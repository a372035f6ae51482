"""Every version of the store's file that was ever released opens with all that is in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.storage import (
    DATABASE_NAME,
    Acquaintance,
    AskedRound,
    CertificateSummary,
    JournalEntry,
    Learned,
    OpenRound,
    ServedHour,
    StoreError,
    schema,
)
from protocol.types import Key, Kind, Outcome
from tests.support.stores import FIXTURES, NOW_MS, OWNER, copy_fixture, kept, opened, query, version_of

VERSIONS = range(1, schema.VERSION + 1)

LATER_MS = 5_000
"""Time of the start that migrates: before the deadlines in the fixtures."""


def test_every_version_has_its_fixture() -> None:
    assert {path.name for path in FIXTURES.glob("*.sql")} == {f"v{version}.sql" for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_store_of_any_version_opens_and_all_is_there(tmp_path: Path, version: int) -> None:
    """See tests/fixtures/stores/make.py for what was written. Before version 3 no file says that it was closed."""
    copy_fixture(tmp_path, version)
    assert version_of(tmp_path) == version
    was_closed = version >= 3
    async with opened(tmp_path, now_ms=LATER_MS) as store:
        assert await store.journal(query(1)) == [
            JournalEntry(query(1), Kind.COMMIT, 0, b"commit", b"salt", NOW_MS + 1),
            JournalEntry(query(1), Kind.BALLOT, 1, b"ballot", b"", NOW_MS + 2),
        ]
        assert await store.certificate(query(1)) == b"certificate"
        summary = CertificateSummary(query(1), Outcome.DECIDED, b"w" * 32, NOW_MS + 3)
        assert await kept(store) == [summary]
        assert not await store.admit_query(query(2), expires_ms=LATER_MS, now_ms=LATER_MS)
        assert await store.learned("rust") == ([Learned("standing", b"a", b"{}")] if version >= 2 else [])
        assert await store.served(7) == ([ServedHour(7, b"r" * 32, 1, 2, 3)] if version >= 4 else [])
        assert await store.pause() == (NOW_MS + 60_000 if version >= 4 else 0)
        met = [Acquaintance(bytes([n]) * 32, (f"/ip4/10.0.0.{n}/tcp/1",), n == 1, NOW_MS + n) for n in (1, 2)]
        assert await store.peers(0) == (met if version >= 5 else [])
        asked = AskedRound(query(3), NOW_MS + 4, "code", False, "decided", "finished", "which?", b"{}", b"[]")
        assert await store.asked(query(3)) == (asked if version >= 6 else None)
        assert await store.events(query(3)) == (b"events" if version >= 7 else None)
        joined = OpenRound(query(2), Key(b"r" * 32), NOW_MS + 60_000)
        assert await store.rounds_to_recover(LATER_MS) == ([joined] if was_closed else [])
        assert store.journal_began_ms == (0 if was_closed else LATER_MS)
    assert version_of(tmp_path) == schema.VERSION
    async with opened(tmp_path) as store:
        assert len(await store.journal(query(1))) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_migrated_store_is_as_a_new_one(tmp_path: Path, version: int) -> None:
    """Given a store of before and a new one, once both are open, then tables, triggers and counters are the same."""
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    copy_fixture(tmp_path / "old", version)
    shapes = []
    for folder in ("old", "new"):
        async with opened(tmp_path / folder):
            pass
        with closing(sqlite3.connect(tmp_path / folder / DATABASE_NAME)) as connection:
            shapes.append(sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()))
    assert _words(shapes[0]) == _words(shapes[1])


def _words(shape: list[tuple[str, str, str | None]]) -> list[tuple[str, str, list[str]]]:
    return [(kind, name, (sql or "").split()) for kind, name, sql in shape]


async def test_a_newer_store_is_refused_with_one_line(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"version 99, which a newer strand wrote.*install the newer one") as refused:
        async with opened(tmp_path):
            pass
    assert "\n" not in str(refused.value)
    assert version_of(tmp_path) == 99


async def test_a_step_that_fails_leaves_the_step_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a step that breaks off after its first statement, then nothing of it stands, and a later start goes on."""
    copy_fixture(tmp_path, schema.VERSION)
    broken = "CREATE TABLE half (one INTEGER) STRICT; CREATE TABLE half (one INTEGER) STRICT;"
    with monkeypatch.context() as patched:
        patched.setattr(schema, "STEPS", (*schema.STEPS, broken))
        patched.setattr(schema, "VERSION", schema.VERSION + 1)
        with pytest.raises(StoreError, match="table half already exists"):
            async with opened(tmp_path):
                pass
    assert version_of(tmp_path) == schema.VERSION
    async with opened(tmp_path) as store:
        assert store.journal_is_complete
        assert await store.certificate(query(1)) == b"certificate"


def test_fixtures_are_of_one_owner() -> None:
    assert all(OWNER.hex().upper() in path.read_text(encoding="utf-8") for path in FIXTURES.glob("*.sql"))
