"""Reads and writes of each table. Each function is the work of one transaction."""

import sqlite3
from collections.abc import Sequence

from node.storage.records import (
    Acquaintance,
    CertificateSummary,
    JournalEntry,
    Learned,
    OpenRound,
    ServedHour,
    SlotTakenError,
    TableLimit,
)
from protocol.types import Digest, Key, Kind


def journal_began_ms(connection: sqlite3.Connection) -> int:
    """Return the time from which the journal is complete; 0 if it always was."""
    (began_ms,) = connection.execute("SELECT journal_began_ms FROM meta").fetchone()
    return int(began_ms)


def journal_head(connection: sqlite3.Connection) -> int:
    """Return the age of the journal's last row; 0 if it has none."""
    (age,) = connection.execute("SELECT max(age) FROM journal").fetchone()
    return age or 0


def touch(connection: sqlite3.Connection) -> None:
    """Write without any change, to test the disk."""
    connection.execute("UPDATE meta SET one = 1")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move committed rows from the write-ahead log into the file, as far as no reader is in the way."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def prune(connection: sqlite3.Connection, table: str, limit: TableLimit) -> None:
    """Delete the oldest rows while the table is over its limit: some at once, so that not every insert has to."""
    while True:
        rows, size = connection.execute("SELECT rows, bytes FROM usage WHERE name = ?", (table,)).fetchone()
        if rows <= limit.rows_max and size <= limit.bytes_max:
            return
        oldest = f"SELECT age FROM {table} ORDER BY age LIMIT {1 + rows // 4096}"
        connection.execute(f"DELETE FROM {table} WHERE age IN ({oldest})")


def write_journal(
    connection: sqlite3.Connection, entries: Sequence[JournalEntry], limit: TableLimit
) -> tuple[int, int]:
    """Write all or none. Returns the time from which the journal is complete, and the age of its last row."""
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
    prune(connection, "journal", limit)
    return journal_began_ms(connection), journal_head(connection)


def read_journal(connection: sqlite3.Connection, query_id: Digest) -> list[JournalEntry]:
    """Return our messages in a round, in the order of writing."""
    rows = connection.execute(
        "SELECT kind, wave, envelope, secret, created_ms FROM journal WHERE query_id = ? ORDER BY age", (query_id,)
    )
    return [JournalEntry(query_id, Kind(kind), *others) for kind, *others in rows]


def put_certificate(
    connection: sqlite3.Connection, summary: CertificateSummary, certificate: bytes, limit: TableLimit
) -> None:
    """Store a certificate in place of an earlier one of the same query."""
    # Not INSERT OR REPLACE: that removes the old row without running the triggers.
    connection.execute("DELETE FROM certificates WHERE query_id = ?", (summary.query_id,))
    connection.execute(
        "INSERT INTO certificates (query_id, outcome, winner, created_ms, bytes) VALUES (?, ?, ?, ?, ?)",
        (summary.query_id, summary.outcome, summary.winner, summary.created_ms, certificate),
    )
    prune(connection, "certificates", limit)


def certificate(connection: sqlite3.Connection, query_id: Digest) -> bytes | None:
    """Return a certificate's bytes, or None."""
    row = connection.execute("SELECT bytes FROM certificates WHERE query_id = ?", (query_id,)).fetchone()
    return None if row is None else bytes(row[0])


def count_certificates(connection: sqlite3.Connection) -> int:
    """Return the number of stored certificates, whatever it is, at the cost of one row."""
    (rows,) = connection.execute("SELECT rows FROM usage WHERE name = 'certificates'").fetchone()
    return int(rows)


def put_round(connection: sqlite3.Connection, joined: OpenRound, limit: TableLimit) -> None:
    """Record that we take part in a round."""
    connection.execute(
        "INSERT INTO open_rounds (query_id, requester, deadline_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (joined.query_id, joined.requester, joined.deadline_ms),
    )
    prune(connection, "open_rounds", limit)


def drop_round(connection: sqlite3.Connection, query_id: Digest) -> None:
    """Forget a round."""
    connection.execute("DELETE FROM open_rounds WHERE query_id = ?", (query_id,))


def rounds_to_recover(connection: sqlite3.Connection, now_ms: int) -> list[OpenRound]:
    """Delete rounds past their deadline and return the others, oldest first."""
    connection.execute("DELETE FROM open_rounds WHERE deadline_ms <= ?", (now_ms,))
    rows = connection.execute("SELECT query_id, requester, deadline_ms FROM open_rounds ORDER BY age")
    return [OpenRound(Digest(query_id), Key(requester), deadline_ms) for query_id, requester, deadline_ms in rows]


def admit_query(
    connection: sqlite3.Connection, query_id: Digest, expires_ms: int, now_ms: int, limit: TableLimit
) -> bool:
    """Record a query. Returns whether it is new."""
    connection.execute("DELETE FROM seen_queries WHERE expires_ms <= ?", (now_ms,))
    # After a clock was set back, a query that is forgotten here may be in its window again. Taking part again in a
    # round that we have signed for would be equivocation.
    if connection.execute("SELECT 1 FROM journal WHERE query_id = ? LIMIT 1", (query_id,)).fetchone():
        return False
    added = connection.execute(
        "INSERT INTO seen_queries (query_id, expires_ms) VALUES (?, ?) ON CONFLICT DO NOTHING", (query_id, expires_ms)
    )
    prune(connection, "seen_queries", limit)
    return added.rowcount == 1


def put_learned(connection: sqlite3.Connection, specialty: str, row: Learned, limit: TableLimit) -> None:
    """Store a learned row in place of the one with its name."""
    # Not INSERT OR REPLACE: see put_certificate.
    name = (specialty, row.part, row.name)
    connection.execute("DELETE FROM learned WHERE specialty = ? AND part = ? AND name = ?", name)
    connection.execute("INSERT INTO learned (specialty, part, name, body) VALUES (?, ?, ?, ?)", (*name, row.body))
    prune(connection, "learned", limit)


def learned(connection: sqlite3.Connection, specialty: str) -> list[Learned]:
    """Return the learned rows, the last stored at the end."""
    rows = connection.execute("SELECT part, name, body FROM learned WHERE specialty = ? ORDER BY age", (specialty,))
    return [Learned(part, name, body) for part, name, body in rows]


def put_served(connection: sqlite3.Connection, hour: int, rows: Sequence[ServedHour], limit: TableLimit) -> None:
    """Store the costs of an hour in place of its earlier rows."""
    connection.execute("DELETE FROM served WHERE hour = ?", (hour,))
    connection.executemany(
        "INSERT INTO served (hour, requester, rounds, tokens, engine_ms) VALUES (?, ?, ?, ?, ?)",
        [(each.hour, each.requester, each.rounds, each.tokens, each.engine_ms) for each in rows],
    )
    prune(connection, "served", limit)


def served(connection: sqlite3.Connection, since_hour: int) -> list[ServedHour]:
    """Return the costs of requesters from that hour on."""
    rows = connection.execute(
        "SELECT hour, requester, rounds, tokens, engine_ms FROM served WHERE hour >= ? ORDER BY age", (since_hour,)
    )
    return [ServedHour(*row) for row in rows]


def put_pause(connection: sqlite3.Connection, until_ms: int) -> None:
    """Store the end of the owner's pause; 0: none."""
    connection.execute("DELETE FROM pause")
    if until_ms:
        connection.execute("INSERT INTO pause VALUES (1, ?)", (until_ms,))


def pause(connection: sqlite3.Connection) -> int:
    """Return the end of the owner's pause; 0: none."""
    row = connection.execute("SELECT until_ms FROM pause").fetchone()
    return 0 if row is None else int(row[0])


def put_peers(connection: sqlite3.Connection, peers: Sequence[Acquaintance], limit: TableLimit) -> None:
    """Store these, the most important first, in place of all stored ones."""
    connection.execute("DELETE FROM peers")
    connection.executemany(
        "INSERT INTO peers (key, addresses, reached, met_ms) VALUES (?, ?, ?, ?)",
        [(each.key, "\n".join(each.addresses), each.reached, each.met_ms) for each in reversed(peers)],
    )
    prune(connection, "peers", limit)


def peers(connection: sqlite3.Connection, since_ms: int) -> list[Acquaintance]:
    """Return the peers that were met since then, the most important first."""
    rows = connection.execute(
        "SELECT key, addresses, reached, met_ms FROM peers WHERE met_ms >= ? ORDER BY age DESC", (since_ms,)
    )
    return [
        Acquaintance(key, tuple(addresses.split("\n")), bool(reached), met_ms)
        for key, addresses, reached, met_ms in rows
    ]
