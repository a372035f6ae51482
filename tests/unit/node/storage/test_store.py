import stat
from dataclasses import replace
from pathlib import Path

import pytest

from node.storage import (
    CHECKPOINT_CALLS,
    DATABASE_NAME,
    CertificateSummary,
    Learned,
    OpenRound,
    SlotTakenError,
    StoreError,
    Synchronous,
    TableLimit,
    open_store,
)
from protocol.types import Key, Kind, Outcome
from tests.support.stores import NOW_MS, entry, kept, opened, query


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_journal_outlives_the_process(tmp_path: Path, synchronous: Synchronous) -> None:
    async with opened(tmp_path, synchronous=synchronous) as store:
        await store.write_journal([entry(1), entry(1, kind=Kind.ANSWER), entry(2)])
    async with opened(tmp_path, synchronous=synchronous) as store:
        assert await store.journal(query(1)) == [entry(1), entry(1, kind=Kind.ANSWER)]
        assert await store.journal(query(2)) == [entry(2)]
        assert await store.journal(query(3)) == []


async def test_a_slot_takes_one_envelope(tmp_path: Path) -> None:
    """Given a written slot, when it is written again, then the same bytes pass and others undo their whole batch."""
    async with opened(tmp_path) as store:
        await store.write_journal([entry(1)])
        await store.write_journal([entry(1), entry(2)])
        with pytest.raises(SlotTakenError, match="COMMIT of wave 0"):
            await store.write_journal([entry(3), entry(1, envelope=b"another")])
        assert await store.journal(query(1)) == [entry(1)]
        assert await store.journal(query(3)) == []
        later_wave = replace(entry(1, envelope=b"another"), wave=1)
        await store.write_journal([later_wave])
        assert await store.journal(query(1)) == [entry(1), later_wave]


async def test_one_process_per_folder(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StoreError, match=f"another strand uses {tmp_path}: stop it"):
            async with opened(tmp_path):
                pass
    async with opened(tmp_path):
        pass


async def test_a_store_belongs_to_one_key(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with pytest.raises(StoreError, match="belongs to the key"):
        async with open_store(tmp_path, public_key=b"x" * 32, fresh_key=True, now_ms=NOW_MS):
            pass


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"is damaged \(file is not a database\): move it"):
        async with opened(tmp_path):
            pass


async def test_the_files_are_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with opened(folder) as store:
        await store.write_journal([entry(1)])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert f"{DATABASE_NAME}-wal" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(("fresh_key", "began_ms"), [(True, 0), (False, NOW_MS)])
async def test_a_lost_journal_is_remembered(tmp_path: Path, fresh_key: bool, began_ms: int) -> None:
    """A journal that was not made with its key knows from when on it can be trusted (R12), in later starts, too."""
    async with opened(tmp_path, fresh_key=fresh_key) as store:
        assert store.journal_began_ms == began_ms
    async with opened(tmp_path, now_ms=9_999) as store:
        assert store.journal_began_ms == began_ms
        assert store.journal_is_complete == fresh_key


@pytest.mark.parametrize(
    "limit",
    [TableLimit(rows_max=3, bytes_max=1 << 20), TableLimit(rows_max=100, bytes_max=3 * len(b"envelope" + b"salt"))],
)
async def test_a_pruned_journal_tells_from_when_it_is_complete(tmp_path: Path, limit: TableLimit) -> None:
    async with opened(tmp_path, fresh_key=True, journal=limit) as store:
        await store.write_journal([entry(1), entry(2), entry(3)])
        assert store.journal_is_complete
        await store.write_journal([entry(4)])
        assert await store.journal(query(1)) == []
        assert await store.journal(query(2)) == [entry(2)]
        assert store.journal_began_ms == entry(1).created_ms + 1


async def test_certificates_newest_first_and_bounded(tmp_path: Path) -> None:
    def summary(number: int) -> CertificateSummary:
        return CertificateSummary(query(number), Outcome.DECIDED, b"w" * 32, created_ms=number)

    async with opened(tmp_path, certificates=TableLimit(rows_max=3, bytes_max=30)) as store:
        for number in (1, 2, 3):
            await store.put_certificate(summary(number), b"certifies%d" % number)
        await store.put_certificate(summary(1), b"cosigned")
        assert await store.certificate(query(1)) == b"cosigned"
        assert await kept(store) == [summary(1), summary(3), summary(2)]
        assert await kept(store, 1) == [summary(1)]
        await store.put_certificate(summary(4), b"certifies4")
        assert await kept(store) == [summary(4), summary(1), summary(3)]
        await store.put_certificate(summary(5), b"x" * 25)
        assert await kept(store) == [summary(5)]
        assert await store.certificate(query(4)) is None


async def test_rounds_to_recover(tmp_path: Path) -> None:
    rounds = [OpenRound(query(number), Key(b"r" * 32), deadline_ms=number * 100) for number in (1, 2, 3)]
    async with opened(tmp_path) as store:
        for joined in [*rounds, rounds[0]]:
            await store.put_round(joined)
        await store.drop_round(query(2))
    async with opened(tmp_path) as store:
        assert await store.rounds_to_recover(now_ms=99) == [rounds[0], rounds[2]]
        assert await store.rounds_to_recover(now_ms=100) == [rounds[2]]


async def test_a_query_is_admitted_once_until_it_expires(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.admit_query(query(1), expires_ms=50, now_ms=0)
        assert not await store.admit_query(query(1), expires_ms=60, now_ms=49)
    async with opened(tmp_path) as store:
        assert not await store.admit_query(query(1), expires_ms=60, now_ms=49)
        assert await store.admit_query(query(1), expires_ms=60, now_ms=50)


async def test_a_round_that_was_signed_for_is_never_new_again_whatever_the_clock_says(tmp_path: Path) -> None:
    """Given a query that the guard has forgotten and a clock that was set back, then its replay is still no news.

    At 044b2f0 the node joins again, and ends on its own second message for the slot (SlotTakenError).
    """
    async with opened(tmp_path) as store:
        assert await store.admit_query(query(1), expires_ms=50, now_ms=0)
        await store.write_journal([entry(1)])
        assert await store.admit_query(query(2), expires_ms=200, now_ms=100)
    async with opened(tmp_path) as store:
        assert not await store.admit_query(query(1), expires_ms=60, now_ms=10)
        assert await store.admit_query(query(3), expires_ms=60, now_ms=10)


async def test_the_write_ahead_log_is_emptied_now_and_then(tmp_path: Path) -> None:
    log = tmp_path / f"{DATABASE_NAME}-wal"
    async with opened(tmp_path) as store:
        for number in range(CHECKPOINT_CALLS):
            await store.write_journal([entry(number)])
        bytes_once = log.stat().st_size
        for number in range(CHECKPOINT_CALLS, 3 * CHECKPOINT_CALLS):
            await store.write_journal([entry(number)])
        assert log.stat().st_size < 2 * bytes_once


async def test_what_was_learned_stays_by_specialty_part_and_name(tmp_path: Path) -> None:
    """Given pieces of one name, when another is stored, then it replaces the one of its specialty and part, and only
    that, and it is the newest."""
    first, second = Learned("standing", b"a", b"1"), Learned("standing", b"b", b"2")
    async with opened(tmp_path) as store:
        await store.put_learned("rust", [first, second, Learned("gold", b"a", b"3")])
        await store.put_learned("go", [Learned("standing", b"a", b"4")])
        await store.put_learned("rust", [replace(first, body=b"5")])
    async with opened(tmp_path) as store:
        assert await store.learned("rust") == [second, Learned("gold", b"a", b"3"), replace(first, body=b"5")]
        assert await store.learned("go") == [Learned("standing", b"a", b"4")]
        assert await store.learned("c") == []


async def test_what_was_learned_is_bounded_and_the_oldest_goes(tmp_path: Path) -> None:
    rows = [Learned("standing", bytes([number]), b"x" * 10) for number in range(5)]
    async with opened(tmp_path, learned=TableLimit(rows_max=3, bytes_max=1 << 20)) as store:
        await store.put_learned("rust", rows)
        assert await store.learned("rust") == rows[2:]
        await store.put_learned("rust", [rows[2]])
        await store.put_learned("go", [rows[0]])
        assert await store.learned("rust") == [rows[4], rows[2]]
    async with opened(tmp_path, learned=TableLimit(rows_max=9, bytes_max=25)) as store:
        await store.put_learned("go", [rows[0]])
        assert await store.learned("rust") == [rows[2]]
        assert await store.learned("go") == [rows[0]]


async def test_what_was_learned_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put_learned("rust", [Learned("standing", b"a", b"1")])
        with pytest.raises(StoreError):
            await store.put_learned("rust", [Learned("standing", b"a", b"2"), Learned("standing", b"b", None)])  # type: ignore[arg-type]
        assert await store.learned("rust") == [Learned("standing", b"a", b"1")]
