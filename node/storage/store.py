"""An open store: one connection, one writer, calls in turn.

What may take long or waits for the disk runs in a worker thread; writes of a few rows run where they are called, for
rounds wait for them.
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
from node.storage import tables
from node.storage.file import DATABASE_NAME, Start, StoreFile, Synchronous, only_process, open_file
from node.storage.health import Health, explain, try_room
from node.storage.records import (
    LIMITS,
    Acquaintance,
    CertificateSummary,
    JournalEntry,
    Learned,
    OpenRound,
    ServedHour,
    StoreBlockedError,
    StoreError,
    TableLimit,
)
from node.storage.waiting import Write, WriteQueue, apply
from protocol.types import Digest

CHECKPOINT_CALLS: Final = 256
"""calls between two checkpoints of the write-ahead log, the only ones that wait for the disk (if not "full"). About
5 MiB of log at a few KiB a message; 128 MiB if every message were as large as one can be."""

PAUSES_S: Final = Backoff(0.5, 15.0)
"""seconds before a try after refusals: a user who has made room need not wait long, and the log is not filled."""

log = structlog.get_logger()

SERVED_BYTES: Final = 128
"""bytes of one row of what was spent, while it waits for the disk."""

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
) -> AsyncIterator["Store"]:
    """Open, or create, the store of the node with `public_key` in `folder`, and keep every other process out of it.

    The other arguments are those of `Start`. Raises StoreError.
    """
    start = Start(public_key, fresh_key, now_ms, boot_id, synchronous)
    with only_process(folder):
        turn = trio.CapacityLimiter(1)
        file = await trio.to_thread.run_sync(open_file, folder / DATABASE_NAME, start, limiter=turn)
        store = Store(file, turn, limits, synchronous)
        try:
            yield store
        finally:
            with trio.CancelScope(shield=True):
                await store.close()


class Store:
    """An open store, made by `open_store`.

    Every method raises StoreBlockedError while the disk refuses, and StoreError when the file is of no use. A
    certificate, what was learned, the end of a round, what was spent on whom, the owner's pause and where peers were
    met wait in memory where the disk refuses: `mend` writes them.
    """

    def __init__(
        self, file: StoreFile, turn: trio.CapacityLimiter, limits: Mapping[str, TableLimit], synchronous: Synchronous
    ) -> None:
        """Take over an open file; `turn` has one token, so that calls run one after the other."""
        self.health = Health()
        self._file = file
        self._turn = turn
        self._limits = limits
        self._commits_sync = synchronous == "full"
        self._calls = 0
        self._waiting = WriteQueue()
        self._journal_began_ms = tables.journal_began_ms(file.connection)

    @property
    def journal_began_ms(self) -> int:
        """The journal holds all that this key sent from then on; 0 if all that it ever sent.

        A query dated before this time plus the allowed skew must not be joined (R12).
        """
        return self._journal_began_ms

    @property
    def journal_is_complete(self) -> bool:
        """Whether the journal holds all that this key ever sent."""
        return self._journal_began_ms == 0

    async def write_journal(self, entries: Sequence[JournalEntry]) -> None:
        """Write all `entries` or none, before any of them is sent. Entries that are already there change nothing.

        Raises SlotTakenError if a slot holds a different envelope.
        """
        self._journal_began_ms, head = await self._run_here(tables.write_journal, entries, self._limits["journal"])
        with self._noting_trouble():
            self._file.note_head(head)

    async def journal(self, query_id: Digest) -> list[JournalEntry]:
        """Return what we sent in a round, in the order of writing."""
        return await self._run(tables.read_journal, query_id)

    async def put_certificate(self, summary: CertificateSummary, certificate: bytes) -> None:
        """Store a certificate; a later one of the same query (with more co-signatures) replaces it."""
        limit = self._limits["certificates"]
        work = partial(tables.put_certificate, summary=summary, certificate=certificate, limit=limit)
        held = (summary, certificate)
        await self._write_or_wait(self._run, [Write("certificates", summary.query_id, work, len(certificate), held)])

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's bytes, if we have it."""
        return self._waiting.certificate(query_id) or await self._run(tables.certificate, query_id)

    async def certificates(self, rows_max: int) -> list[CertificateSummary]:
        """Return the certificates stored last, newest first."""
        waiting = self._waiting.summaries()
        names = {summary.query_id for summary in waiting}
        stored = await self._run(tables.certificates, rows_max)
        return [*waiting, *(summary for summary in stored if summary.query_id not in names)][:rows_max]

    async def put_round(self, joined: OpenRound) -> None:
        """Remember that we take part in a round."""
        await self._run_here(tables.put_round, joined, self._limits["open_rounds"])

    async def drop_round(self, query_id: Digest) -> None:
        """Forget a round that has ended."""
        work = partial(tables.drop_round, query_id=query_id)
        await self._write_or_wait(self._run_here, [Write("open_rounds", query_id, work)])

    async def rounds_to_recover(self, now_ms: int) -> list[OpenRound]:
        """Return the rounds that were not dropped, oldest first, and forget those whose deadline has passed."""
        return await self._run(tables.rounds_to_recover, now_ms)

    async def admit_query(self, query_id: Digest, *, expires_ms: int, now_ms: int) -> bool:
        """Return whether the query is new, and remember it until `expires_ms`."""
        return await self._run_here(tables.admit_query, query_id, expires_ms, now_ms, self._limits["seen_queries"])

    async def put_learned(self, specialty: str, rows: Sequence[Learned]) -> None:
        """Store all `rows` or none; each replaces the one of its name."""
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
        """Return what was learned, what was stored last at the end."""
        return await self._run(tables.learned, specialty)

    async def put_served(self, hour: int, rows: Sequence[ServedHour]) -> None:
        """Store all that requesters have cost in an hour, in place of what was stored of it."""
        work = partial(tables.put_served, hour=hour, rows=rows, limit=self._limits["served"])
        await self._write_or_wait(self._run, [Write("served", str(hour).encode(), work, SERVED_BYTES * len(rows))])

    async def served(self, since_hour: int) -> list[ServedHour]:
        """Return what requesters have cost from that hour on."""
        return await self._run(tables.served, since_hour)

    async def put_pause(self, until_ms: int) -> None:
        """Remember until when the owner has paused the node; 0: it is not paused."""
        work = partial(tables.put_pause, until_ms=until_ms)
        await self._write_or_wait(self._run_here, [Write("pause", b"", work)])

    async def pause(self) -> int:
        """Return until when the owner has paused the node; 0: it is not paused."""
        return await self._run(tables.pause)

    async def put_peers(self, peers: Sequence[Acquaintance]) -> None:
        """Store where peers were met, the most important first, in place of all that was stored."""
        work = partial(tables.put_peers, peers=peers, limit=self._limits["peers"])
        size = sum(len(address) for each in peers for address in each.addresses)
        await self._write_or_wait(self._run, [Write("peers", b"", work, size)])

    async def peers(self, since_ms: int) -> list[Acquaintance]:
        """Return the peers that were met since then, the most important first."""
        return await self._run(tables.peers, since_ms)

    async def mend(self) -> None:
        """Try again, after growing pauses, whenever the disk has refused, until cancelled. Raises StoreError."""
        while True:
            await self.health.wait(blocked=True)
            refusals = 1
            while self.health.blocked:
                await trio.sleep(PAUSES_S.pause(refusals))
                refusals += 1
                with suppress(StoreBlockedError):
                    await self._try_again()

    async def _try_again(self) -> None:
        """See whether there is room again, and write what has waited for it. Raises StoreError."""
        with self._noting_trouble():
            await trio.to_thread.run_sync(try_room, self._file.path, limiter=self._turn)
        await self._run(tables.touch)
        while writes := self._waiting.all():
            await self._run(apply, writes)
            self._waiting.done(writes)
        await self._run(tables.checkpoint)
        log.info("store.recovered")
        self.health.tell("")

    async def close(self) -> None:
        """Write what still waits, if the disk takes it now, and close the file."""
        if writes := self._waiting.all():
            try:
                await self._run(apply, writes)
            except StoreError as error:
                log.error("store.writes_lost", count=len(writes), reason=str(error))
        await trio.to_thread.run_sync(self._file.close, limiter=self._turn)

    async def _write_or_wait(self, run: Callable[..., Awaitable[None]], writes: Sequence[Write]) -> None:
        """Write all of them, or let all of them wait; behind what waits already, so that they keep their order."""
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
            return await trio.to_thread.run_sync(self._transaction, work, *args, limiter=self._turn)

    async def _run_here(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Do `work`, which writes a few rows, in the loop's own thread, if that does not wait for the disk.

        It takes 0.2 ms. The way to a worker thread and back takes 7 ms (median) while the cores are busy, as they are
        with a model on them: measured with seven nodes on two cores. A member goes it five times before its ballot.
        """
        if self._commits_sync:
            return await self._run(work, *args)
        await self._checkpoint_if_due()
        async with self._turn:
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
        """Around what may be refused by the disk, in the loop's own thread."""
        try:
            yield
        except StoreBlockedError as error:
            if str(error) != self.health.trouble:
                log.error("store.blocked", reason=str(error))
            self.health.tell(str(error))
            raise

    async def _checkpoint_if_due(self) -> None:
        """Move the write-ahead log into the file now and then, in a thread, because that waits for the disk.

        What is in the log is not lost if that is refused.
        """
        self._calls += 1
        if self._calls % CHECKPOINT_CALLS == 0:
            with suppress(StoreBlockedError), self._noting_trouble():
                await trio.to_thread.run_sync(self._transaction, tables.checkpoint, limiter=self._turn)
