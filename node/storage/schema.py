"""The schema as a list of numbered steps: version n of the file is what the first n steps make of an empty one.

A later change of the schema is one more step at the end of `STEPS`; steps that were released never change. With it go
a fixture, `tests/fixtures/stores/v<n>.sql`, and what the test of all fixtures finds in it.

A file is never copied before a step: each step is one transaction, and an old copy that somebody moves back would
hold an old journal, with which a node could sign a second message for a slot (R3).
"""

import sqlite3
from pathlib import Path
from typing import Final

from node.storage.records import StoreError


def _counted(table: str, row_bytes: str = "0") -> str:
    """SQL that keeps the table's line in `usage` exact within each transaction: limits cost no scan, cannot drift.

    `row_bytes` is an SQL expression for the bytes of a row that are worth counting; {row} is NEW or OLD.
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


# `age` grows with each insert. A journal that lost a row is complete only for what came after that row: the first
# trigger.
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

# NULL: all that was ever committed is on the disk. Else the boot of the kernel in which commits were made that may be
# in its memory only; empty where the kernel does not name its boots.
_UNSYNCED_BOOT: Final = """
ALTER TABLE meta ADD COLUMN unsynced_boot TEXT;
UPDATE meta SET unsynced_boot = '';
"""

# Whom the node has worked for, by hour, and until when its owner has paused it: one row, or none.
_SERVED: Final = f"""
CREATE TABLE served (
    age INTEGER PRIMARY KEY, hour INTEGER NOT NULL, requester BLOB NOT NULL, rounds INTEGER NOT NULL,
    tokens INTEGER NOT NULL, engine_ms INTEGER NOT NULL, UNIQUE (hour, requester)) STRICT;
CREATE TABLE pause (one INTEGER PRIMARY KEY CHECK (one = 1), until_ms INTEGER NOT NULL) STRICT;
{_counted("served")}
"""

# Where peers were met, lines of multiaddrs: whom to dial at the next start (node/watch/acquaintances.py).
_PEERS: Final = f"""
CREATE TABLE peers (
    age INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, addresses TEXT NOT NULL, reached INTEGER NOT NULL,
    met_ms INTEGER NOT NULL) STRICT;
{_counted("peers", "length({row}.addresses)")}
"""

STEPS: Final[tuple[str, ...]] = (_JOURNAL, _LEARNED, _UNSYNCED_BOOT, _SERVED, _PEERS)
"""Step n, counted from 1, leads from version n - 1 to version n."""

VERSION: Final = len(STEPS)


def migrate(connection: sqlite3.Connection, path: Path, public_key: bytes, journal_began_ms: int) -> int:
    """Bring the file to today's version, one transaction a step, check that it is ours, and return its old version.

    `public_key` and `journal_began_ms` are for a file that is empty. Raises StoreError, or sqlite3.Error where the
    file cannot be written; it then has the version of the last step that was done.
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
