"""An open store: one connection, one writer, one call at a time.

Calls that may take long or wait for the disk run in a worker thread. Writes of a few rows run in the calling thread,
because rounds wait for them.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import structlog
import trio

from consensus.rounds.backoff import Backoff
from node.storage import history, quota, tables
from node.storage.file import DATABASE_NAME, Start, StoreFile, Synchronous, only_process, open_file
from node.storage.health import Health, explain, try_room
from node.storage.records import (
    LIMITS,
    Acquaintance,
    AskedRound,
    CertificateRow,
    CertificateSummary,
    JournalEntry,
    Learned,
    OpenRound,
    RoundCursor,
    RoundFilter,
    ServedHour,
    StoreBlockedError,
    StoreError,
    TableLimit,
)
from node.storage.waiting import Write, WriteQueue, apply
from protocol.types import Digest

CHECKPOINT_CALLS: Final = 256
"""Calls between two checkpoints of the write-ahead log, the only ones that wait for the disk (if not "full"). About 5
MiB of log at a few KiB a message; 128 MiB if every message were as large as possible."""

PAUSES_S: Final = Backoff(0.5, 15.0)
"""Seconds before a retry after refusals: a user who has made room need not wait long, and the log is not filled."""

log = structlog.get_logger()

SERVED_BYTES: Final = 128
"""Bytes of one row of costs while it waits for the disk."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@asynccontextmanager
async def open_store(
    folder: Path,
    *,
    public_key: bytes,
    fresh_key: bool,
    now_ms: int,
    boot_id: str = "",
    synchronous: Synchronous = "normal",
    limits: Mapping[str, TableLimit] = LIMITS,
    bytes_max: int = 0,
) -> AsyncIterator["Store"]:
    """Open, or create, the store of the node with `public_key` in `folder`, and lock out every other process.

    `bytes_max` is the quota (node/storage/quota.py), beside the tables' `limits`; 0: there is none. The other arguments
    are those of `Start`. Raises StoreError.
    """
    start = Start(public_key, fresh_key, now_ms, boot_id, synchronous)
    with only_process(folder):
        lane = trio.CapacityLimiter(1)
        file = await trio.to_thread.run_sync(open_file, folder / DATABASE_NAME, start, limiter=lane)
        store = Store(file, lane, limits, synchronous, bytes_max)
        try:
            await store.keep_quota()
            yield store
        finally:
            with trio.CancelScope(shield=True):
                await store.close()


class Store:
    """An open store, made by `open_store`.

    Every method raises StoreBlockedError while the disk refuses, and StoreError if the file is unusable. Some writes
    wait in memory while the disk refuses, and `mend` writes them: certificates, learned statistics, ends of rounds,
    costs, asked rounds and their events, the owner's pause and places of peers.
    """

    def __init__(
        self,
        file: StoreFile,
        lane: trio.CapacityLimiter,
        limits: Mapping[str, TableLimit],
        synchronous: Synchronous,
        bytes_max: int,
    ) -> None:
        """Wrap an open file; `lane` has one token, so that calls run one after the other."""
        self.health = Health()
        self._file = file
        self._lane = lane
        self._limits = limits
        self._bytes_max = bytes_max
        self._commits_sync = synchronous == "full"
        self._calls = 0
        self._waiting = WriteQueue()
        self._journal_began_ms = tables.journal_began_ms(file.connection)

    @property
    def journal_began_ms(self) -> int:
        """Time from which the journal holds all that this key sent; 0: it holds all that it ever sent.

        A query dated before this time plus the allowed skew must not be joined (R12).
        """
        return self._journal_began_ms

    @property
    def journal_is_complete(self) -> bool:
        """Whether the journal holds all that this key ever sent."""
        return self._journal_began_ms == 0

    async def write_journal(self, entries: Sequence[JournalEntry]) -> None:
        """Write all `entries` or none, before any of them is sent. Existing entries change nothing.

        Raises SlotTakenError if a slot holds a different envelope.
        """
        self._journal_began_ms, head = await self._run_here(tables.write_journal, entries, self._limits["journal"])
        with self._noting_trouble():
            self._file.note_head(head)

    async def journal(self, query_id: Digest) -> list[JournalEntry]:
        """Return our messages in a round, in the order of writing."""
        return await self._run(tables.read_journal, query_id)

    async def put_certificate(self, summary: CertificateSummary, certificate: bytes) -> None:
        """Store a certificate; a later one of the same query (with more co-signatures) replaces it."""
        limit = self._limits["certificates"]
        work = partial(tables.put_certificate, summary=summary, certificate=certificate, limit=limit)
        write = Write("certificates", summary.query_id, work, len(certificate), certificate)
        await self._write_or_wait(self._run, [write, *self._quota()])

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's bytes, if we have it."""
        return self._waiting.certificate(query_id) or await self._run(tables.certificate, query_id)

    async def count_certificates(self) -> int:
        """Return the number of stored certificates; those that wait for the disk do not count yet."""
        return await self._run(tables.count_certificates)

    async def counted_bytes(self) -> int:
        """Return the bytes of all rows, as the quota counts them; those that wait for the disk do not count yet."""
        return await self._run(quota.counted_bytes)

    async def list_certificates(self, before_age: int | None, rows_max: int) -> list[CertificateRow]:
        """Return stored certificates below an age, newest first; those that wait for the disk have no place yet."""
        return await self._run(history.certificates, before_age, rows_max)

    async def put_asked(self, row: AskedRound) -> None:
        """Store a round that this node asked, in place of its earlier row."""
        work = partial(history.put_asked, row=row, limit=self._limits["rounds"])
        size = len(row.text) + len(row.summary) + len(row.body)
        await self._write_or_wait(self._run_here, [Write("rounds", row.query_id, work, size), *self._quota()])

    async def asked(self, query_id: Digest) -> AskedRound | None:
        """Return a round that this node asked, or None."""
        return await self._run(history.asked, query_id)

    async def put_events(self, query_id: Digest, asked_ms: int, packed: bytes) -> None:
        """Store the packed events of a round that this node asked."""
        limit = self._limits["round_events"]
        work = partial(history.put_events, query_id=query_id, asked_ms=asked_ms, body=packed, limit=limit)
        write = Write("round_events", query_id, work, len(packed))
        await self._write_or_wait(self._run, [write, *self._quota()])

    async def events(self, query_id: Digest) -> bytes | None:
        """Return the packed events of a round that this node asked, or None."""
        return await self._run(history.events, query_id)

    async def unended(self, rows_max: int) -> list[AskedRound]:
        """Return asked rounds without an ending, newest first."""
        return await self._run(history.unended, rows_max)

    async def find_asked(
        self, wanted: RoundFilter, after: RoundCursor | None, rows_max: int
    ) -> list[tuple[RoundCursor, bytes]]:
        """Return at most `rows_max` asked rounds below `after`, newest first, as cursors and summaries.

        Other calls go between the steps of a long search.
        """
        found: list[tuple[RoundCursor, bytes]] = []
        while len(found) < rows_max:
            more, after = await self._run(history.scan, wanted, after, rows_max - len(found))
            found += more
            if after is None:
                break
        return found

    async def put_round(self, joined: OpenRound) -> None:
        """Record that we take part in a round."""
        await self._run_here(tables.put_round, joined, self._limits["open_rounds"])

    async def drop_round(self, query_id: Digest) -> None:
        """Forget a round that has ended."""
        work = partial(tables.drop_round, query_id=query_id)
        await self._write_or_wait(self._run_here, [Write("open_rounds", query_id, work)])

    async def rounds_to_recover(self, now_ms: int) -> list[OpenRound]:
        """Return the rounds that were not dropped, oldest first, and forget those past their deadline."""
        return await self._run(tables.rounds_to_recover, now_ms)

    async def admit_query(self, query_id: Digest, *, expires_ms: int, now_ms: int) -> bool:
        """Record the query until `expires_ms`. Returns whether it is new."""
        return await self._run_here(tables.admit_query, query_id, expires_ms, now_ms, self._limits["seen_queries"])

    async def put_learned(self, specialty: str, rows: Sequence[Learned]) -> None:
        """Store all `rows` or none; each replaces the one with its name."""
        limit = self._limits["learned"]
        writes = [
            Write(
                "learned",
                repr((specialty, row.part, row.name)).encode(),
                partial(tables.put_learned, specialty=specialty, row=row, limit=limit),
                len(row.body or b""),
            )
            for row in rows
        ]
        await self._write_or_wait(self._run, writes)

    async def learned(self, specialty: str) -> list[Learned]:
        """Return the learned rows, the last stored at the end."""
        return await self._run(tables.learned, specialty)

    async def put_served(self, hour: int, rows: Sequence[ServedHour]) -> None:
        """Store the cost of all requesters in an hour, replacing the hour's rows."""
        work = partial(tables.put_served, hour=hour, rows=rows, limit=self._limits["served"])
        await self._write_or_wait(self._run, [Write("served", str(hour).encode(), work, SERVED_BYTES * len(rows))])

    async def served(self, since_hour: int) -> list[ServedHour]:
        """Return the costs of requesters from that hour on."""
        return await self._run(tables.served, since_hour)

    async def put_pause(self, until_ms: int) -> None:
        """Store the end of the owner's pause; 0: the node is not paused."""
        work = partial(tables.put_pause, until_ms=until_ms)
        await self._write_or_wait(self._run_here, [Write("pause", b"", work)])

    async def pause(self) -> int:
        """Return the end of the owner's pause; 0: the node is not paused."""
        return await self._run(tables.pause)

    async def put_peers(self, peers: Sequence[Acquaintance]) -> None:
        """Store the places of peers, the most important first, replacing all stored ones."""
        work = partial(tables.put_peers, peers=peers, limit=self._limits["peers"])
        size = sum(len(address) for each in peers for address in each.addresses)
        await self._write_or_wait(self._run, [Write("peers", b"", work, size)])

    async def peers(self, since_ms: int) -> list[Acquaintance]:
        """Return the peers that were met since then, the most important first."""
        return await self._run(tables.peers, since_ms)

    async def keep_quota(self) -> None:
        """Delete the oldest history if the store is over its quota. Writes of history do so, too."""
        if writes := self._quota():
            await self._write_or_wait(self._run, writes)
            # It may have deleted messages of the journal.
            self._journal_began_ms = await self._run(tables.journal_began_ms)

    def _quota(self) -> list[Write]:
        """Return the write that keeps the quota, after others of the same transaction; none without a quota."""
        if not self._bytes_max:
            return []
        return [Write("usage", b"", partial(quota.enforce, bytes_max=self._bytes_max))]

    async def mend(self) -> None:
        """Retry, after growing pauses, whenever the disk has refused, until cancelled. Raises StoreError."""
        while True:
            await self.health.wait(blocked=True)
            refusals = 1
            while self.health.blocked:
                await trio.sleep(PAUSES_S.pause(refusals))
                refusals += 1
                with suppress(StoreBlockedError):
                    await self._try_again()

    async def _try_again(self) -> None:
        """Check for room, and write the waiting writes. Raises StoreError."""
        with self._noting_trouble():
            await trio.to_thread.run_sync(try_room, self._file.path, limiter=self._lane)
        await self._run(tables.touch)
        while writes := self._waiting.all():
            await self._run(apply, writes)
            self._waiting.done(writes)
        await self._run(tables.checkpoint)
        log.info("store.recovered")
        self.health.tell("")

    async def close(self) -> None:
        """Write what still waits, if the disk allows, and close the file."""
        if writes := self._waiting.all():
            try:
                await self._run(apply, writes)
            except StoreError as error:
                log.error("store.writes_lost", count=len(writes), reason=str(error))
        await trio.to_thread.run_sync(self._file.close, limiter=self._lane)

    async def _write_or_wait(self, run: Callable[..., Awaitable[None]], writes: Sequence[Write]) -> None:
        """Write all of them, or queue all of them behind earlier waiting writes, so that the order stays."""
        if not self._waiting:
            try:
                return await run(apply, writes)
            except StoreBlockedError:
                log.warning("store.writes_delayed", count=len(writes))
        self._waiting.add(writes)
        return None

    async def _run(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Do `work` as one transaction in a thread. Once begun it is not cancelled: its result would be unknown."""
        await self._checkpoint_if_due()
        with self._noting_trouble():
            return await trio.to_thread.run_sync(self._transaction, work, *args, limiter=self._lane)

    async def _run_here(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Do `work`, which writes a few rows, in the event loop's thread, if that does not wait for the disk.

        It takes 0.2 ms. A round trip to a worker thread takes 7 ms (median) while the cores are busy, as they are with
        a model on them: measured with seven nodes on two cores. A member needs five before its ballot.
        """
        if self._commits_sync:
            return await self._run(work, *args)
        await self._checkpoint_if_due()
        async with self._lane:
            with self._noting_trouble():
                return self._transaction(work, *args)

    def _transaction(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        try:
            with self._file.connection as connection:
                return work(connection, *args)
        except sqlite3.Error as error:
            raise explain(error, self._file.path) from error

    @contextmanager
    def _noting_trouble(self) -> Iterator[None]:
        """Record refusals of the disk in `health`, in the event loop's thread."""
        try:
            yield
        except StoreBlockedError as error:
            if str(error) != self.health.trouble:
                log.error("store.blocked", reason=str(error))
            self.health.tell(str(error))
            raise

    async def _checkpoint_if_due(self) -> None:
        """Move the write-ahead log into the file now and then, in a thread, because that waits for the disk.

        If that is refused, the content of the log is not lost.
        """
        self._calls += 1
        if self._calls % CHECKPOINT_CALLS == 0:
            if self._bytes_max:
                # For the journal, which grows without history.
                with suppress(StoreBlockedError), self._noting_trouble():
                    await trio.to_thread.run_sync(self._transaction, quota.enforce, self._bytes_max, limiter=self._lane)
            with suppress(StoreBlockedError), self._noting_trouble():
                await trio.to_thread.run_sync(self._transaction, tables.checkpoint, limiter=self._lane)
