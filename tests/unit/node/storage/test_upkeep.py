"""Care for a store from outside: sizes, copies that hold no journal, restoring, pruning, removal."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from node.storage import (
    DATABASE_NAME,
    Acquaintance,
    CertificateSummary,
    Learned,
    OpenRound,
    ServedHour,
    StoreError,
    only_process,
    schema,
    upkeep,
)
from protocol.types import Key, Outcome
from tests.support.stores import (
    LATER_MS,
    MESSAGES,
    NOW_MS,
    OWNER,
    copy_fixture,
    entry,
    kept,
    live_and_be_killed,
    opened,
    query,
)
from tests.unit.node.storage.test_quota import asked

SECRET = b"salt"
VERSIONS = range(1, schema.VERSION + 1)


async def fill(folder: Path) -> None:
    """A store with a row in every table."""
    async with opened(folder, fresh_key=True) as store:
        await store.write_journal([entry(1), entry(2)])
        await store.put_certificate(CertificateSummary(query(1), Outcome.DECIDED, b"w" * 32, NOW_MS), b"certificate")
        await store.put_asked(asked(3, NOW_MS))
        await store.put_events(query(3), NOW_MS, b"events")
        await store.put_round(OpenRound(query(2), Key(b"r" * 32), LATER_MS))
        await store.admit_query(query(2), expires_ms=LATER_MS, now_ms=NOW_MS)
        await store.put_learned("rust", [Learned("standing", b"a", b"{}")])
        await store.put_served(7, [ServedHour(7, b"r" * 32, 1, 2, 3)])
        await store.put_pause(NOW_MS + 5)
        await store.put_peers([Acquaintance(b"p" * 32, ("/ip4/10.0.0.1/tcp/1",), True, NOW_MS)])


async def test_every_table_is_carried_or_left_out_on_purpose(tmp_path: Path) -> None:
    await fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {*upkeep.CARRIED, *upkeep.LEFT_OUT, *upkeep.KEPT_BY_SCHEMA}


async def test_a_backup_of_a_running_node_holds_all_but_the_journal(tmp_path: Path) -> None:
    """Neither the journal's rows nor their bytes: they hold salts."""
    await fill(tmp_path / "node")
    target = tmp_path / "backup.db"
    async with opened(tmp_path / "node") as store:
        await store.write_journal([entry(4, envelope=b"signed words")])
        copied = upkeep.back_up(tmp_path / "node", target)
        assert copied == dict.fromkeys(upkeep.CARRIED, 1)
        await store.write_journal([entry(5)])
        assert len(await store.journal(query(1))) == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert SECRET not in target.read_bytes() and b"signed words" not in target.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("backup")] == ["backup.db"]


async def test_a_restored_store_has_the_history_and_begins_a_new_journal(tmp_path: Path) -> None:
    await fill(tmp_path / "node")
    upkeep.back_up(tmp_path / "node", tmp_path / "backup.db")
    restored_ms = 500_000
    upkeep.restore(tmp_path / "new", tmp_path / "backup.db", OWNER, restored_ms)
    started_ms = restored_ms + 7
    async with opened(tmp_path / "new", now_ms=started_ms) as store:
        assert await store.certificate(query(1)) == b"certificate"
        assert await store.asked(query(3)) == asked(3, NOW_MS)
        assert await store.events(query(3)) == b"events"
        assert await store.learned("rust") == [Learned("standing", b"a", b"{}")]
        assert await store.served(7) == [ServedHour(7, b"r" * 32, 1, 2, 3)]
        assert await store.pause() == NOW_MS + 5
        assert await store.peers(0)
        assert await store.journal(query(1)) == []
        assert await store.rounds_to_recover(NOW_MS) == []
        # R12: nothing that was asked before the start may be joined.
        assert store.journal_began_ms == started_ms
        await store.write_journal([entry(9)])
    assert upkeep.size(tmp_path / "new").tables["certificates"] == upkeep.TableSize(1, len(b"certificate"))


@pytest.mark.parametrize("boot_id", ["this boot", "another boot", ""])
async def test_a_backup_that_is_put_in_place_by_hand_begins_a_new_journal_too(tmp_path: Path, boot_id: str) -> None:
    await fill(tmp_path / "node")
    (tmp_path / "new").mkdir(mode=0o700)
    upkeep.back_up(tmp_path / "node", tmp_path / "new" / DATABASE_NAME)
    async with opened(tmp_path / "new", now_ms=600_000, boot_id=boot_id) as store:
        assert store.journal_began_ms == 600_000


async def test_a_clock_set_back_does_not_let_a_restored_node_join_what_it_signed_in(tmp_path: Path) -> None:
    await fill(tmp_path / "node")
    upkeep.back_up(tmp_path / "node", tmp_path / "backup.db")
    upkeep.restore(tmp_path / "new", tmp_path / "backup.db", OWNER, now_ms=1)
    async with opened(tmp_path / "new", now_ms=2) as store:
        assert store.journal_began_ms == entry(2).created_ms + 1


async def test_a_copy_of_the_file_with_its_journal_loses_it_when_it_is_restored(tmp_path: Path) -> None:
    """Somebody who copied the store itself, with the node stopped, is safe as well."""
    await fill(tmp_path / "node")
    upkeep.restore(tmp_path / "new", tmp_path / "node" / DATABASE_NAME, OWNER, LATER_MS)
    async with opened(tmp_path / "new", now_ms=LATER_MS) as store:
        assert await store.journal(query(1)) == []
        assert store.journal_began_ms == LATER_MS
        assert await store.certificate(query(1)) == b"certificate"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_store_of_any_version_is_restored_and_then_brought_up_to_date(tmp_path: Path, version: int) -> None:
    (tmp_path / "old").mkdir()
    copy_fixture(tmp_path / "old", version)
    upkeep.restore(tmp_path / "new", tmp_path / "old" / DATABASE_NAME, OWNER, LATER_MS)
    async with opened(tmp_path / "new", now_ms=LATER_MS) as store:
        assert await store.certificate(query(1)) == b"certificate"
        assert await store.journal(query(1)) == []
        assert store.journal_began_ms == LATER_MS
    assert upkeep.size(tmp_path / "new").tables["certificates"].rows == 1


async def test_what_cannot_be_restored_is_refused_with_one_line(tmp_path: Path) -> None:
    await fill(tmp_path / "node")
    upkeep.back_up(tmp_path / "node", backup := tmp_path / "backup.db")
    with pytest.raises(StoreError, match=r"there is a store .* already: remove it by `strand reset`"):
        upkeep.restore(tmp_path / "node", backup, OWNER, 1)
    with pytest.raises(StoreError, match="restore that key first"):
        upkeep.restore(tmp_path / "new", backup, b"x" * 32, 1)
    with pytest.raises(StoreError, match="there is no store"):
        upkeep.restore(tmp_path / "new", tmp_path / "nothing.db", OWNER, 1)
    (tmp_path / "text.db").write_text("This is no database, but a text of some length. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        upkeep.restore(tmp_path / "new", tmp_path / "text.db", OWNER, 1)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="no store of a strand up to this version"):
        upkeep.restore(tmp_path / "new", tmp_path / "other.db", OWNER, 1)
    assert not (tmp_path / "new" / DATABASE_NAME).exists()
    with pytest.raises(StoreError, match="exists already: name a new file"):
        upkeep.back_up(tmp_path / "node", backup)


async def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    await fill(tmp_path / "node")
    upkeep.back_up(tmp_path / "node", backup := tmp_path / "backup.db")
    raw = bytearray(backup.read_bytes())
    raw[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    backup.write_bytes(raw)
    with pytest.raises(StoreError, match="damaged"):
        upkeep.restore(tmp_path / "new", backup, OWNER, 1)
    assert not (tmp_path / "new" / DATABASE_NAME).exists()


async def test_sizes_are_told_beside_a_running_node_and_change_nothing(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with opened(tmp_path) as store:
        told = upkeep.size(tmp_path)
        assert told.owner == OWNER and told.journal_began_ms == 0
        assert told.tables["journal"].rows == 2 and told.tables["certificates"].bytes == len(b"certificate")
        assert told.counted_bytes == sum(each.bytes for each in told.tables.values())
        assert told.file_bytes > 0 <= told.free_bytes
        await store.write_journal([entry(8)])
    assert upkeep.size(tmp_path).tables["journal"].rows == 3


async def test_pruning_gives_the_disk_its_room_back_and_needs_a_node_that_is_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path, fresh_key=True) as store:
        for number in range(50):
            summary = CertificateSummary(query(number), Outcome.DECIDED, b"", number)
            await store.put_certificate(summary, bytes(20_000))
        with pytest.raises(StoreError, match="another strand uses"):
            upkeep.prune(tmp_path, 200_000)
    before = upkeep.size(tmp_path).file_bytes
    deleted, freed = upkeep.prune(tmp_path, 200_000)
    assert deleted == 40
    assert freed > 700_000 and upkeep.size(tmp_path).file_bytes == before - freed
    async with opened(tmp_path) as store:
        assert [summary.query_id for summary in await kept(store)] == [query(n) for n in range(49, 39, -1)]


async def test_a_store_that_is_removed_is_gone_and_a_node_on_it_is_left_alone(tmp_path: Path) -> None:
    await fill(tmp_path)
    with only_process(tmp_path), pytest.raises(StoreError, match="another strand uses"):
        upkeep.remove(tmp_path)
    upkeep.remove(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"strand.lock"}
    upkeep.remove(tmp_path)


def test_the_store_of_a_killed_node_is_measured_and_backed_up_with_what_its_log_holds(tmp_path: Path) -> None:
    live_and_be_killed(tmp_path / "node", "normal")
    assert (tmp_path / "node" / f"{DATABASE_NAME}-wal").stat().st_size > 0
    assert upkeep.size(tmp_path / "node").tables["journal"].rows == MESSAGES
    upkeep.back_up(tmp_path / "node", tmp_path / "backup.db")
    assert upkeep.size(tmp_path / "node").tables["journal"].rows == MESSAGES
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
