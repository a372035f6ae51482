"""A disk that refuses: nothing is lost that can wait, nothing is said that is not journalled, and it goes on by itself.

The clock is trio's own mock: pauses between tries take no time.
"""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.storage import (
    CertificateSummary,
    Learned,
    OpenRound,
    ServedHour,
    StoreBlockedError,
    StoreError,
    health,
    waiting,
)
from node.storage.store import PAUSES_S
from protocol.types import Key, Outcome
from tests.support.stores import JOINED, entry, opened, query, refusing


def summary(number: int) -> CertificateSummary:
    return CertificateSummary(query(number), Outcome.DECIDED, b"w" * 32, created_ms=number)


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse this process to write beyond so many bytes of any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_refusal_has_a_name_and_what_may_wait_waits(tmp_path: Path) -> None:
    """Given a disk that refuses, then a message or a joined round is refused, while a certificate, a lesson and the
    end of a round wait, and the certificate can be read meanwhile."""
    async with opened(tmp_path, fresh_key=True) as store:
        await store.put_certificate(summary(1), b"before")
        await store.put_round(JOINED)
        assert str(store.health) == "ok" and not store.health.blocked
        with refusing(store):
            with pytest.raises(StoreBlockedError, match=r"^read-only: .*strand\.db may not be written: make"):
                await store.write_journal([entry(1)])
            with pytest.raises(StoreBlockedError):
                await store.put_round(OpenRound(query(2), Key(b"r" * 32), 1))
            with pytest.raises(StoreBlockedError):
                await store.admit_query(query(2), expires_ms=9, now_ms=1)
            await store.put_certificate(summary(2), b"meanwhile")
            await store.put_learned("rust", [Learned("gold", b"a", b"1")])
            await store.drop_round(JOINED.query_id)
            assert str(store.health).startswith("read-only: ")
            assert await store.certificate(query(2)) == b"meanwhile"
            assert await store.count_certificates() == 1, "what waits is not there yet"
            assert await store.journal(query(1)) == []
        # Closed without another try of `mend`: the disk takes it at the last moment.
    async with opened(tmp_path) as store:
        assert await store.certificate(query(2)) == b"meanwhile"
        assert await store.learned("rust") == [Learned("gold", b"a", b"1")]
        assert await store.rounds_to_recover(0) == []
        assert store.journal_is_complete


async def test_what_was_spent_and_the_owners_pause_wait_for_the_disk(tmp_path: Path) -> None:
    """A full disk must not end the node that keeps its account every few seconds."""
    async with opened(tmp_path, fresh_key=True) as store:
        with refusing(store):
            await store.put_served(7, [ServedHour(7, b"r" * 32, 1, 2, 3)])
            await store.put_served(7, [ServedHour(7, b"r" * 32, 4, 5, 6)])
            await store.put_pause(9)
            assert store.health.blocked
    async with opened(tmp_path) as store:
        assert await store.served(0) == [ServedHour(7, b"r" * 32, 4, 5, 6)]
        assert await store.pause() == 9


async def test_it_goes_on_by_itself_after_the_pauses(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001
    async with opened(tmp_path, fresh_key=True) as store, trio.open_nursery() as nursery:
        nursery.start_soon(store.mend)
        with refusing(store):
            await store.put_certificate(summary(1), b"waits")
            await store.health.wait(blocked=True)
            await trio.sleep(20 * PAUSES_S.longest)
            assert store.health.blocked
        await store.health.wait(blocked=False)
        await store.write_journal([entry(1)])
        nursery.cancel_scope.cancel()
    async with opened(tmp_path) as store:
        assert await store.certificate(query(1)) == b"waits"


async def test_what_comes_while_it_is_mended_is_written_too(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001
    """Given writes that go on arriving, when the disk takes them again, then none of them waits for ever."""
    async with opened(tmp_path, fresh_key=True) as store, trio.open_nursery() as nursery:
        nursery.start_soon(store.mend)
        with refusing(store):
            await store.put_certificate(summary(0), b"0")
        for number in range(1, 50):
            await store.put_certificate(summary(number), b"%d" % number)
        await store.health.wait(blocked=False)
        await store.put_certificate(summary(50), b"50")
        assert len(store._waiting) == 0
        assert await store.count_certificates() == 51
        nursery.cancel_scope.cancel()


async def test_the_kernel_refuses_in_the_midst_of_a_write(tmp_path: Path, autojump_clock: MockClock) -> None:  # noqa: ARG001
    """Given no room for a large certificate, then what was written before stands, and it is written with the room."""
    large = os.urandom(2 << 20)
    async with opened(tmp_path, fresh_key=True) as store, trio.open_nursery() as nursery:
        nursery.start_soon(store.mend)
        await store.write_journal([entry(1)])
        with files_no_larger_than(1 << 20):
            await store.put_certificate(summary(1), large)
            assert store.health.blocked
            await trio.sleep(5 * PAUSES_S.longest)
            assert store.health.blocked
            # What is small enough goes on: a round that runs may still end well.
            await store.write_journal([entry(2)])
            assert store.health.blocked
        await store.health.wait(blocked=False)
        nursery.cancel_scope.cancel()
    async with opened(tmp_path) as store:
        assert await store.certificate(query(1)) == large
        assert await store.journal(query(1)) == [entry(1)]
        assert await store.journal(query(2)) == [entry(2)]
        assert store.journal_is_complete


async def test_what_waits_is_bounded_and_the_oldest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING_BYTES_MAX", 25)
    async with opened(tmp_path, fresh_key=True) as store:
        with refusing(store):
            for number in range(4):
                await store.put_certificate(summary(number), b"x" * 10)
            # A later one of the same query takes the place of the earlier.
            await store.put_certificate(summary(1), b"y" * 5)
            assert [await store.certificate(query(number)) for number in range(4)] == [b"x" * 10, b"y" * 5, None, None]


async def test_a_bug_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(StoreError) as refused:
            await store.put_learned("rust", [Learned("gold", b"a", None)])  # type: ignore[arg-type]
        assert not isinstance(refused.value, StoreBlockedError)
        assert not store.health.blocked


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (sqlite3.SQLITE_FULL, "full: "),
        (sqlite3.SQLITE_READONLY, "read-only: "),
        (sqlite3.SQLITE_IOERR_FSYNC, "failing: "),
        (sqlite3.SQLITE_BUSY, "failing: "),
    ],
)
def test_each_refusal_is_one_line_with_path_and_remedy(code: int, state: str) -> None:
    error = sqlite3.OperationalError("why")
    error.sqlite_errorcode = code
    explained = health.explain(error, Path("/data/strand.db"))
    assert isinstance(explained, StoreBlockedError)
    assert str(explained).startswith(state) and "/data/strand.db" in str(explained) and "\n" not in str(explained)


async def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreBlockedError, match=r"failing: .*Not a directory"):
        async with opened(tmp_path / "file" / "folder"):
            pass
