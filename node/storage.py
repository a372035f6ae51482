"""What a node must not forget: its journal, its certificates, the rounds it is in, the queries it has seen.

One SQLite file per key, one process per file, one writer: calls run one at a time and in turn. What may take long or
waits for the disk runs in a worker thread; writes of a few rows run where they are called, for rounds wait for them.
A call's effect survives SIGKILL once it has returned; with `synchronous="full"` a power cut, too.
"""

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar, TypeVarTuple

import trio

from protocol.types import Digest, Key, Kind, Outcome

DATABASE_NAME: Final = "strand.db"
LOCK_NAME: Final = "strand.lock"
SCHEMA_VERSION: Final = 2

Synchronous = Literal["normal", "full"]

CHECKPOINT_CALLS: Final = 256
"""calls between two checkpoints of the write-ahead log, the only ones that wait for the disk (if not "full"). About
5 MiB of log at a few KiB a message; 128 MiB if every message were as large as one can be."""


class StoreError(Exception):
    """The store cannot be opened, read or written: in use, damaged, of another key or version, disk full.

    The message is one line for the user. A node that meets it cannot keep its promises and must stop.
    """


class SlotTakenError(RuntimeError):
    """Local bug: a second, different message for a slot of ours (R3). Sending it would be equivocation."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A message of our own, about to be sent, and what only we know of it, such as a commitment's salt and text."""

    query_id: Digest
    kind: Kind
    wave: int
    envelope: bytes
    secret: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A stored certificate without its bytes. `winner` is the author's key; empty if the round failed."""

    query_id: Digest
    outcome: Outcome
    winner: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that we had joined and not finished when the process ended."""

    query_id: Digest
    requester: Key
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Learned:
    """One piece of what the node learned of others (node/reputation.py); unique by specialty, part and name."""

    part: str
    name: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class TableLimit:
    """Bounds of one table; beyond them its oldest rows go."""

    rows_max: int
    bytes_max: int


_GIB: Final = 1 << 30

LIMITS: Final[Mapping[str, TableLimit]] = {
    # Weeks of a busy node at a few KiB a message. Its oldest rounds are long closed; R12 covers the others.
    "journal": TableLimit(rows_max=500_000, bytes_max=_GIB),
    # A history for the user at some 50 KiB each (8 MiB at most, CERTIFICATE_BYTES_MAX); the asker has its own copy.
    "certificates": TableLimit(rows_max=20_000, bytes_max=_GIB),
    # 64 requesters (MEMBERS_MAX) with 64 open rounds each, the most that any NetworkParams allow.
    "open_rounds": TableLimit(rows_max=4_096, bytes_max=_GIB),
    # Queries live for minutes: 100 new ones a second for a quarter of an hour.
    "seen_queries": TableLimit(rows_max=100_000, bytes_max=_GIB),
    # Of three specialties, each 4,096 standings (STANDINGS_MAX) of some 300 bytes and 128 gold rounds of 10 KiB.
    "learned": TableLimit(rows_max=3 * 4_352, bytes_max=_GIB),
}

# `age` grows with each insert. The triggers keep `usage` exact within each transaction, so that limits cost no scan and
# cannot drift. A journal that lost a row is complete only for what came after that row: the last trigger.
_SCHEMA: Final = """
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1), public_key BLOB NOT NULL, journal_began_ms INTEGER NOT NULL) STRICT;
CREATE TABLE usage (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL, kind INTEGER NOT NULL, wave INTEGER NOT NULL,
    envelope BLOB NOT NULL, secret BLOB NOT NULL, created_ms INTEGER NOT NULL, UNIQUE (query_id, kind, wave)) STRICT;
CREATE TABLE certificates (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL UNIQUE, outcome TEXT NOT NULL, winner BLOB NOT NULL,
    created_ms INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE open_rounds (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL UNIQUE, requester BLOB NOT NULL,
    deadline_ms INTEGER NOT NULL) STRICT;
CREATE TABLE seen_queries (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL UNIQUE, expires_ms INTEGER NOT NULL) STRICT;
CREATE INDEX seen_queries_expiry ON seen_queries (expires_ms);
CREATE TABLE learned (
    age INTEGER PRIMARY KEY, specialty TEXT NOT NULL, part TEXT NOT NULL, name BLOB NOT NULL, body BLOB NOT NULL,
    UNIQUE (specialty, part, name)) STRICT;
CREATE TRIGGER journal_shortened AFTER DELETE ON journal BEGIN
    UPDATE meta SET journal_began_ms = max(journal_began_ms, OLD.created_ms + 1);
END;
"""

_USAGE_TRIGGERS: Final = """
INSERT INTO usage (name) VALUES ('{table}');
CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN
    UPDATE usage SET rows = rows + 1, bytes = bytes + {added_bytes} WHERE name = '{table}';
END;
CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN
    UPDATE usage SET rows = rows - 1, bytes = bytes - {removed_bytes} WHERE name = '{table}';
END;
"""

# Bytes of a row that are worth counting, in SQL; {row} is NEW or OLD. The other tables have rows of fixed size.
_ROW_BYTES: Final = {
    "journal": "(length({row}.envelope) + length({row}.secret))",
    "certificates": "length({row}.bytes)",
    "learned": "length({row}.body)",
}

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@asynccontextmanager
async def open_store(
    folder: Path,
    *,
    public_key: bytes,
    fresh_key: bool,
    now_ms: int,
    synchronous: Synchronous = "normal",
    limits: Mapping[str, TableLimit] = LIMITS,
) -> AsyncIterator["Store"]:
    """Open, or create, the store of the node with `public_key` in `folder`, and keep every other process out of it.

    `fresh_key` says that the key was made in this same start: only then is a new journal a complete one (R12).
    Raises StoreError.
    """
    with _only_process(folder):
        turn = trio.CapacityLimiter(1)
        connect = partial(_connect, folder / DATABASE_NAME, public_key, 0 if fresh_key else now_ms, synchronous)
        connection = await trio.to_thread.run_sync(connect, limiter=turn)
        try:
            yield Store(connection, turn, limits, synchronous)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(connection.close, limiter=turn)


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
        self._journal_began_ms = _journal_began_ms(connection)

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
        self._journal_began_ms = await self._run_here(_write_journal, entries, self._limits["journal"])

    async def journal(self, query_id: Digest) -> list[JournalEntry]:
        """Return what we sent in a round, in the order of writing."""
        return await self._run(_read_journal, query_id)

    async def put_certificate(self, summary: CertificateSummary, certificate: bytes) -> None:
        """Store a certificate; a later one of the same query (with more co-signatures) replaces it."""
        await self._run(_put_certificate, summary, certificate, self._limits["certificates"])

    async def certificate(self, query_id: Digest) -> bytes | None:
        """Return a certificate's bytes, if we have it."""
        return await self._run(_certificate, query_id)

    async def certificates(self, rows_max: int) -> list[CertificateSummary]:
        """Return the certificates stored last, newest first."""
        return await self._run(_certificates, rows_max)

    async def put_round(self, joined: OpenRound) -> None:
        """Remember that we take part in a round."""
        await self._run_here(_put_round, joined, self._limits["open_rounds"])

    async def drop_round(self, query_id: Digest) -> None:
        """Forget a round that has ended."""
        await self._run_here(_drop_round, query_id)

    async def rounds_to_recover(self, now_ms: int) -> list[OpenRound]:
        """Return the rounds that were not dropped, oldest first, and forget those whose deadline has passed."""
        return await self._run(_rounds_to_recover, now_ms)

    async def admit_query(self, query_id: Digest, *, expires_ms: int, now_ms: int) -> bool:
        """Return whether the query is new, and remember it until `expires_ms`."""
        return await self._run_here(_admit_query, query_id, expires_ms, now_ms, self._limits["seen_queries"])

    async def put_learned(self, specialty: str, rows: Sequence[Learned]) -> None:
        """Store all `rows` or none; each replaces the one of its name."""
        await self._run(_put_learned, specialty, rows, self._limits["learned"])

    async def learned(self, specialty: str) -> list[Learned]:
        """Return what was learned, what was stored last at the end."""
        return await self._run(_learned, specialty)

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
            await trio.to_thread.run_sync(self._transaction, _checkpoint, limiter=self._turn)


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. The kernel lets go of it when the process dies, however it dies."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use the folder {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreError(f"another strand uses {folder}: stop it, or give this one a data_dir of its own") from error
    try:
        yield
    finally:
        os.close(lock)


def _connect(path: Path, public_key: bytes, journal_began_ms: int, synchronous: Synchronous) -> sqlite3.Connection:
    try:
        # The journal holds salts that nobody may see before they are opened. SQLite gives the WAL the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # The store says when: SQLite would do it within whatever commit fills a thousandth page.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        _prepare(connection, path, public_key, journal_began_ms)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"cannot read {path}: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, public_key: bytes, journal_began_ms: int) -> None:
    """Create the tables in an empty file, or check that the file is ours."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        triggers = "".join(
            _USAGE_TRIGGERS.format(
                table=table,
                added_bytes=_ROW_BYTES.get(table, "0").format(row="NEW"),
                removed_bytes=_ROW_BYTES.get(table, "0").format(row="OLD"),
            )
            for table in LIMITS
        )
        meta = f"INSERT INTO meta VALUES (1, x'{public_key.hex()}', {int(journal_began_ms)});"
        # One transaction with the version in it: a start that was killed here leaves an empty file, not half a schema.
        connection.executescript(f"BEGIN; {_SCHEMA} {triggers} {meta} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise StoreError(f"{path} has version {version}, this strand reads version {SCHEMA_VERSION}")
    (owner,) = connection.execute("SELECT public_key FROM meta").fetchone()
    if owner != public_key:
        raise StoreError(f"{path} belongs to the key {owner.hex()}, not to {public_key.hex()}: move one of them away")


def _journal_began_ms(connection: sqlite3.Connection) -> int:
    (began_ms,) = connection.execute("SELECT journal_began_ms FROM meta").fetchone()
    return int(began_ms)


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _prune(connection: sqlite3.Connection, table: str, limit: TableLimit) -> None:
    """Drop the oldest rows while the table is over its limit: some at once, so that not every insert has to."""
    while True:
        rows, size = connection.execute("SELECT rows, bytes FROM usage WHERE name = ?", (table,)).fetchone()
        if rows <= limit.rows_max and size <= limit.bytes_max:
            return
        oldest = f"SELECT age FROM {table} ORDER BY age LIMIT {1 + rows // 4096}"
        connection.execute(f"DELETE FROM {table} WHERE age IN ({oldest})")


def _write_journal(connection: sqlite3.Connection, entries: Sequence[JournalEntry], limit: TableLimit) -> int:
    for entry in entries:
        slot = (entry.query_id, entry.kind, entry.wave)
        added = connection.execute(
            "INSERT INTO journal (query_id, kind, wave, envelope, secret, created_ms) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (*slot, entry.envelope, entry.secret, entry.created_ms),
        )
        if added.rowcount == 0:
            (there,) = connection.execute(
                "SELECT envelope FROM journal WHERE query_id = ? AND kind = ? AND wave = ?", slot
            ).fetchone()
            if there != entry.envelope:
                raise SlotTakenError(
                    f"{entry.kind.name} of wave {entry.wave} in {entry.query_id.hex()} is already written"
                )
    _prune(connection, "journal", limit)
    return _journal_began_ms(connection)


def _read_journal(connection: sqlite3.Connection, query_id: Digest) -> list[JournalEntry]:
    rows = connection.execute(
        "SELECT kind, wave, envelope, secret, created_ms FROM journal WHERE query_id = ? ORDER BY age", (query_id,)
    )
    return [JournalEntry(query_id, Kind(kind), *others) for kind, *others in rows]


def _put_certificate(
    connection: sqlite3.Connection, summary: CertificateSummary, certificate: bytes, limit: TableLimit
) -> None:
    # Not INSERT OR REPLACE: that removes the old row behind the back of the triggers.
    connection.execute("DELETE FROM certificates WHERE query_id = ?", (summary.query_id,))
    connection.execute(
        "INSERT INTO certificates (query_id, outcome, winner, created_ms, bytes) VALUES (?, ?, ?, ?, ?)",
        (summary.query_id, summary.outcome, summary.winner, summary.created_ms, certificate),
    )
    _prune(connection, "certificates", limit)


def _certificate(connection: sqlite3.Connection, query_id: Digest) -> bytes | None:
    row = connection.execute("SELECT bytes FROM certificates WHERE query_id = ?", (query_id,)).fetchone()
    return None if row is None else bytes(row[0])


def _certificates(connection: sqlite3.Connection, rows_max: int) -> list[CertificateSummary]:
    rows = connection.execute(
        "SELECT query_id, outcome, winner, created_ms FROM certificates ORDER BY age DESC LIMIT ?", (rows_max,)
    )
    return [
        CertificateSummary(Digest(query_id), Outcome(outcome), winner, created_ms)
        for query_id, outcome, winner, created_ms in rows
    ]


def _put_round(connection: sqlite3.Connection, joined: OpenRound, limit: TableLimit) -> None:
    connection.execute(
        "INSERT INTO open_rounds (query_id, requester, deadline_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (joined.query_id, joined.requester, joined.deadline_ms),
    )
    _prune(connection, "open_rounds", limit)


def _drop_round(connection: sqlite3.Connection, query_id: Digest) -> None:
    connection.execute("DELETE FROM open_rounds WHERE query_id = ?", (query_id,))


def _rounds_to_recover(connection: sqlite3.Connection, now_ms: int) -> list[OpenRound]:
    connection.execute("DELETE FROM open_rounds WHERE deadline_ms <= ?", (now_ms,))
    rows = connection.execute("SELECT query_id, requester, deadline_ms FROM open_rounds ORDER BY age")
    return [OpenRound(Digest(query_id), Key(requester), deadline_ms) for query_id, requester, deadline_ms in rows]


def _admit_query(
    connection: sqlite3.Connection, query_id: Digest, expires_ms: int, now_ms: int, limit: TableLimit
) -> bool:
    connection.execute("DELETE FROM seen_queries WHERE expires_ms <= ?", (now_ms,))
    added = connection.execute(
        "INSERT INTO seen_queries (query_id, expires_ms) VALUES (?, ?) ON CONFLICT DO NOTHING", (query_id, expires_ms)
    )
    _prune(connection, "seen_queries", limit)
    return added.rowcount == 1


def _put_learned(connection: sqlite3.Connection, specialty: str, rows: Sequence[Learned], limit: TableLimit) -> None:
    for row in rows:
        # Not INSERT OR REPLACE: see _put_certificate.
        name = (specialty, row.part, row.name)
        connection.execute("DELETE FROM learned WHERE specialty = ? AND part = ? AND name = ?", name)
        connection.execute("INSERT INTO learned (specialty, part, name, body) VALUES (?, ?, ?, ?)", (*name, row.body))
    _prune(connection, "learned", limit)


def _learned(connection: sqlite3.Connection, specialty: str) -> list[Learned]:
    rows = connection.execute("SELECT part, name, body FROM learned WHERE specialty = ? ORDER BY age", (specialty,))
    return [Learned(part, name, body) for part, name, body in rows]
