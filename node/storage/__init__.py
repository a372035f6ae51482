"""The data that a node must not forget: journal, certificates, open and asked rounds, seen queries, places of peers.

One SQLite file per key, one process per file, one writer. A call's effect survives SIGKILL once it has returned; with
`synchronous="full"` a power cut, too. Without it, a start after a power cut says so (`Store.journal_began_ms`).

`records` defines the stored data and its limits, `schema` the versions of the file, `file` a start and an end, `tables`
and `history` the work of each transaction, `store` the calls, `health` and `waiting` their fate while the disk refuses.
`quota` bounds the whole file, and `upkeep` works on it from outside of a node.
"""

from node.storage.file import DATABASE_NAME, LOCK_NAME, Synchronous, only_process
from node.storage.health import Health
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
    SlotTakenError,
    StoreBlockedError,
    StoreError,
    TableLimit,
)
from node.storage.store import CHECKPOINT_CALLS, Store, open_store

__all__ = [
    "CHECKPOINT_CALLS",
    "DATABASE_NAME",
    "LIMITS",
    "LOCK_NAME",
    "Acquaintance",
    "AskedRound",
    "CertificateRow",
    "CertificateSummary",
    "Health",
    "JournalEntry",
    "Learned",
    "OpenRound",
    "RoundCursor",
    "RoundFilter",
    "ServedHour",
    "SlotTakenError",
    "Store",
    "StoreBlockedError",
    "StoreError",
    "Synchronous",
    "TableLimit",
    "only_process",
    "open_store",
]
