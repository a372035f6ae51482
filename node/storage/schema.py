"""The schema as a list of numbered steps: version n of the file is the result of the first n steps on an empty one.

A later change of the schema is one more step at the end of `STEPS`; released steps never change. It comes with a
fixture, `tests/fixtures/stores/v<n>.sql`, and its expected content in the test of all fixtures.

A file is never copied before a step: each step is one transaction, and an old copy that somebody restores would hold an
old journal, with which a node could sign a second message for a slot (R3).
"""

import sqlite3
from pathlib import Path
from typing import Final

from node.storage.records import StoreError


def _counted(table: str, row_bytes: str = "0") -> str:
    """Return SQL that keeps the table's row in `usage` exact within each transaction, so that limits cost no scan.

    `row_bytes` is an SQL expression for the counted bytes of a row; {row} is NEW or OLD.
    """
    return f"""
    INSERT INTO usage (name) VALUES ('{table}');
    CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN
        UPDATE usage SET rows = rows + 1, bytes = bytes + {row_bytes.format(row="NEW")} WHERE name = '{table}';
    END;
    CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN
        UPDATE usage SET rows = rows - 1, bytes = bytes - {row_bytes.format(row="OLD")} WHERE name = '{table}';
    END;
    """


# `age` grows with each insert. A journal that lost a row is complete only from after that row: the first trigger.
_JOURNAL: Final = f"""
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
CREATE TRIGGER journal_shortened AFTER DELETE ON journal BEGIN
    UPDATE meta SET journal_began_ms = max(journal_began_ms, OLD.created_ms + 1);
END;
{_counted("journal", "(length({row}.envelope) + length({row}.secret))")}
{_counted("certificates", "length({row}.bytes)")}
{_counted("open_rounds")}
{_counted("seen_queries")}
"""

_LEARNED: Final = f"""
CREATE TABLE learned (
    age INTEGER PRIMARY KEY, specialty TEXT NOT NULL, part TEXT NOT NULL, name BLOB NOT NULL, body BLOB NOT NULL,
    UNIQUE (specialty, part, name)) STRICT;
{_counted("learned", "length({row}.body)")}
"""

# NULL: every commit is on the disk. Otherwise the kernel's boot in which commits were made that may be in its memory
# only; empty if the kernel does not identify its boots.
_UNSYNCED_BOOT: Final = """
ALTER TABLE meta ADD COLUMN unsynced_boot TEXT;
UPDATE meta SET unsynced_boot = '';
"""

# Requesters that the node has worked for, by hour, and the end of its owner's pause: one row, or none.
_SERVED: Final = f"""
CREATE TABLE served (
    age INTEGER PRIMARY KEY, hour INTEGER NOT NULL, requester BLOB NOT NULL, rounds INTEGER NOT NULL,
    tokens INTEGER NOT NULL, engine_ms INTEGER NOT NULL, UNIQUE (hour, requester)) STRICT;
CREATE TABLE pause (one INTEGER PRIMARY KEY CHECK (one = 1), until_ms INTEGER NOT NULL) STRICT;
{_counted("served")}
"""

# Places where peers were met, as lines of multiaddrs, to dial at the next start (node/watch/acquaintances.py).
_PEERS: Final = f"""
CREATE TABLE peers (
    age INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, addresses TEXT NOT NULL, reached INTEGER NOT NULL,
    met_ms INTEGER NOT NULL) STRICT;
{_counted("peers", "length({row}.addresses)")}
"""

# Rounds that this node asked: what is filtered and searched by stands in columns, the rest in two bodies
# (node/rounds/history.py). `text` has its letters' case folded. An empty ending: the round was open.
_ROUNDS: Final = f"""
CREATE TABLE rounds (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL UNIQUE, asked_ms INTEGER NOT NULL, task TEXT NOT NULL,
    gold INTEGER NOT NULL, outcome TEXT NOT NULL, ending TEXT NOT NULL, text TEXT NOT NULL, summary BLOB NOT NULL,
    body BLOB NOT NULL) STRICT;
CREATE INDEX rounds_by_time ON rounds (asked_ms, query_id);
{_counted("rounds", "(length(CAST({row}.text AS BLOB)) + length({row}.summary) + length({row}.body))")}
"""

# The events of rounds that this node asked, packed (node/rounds/noting.py).
_ROUND_EVENTS: Final = f"""
CREATE TABLE round_events (
    age INTEGER PRIMARY KEY, query_id BLOB NOT NULL UNIQUE, asked_ms INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
{_counted("round_events", "length({row}.body)")}
"""

STEPS: Final[tuple[str, ...]] = (_JOURNAL, _LEARNED, _UNSYNCED_BOOT, _SERVED, _PEERS, _ROUNDS, _ROUND_EVENTS)
"""Step n, counted from 1, leads from version n - 1 to version n."""

VERSION: Final = len(STEPS)


def migrate(connection: sqlite3.Connection, path: Path, public_key: bytes, journal_began_ms: int) -> int:
    """Bring the file to the current version, one transaction a step. Returns its old version.

    Also checks that the file is ours. `public_key` and `journal_began_ms` are for an empty file. Raises StoreError, or
    sqlite3.Error if the file cannot be written; it then has the version of the last completed step.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            f"{path} has version {version}, which a newer strand wrote; this strand reads up to {VERSION}: "
            "install the newer one, or give this one a data_dir of its own"
        )
    for number, step in enumerate(STEPS[version:], version + 1):
        first = f"INSERT INTO meta VALUES (1, x'{public_key.hex()}', {int(journal_began_ms)});" if number == 1 else ""
        # The version is part of the transaction: a start that is killed here leaves the step before, not half of one.
        connection.executescript(f"BEGIN IMMEDIATE; {step} {first} PRAGMA user_version = {number}; COMMIT;")
    (owner,) = connection.execute("SELECT public_key FROM meta").fetchone()
    if owner != public_key:
        raise StoreError(f"{path} belongs to the key {owner.hex()}, not to {public_key.hex()}: move one of them away")
    return int(version)
