"""The store's quota: the oldest history goes first, and of the journal only what no round can need any more."""

import sqlite3
from typing import Final

from consensus.rounds.validation import LINGER_MS
from protocol.limits import DURATION_MS_MAX, STAGES_MAX, WAVES_MAX

PHASES_MAX: Final = 3 + STAGES_MAX + WAVES_MAX
"""Phases of the longest round: answering, opening, co-signing, its stages of testing and its waves."""

JOURNAL_KEPT_MS: Final = PHASES_MAX * DURATION_MS_MAX + 2 * LINGER_MS
"""Milliseconds before its last message for which the journal is kept whatever the quota says: half a day, the longest
that any network's round may take, and a margin for skewed clocks. A message that is missing while its round is open
could be signed anew, differently (R3, R12)."""

HISTORY: Final = {"certificates": "created_ms", "rounds": "asked_ms", "round_events": "asked_ms"}
"""Tables that are history, with the column of a row's time. Losing a row loses what a user could look up."""

_SHARE: Final = 256
"""Divisor: a 256th of a table's rows is deleted at once, so that not every write has to."""


def counted_bytes(connection: sqlite3.Connection) -> int:
    """Return the counted bytes of all tables. The file is larger: it has indices, and room to be used again."""
    (size,) = connection.execute("SELECT sum(bytes) FROM usage").fetchone()
    return int(size or 0)


def enforce(connection: sqlite3.Connection, bytes_max: int) -> int:
    """Delete the oldest history, then old messages of the journal, while the store is over `bytes_max`.

    Returns how many rows were deleted. If all of that is gone, the store stays over its quota.
    """
    deleted = 0
    while counted_bytes(connection) > bytes_max:
        count = _shed_history(connection) or _shed_journal(connection)
        if not count:
            break
        deleted += count
    return deleted


def _shed_history(connection: sqlite3.Connection) -> int:
    """Delete the oldest rows of the history table that has the oldest one; return how many."""
    oldest: dict[str, int] = {}
    for table, column in HISTORY.items():
        found = connection.execute(f"SELECT {column} FROM {table} ORDER BY age LIMIT 1").fetchone()
        if found is not None:
            oldest[table] = found[0]
    if not oldest:
        return 0
    return _delete_oldest(connection, min(oldest, key=lambda table: oldest[table]), "")


def _shed_journal(connection: sqlite3.Connection) -> int:
    """Delete the journal's oldest messages that are JOURNAL_KEPT_MS older than its last; return how many.

    A trigger of the schema notes from when on the journal is complete then.
    """
    last = connection.execute("SELECT created_ms FROM journal ORDER BY age DESC LIMIT 1").fetchone()
    if last is None:
        return 0
    return _delete_oldest(connection, "journal", f"WHERE created_ms < {int(last[0]) - JOURNAL_KEPT_MS}")


def _delete_oldest(connection: sqlite3.Connection, table: str, where: str) -> int:
    (rows,) = connection.execute("SELECT rows FROM usage WHERE name = ?", (table,)).fetchone()
    oldest = f"SELECT age FROM {table} {where} ORDER BY age LIMIT {1 + rows // _SHARE}"
    return connection.execute(f"DELETE FROM {table} WHERE age IN ({oldest})").rowcount
