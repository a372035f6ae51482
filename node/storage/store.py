"""An open store: one connection, one writer, calls in turn.

What may take long or waits for the disk runs in a worker thread; writes of a few rows run where they are called, for
rounds wait for them.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import trio

from node.storage import tables
from node.storage.file import DATABASE_NAME, Start, Synchronous, connect, disconnect, only_process
from node.storage.records import (
    LIMITS,
    CertificateSummary,
    JournalEntry,
    Learned,
    OpenRound,
    Served,
    StoreError,
    TableLimit,
)
from protocol.types import Digest

CHECKPOINT_CALLS: Final = 256
"""calls between two checkpoints of the write-ahead log, the only ones that wait for the disk (if not "full"). About
5 MiB of log at a few KiB a message; 128 MiB if every message were as large as one can be."""

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
        connection = await trio.to_thread.run_sync(partial(connect, folder / DATABASE_NAME, start), limiter=turn)
        try:
            yield Store(connection, turn, limits, synchronous)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(disconnect, connection, limiter=turn)


class Store:
    """An open store, made by `open_store`. Every method raises StoreError when the disk or the file fails."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        turn: trio.CapacityLimiter,
        limits: Mapping[str, TableLimit],
        synchronous: Synchronous,
    ) -> None:
        """Take over an open connection; `turn` has one token, so that calls run one after the other."""
        self._connection = connection
        self._turn = turn
        self._limits = limits
        self._commits_sync = synchronous == "full"
        self._calls = 0
        self._journal_began_ms = tables.journal_began_ms(connection)

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
        self._journal_began_ms = await self._run_here(tables.write_journal, entries, self._limits["journal"])

    async def journal(self, query_id: Digest) -> list[JournalEntry]:
        """Return what we sent in a round, in the order of writing."""
        return await self._run(tables.read_journal, query_id)

    async def put_certificate(self, summary: CertificateSummary, certificate: bytes) -> None:
        """Store a certificate; a later one of the same query (with more co-signatures) replaces it."""
        await self._run(tables.put_certificate, summary, certificate, self._limits["certificates"])

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's bytes, if we have it."""
        return await self._run(tables.certificate, query_id)

    async def certificates(self, rows_max: int) -> list[CertificateSummary]:
        """Return the certificates stored last, newest first."""
        return await self._run(tables.certificates, rows_max)

    async def put_round(self, joined: OpenRound) -> None:
        """Remember that we take part in a round."""
        await self._run_here(tables.put_round, joined, self._limits["open_rounds"])

    async def drop_round(self, query_id: Digest) -> None:
        """Forget a round that has ended."""
        await self._run_here(tables.drop_round, query_id)

    async def rounds_to_recover(self, now_ms: int) -> list[OpenRound]:
        """Return the rounds that were not dropped, oldest first, and forget those whose deadline has passed."""
        return await self._run(tables.rounds_to_recover, now_ms)

    async def admit_query(self, query_id: Digest, *, expires_ms: int, now_ms: int) -> bool:
        """Return whether the query is new, and remember it until `expires_ms`."""
        return await self._run_here(tables.admit_query, query_id, expires_ms, now_ms, self._limits["seen_queries"])

    async def put_learned(self, specialty: str, rows: Sequence[Learned]) -> None:
        """Store all `rows` or none; each replaces the one of its name."""
        await self._run(tables.put_learned, specialty, rows, self._limits["learned"])

    async def learned(self, specialty: str) -> list[Learned]:
        """Return what was learned, what was stored last at the end."""
        return await self._run(tables.learned, specialty)

    async def put_served(self, hour: int, rows: Sequence[Served]) -> None:
        """Store all that requesters have cost in an hour, in place of what was stored of it."""
        await self._run(tables.put_served, hour, rows, self._limits["served"])

    async def served(self, since_hour: int) -> list[Served]:
        """Return what requesters have cost from that hour on."""
        return await self._run(tables.served, since_hour)

    async def put_pause(self, until_ms: int) -> None:
        """Remember until when the owner has paused the node; 0: it is not paused."""
        await self._run(tables.put_pause, until_ms)

    async def pause(self) -> int:
        """Return until when the owner has paused the node; 0: it is not paused."""
        return await self._run(tables.pause)

    async def _run(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Do `work` as one transaction in a thread. Once begun it is not cancelled: its result would be unknown."""
        await self._checkpoint_if_due()
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
            return self._transaction(work, *args)

    def _transaction(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        try:
            with self._connection:
                return work(self._connection, *args)
        except sqlite3.Error as error:
            raise StoreError(f"the store failed: {error}") from error

    async def _checkpoint_if_due(self) -> None:
        """Move the write-ahead log into the file now and then, in a thread, because that waits for the disk."""
        self._calls += 1
        if self._calls % CHECKPOINT_CALLS == 0:
            await trio.to_thread.run_sync(self._transaction, tables.checkpoint, limiter=self._turn)
