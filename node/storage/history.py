"""Reads and writes of asked rounds and of lists of certificates. Each function is the work of one transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from node.storage.records import (
    AskedRound,
    CertificateRow,
    CertificateSummary,
    RoundCursor,
    RoundFilter,
    TableLimit,
)
from node.storage.tables import prune
from protocol.types import Digest, Outcome

SCANNED_MAX: Final = 256
"""Rounds that one call looks at: usually 1 MiB, 20 MiB if all are as large as possible. So the journal, which waits for
the call, waits some milliseconds; a longer search is many calls."""

_COLUMNS: Final = "query_id, asked_ms, task, gold, outcome, ending, text, summary, body"


def put_asked(connection: sqlite3.Connection, row: AskedRound, limit: TableLimit) -> None:
    """Store a round in place of its earlier row."""
    # Not INSERT OR REPLACE: that removes the old row without running the triggers.
    connection.execute("DELETE FROM rounds WHERE query_id = ?", (row.query_id,))
    connection.execute(
        f"INSERT INTO rounds ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.query_id,
            row.asked_ms,
            row.task,
            row.gold,
            row.outcome,
            row.ending,
            row.text,
            row.summary,
            row.body,
        ),
    )
    prune(connection, "rounds", limit)


def asked(connection: sqlite3.Connection, query_id: Digest) -> AskedRound | None:
    """Return a round, or None."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM rounds WHERE query_id = ?", (query_id,)).fetchone()
    return None if row is None else _asked(row)


def put_events(connection: sqlite3.Connection, query_id: Digest, asked_ms: int, body: bytes, limit: TableLimit) -> None:
    """Store a round's packed events in place of earlier ones."""
    # Not INSERT OR REPLACE: see put_asked.
    connection.execute("DELETE FROM round_events WHERE query_id = ?", (query_id,))
    connection.execute(
        "INSERT INTO round_events (query_id, asked_ms, body) VALUES (?, ?, ?)", (query_id, asked_ms, body)
    )
    prune(connection, "round_events", limit)


def events(connection: sqlite3.Connection, query_id: Digest) -> bytes | None:
    """Return a round's packed events, or None."""
    row = connection.execute("SELECT body FROM round_events WHERE query_id = ?", (query_id,)).fetchone()
    return None if row is None else bytes(row[0])


def unended(connection: sqlite3.Connection, rows_max: int) -> list[AskedRound]:
    """Return rounds without an ending, newest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM rounds WHERE ending = '' ORDER BY age DESC LIMIT ?", (rows_max,))
    return [_asked(row) for row in rows]


def scan(
    connection: sqlite3.Connection, wanted: RoundFilter, after: RoundCursor | None, rows_max: int
) -> tuple[list[tuple[RoundCursor, bytes]], RoundCursor | None]:
    """Look at the next SCANNED_MAX rounds below `after`, newest first.

    Returns at most `rows_max` that are wanted, as cursors and summaries, and the cursor of the last round that was
    looked at; None: there are no more.
    """
    place = after or RoundCursor(wanted.until_ms + 1, Digest(b""))
    rows = connection.execute(
        "SELECT asked_ms, query_id, CASE WHEN (:gold OR NOT gold) AND (:task = '' OR task = :task)"
        " AND (:outcome = '' OR outcome = :outcome) AND (:text = '' OR instr(text, :text)) THEN summary END"
        " FROM rounds WHERE (asked_ms, query_id) < (:before_ms, :before_id)"
        " AND asked_ms BETWEEN :since_ms AND :until_ms"
        " ORDER BY asked_ms DESC, query_id DESC LIMIT :scanned",
        {
            "gold": wanted.gold,
            "task": wanted.task,
            "outcome": wanted.outcome,
            "text": wanted.text,
            "before_ms": place.asked_ms,
            "before_id": place.query_id,
            "since_ms": wanted.since_ms,
            "until_ms": wanted.until_ms,
            "scanned": SCANNED_MAX,
        },
    )
    found: list[tuple[RoundCursor, bytes]] = []
    seen = 0
    last: RoundCursor | None = None
    for asked_ms, query_id, summary in rows:
        last = RoundCursor(asked_ms, Digest(query_id))
        seen += 1
        if summary is not None:
            found.append((last, summary))
            if len(found) == rows_max:
                return found, last
    return found, last if seen == SCANNED_MAX else None


def certificates(connection: sqlite3.Connection, before_age: int | None, rows_max: int) -> list[CertificateRow]:
    """Return stored certificates below an age, newest first."""
    rows = connection.execute(
        "SELECT age, query_id, outcome, winner, created_ms, length(bytes),"
        " EXISTS (SELECT 1 FROM rounds WHERE rounds.query_id = certificates.query_id)"
        " FROM certificates WHERE ? IS NULL OR age < ? ORDER BY age DESC LIMIT ?",
        (before_age, before_age, rows_max),
    )
    return [
        CertificateRow(
            age, CertificateSummary(Digest(query_id), Outcome(outcome), winner, created_ms), size, bool(is_ours)
        )
        for age, query_id, outcome, winner, created_ms, size, is_ours in rows
    ]


def _asked(row: Sequence[object]) -> AskedRound:
    query_id, asked_ms, task, gold, *others = row
    return AskedRound(Digest(query_id), asked_ms, task, bool(gold), *others)  # type: ignore[arg-type]  # STRICT columns
