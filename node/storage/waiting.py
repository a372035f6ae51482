"""Refused writes that may wait in memory: consequences of messages that were sent long ago."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from protocol.types import Digest

WAITING_MAX: Final = 4_096
"""Waiting writes: no new work is taken meanwhile, so few more come than rounds are open."""

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of waiting writes: a thousand certificates of the usual 50 KiB, or eight of the largest."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Write:
    """One write that may wait. A later one of the same table and name replaces it."""

    table: str
    name: bytes
    work: Callable[[sqlite3.Connection], object]
    """Writes it; the result is of no interest."""
    size_bytes: int = 0
    certificate: bytes | None = None
    """The certificate, if it is one: it can be read before it is on the disk."""


class WriteQueue:
    """The waiting writes, oldest first, within WAITING_MAX and WAITING_BYTES_MAX: beyond them the newest is lost."""

    def __init__(self) -> None:
        self._writes: dict[tuple[str, bytes], Write] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._writes)

    def add(self, writes: Iterable[Write]) -> None:
        """Add writes to the queue."""
        lost = 0
        for write in writes:
            self._drop((write.table, write.name))
            if len(self._writes) >= WAITING_MAX or self._bytes + write.size_bytes > WAITING_BYTES_MAX:
                lost += 1
                continue
            self._writes[write.table, write.name] = write
            self._bytes += write.size_bytes
        if lost:
            log.error("store.writes_lost", count=lost, waiting=len(self._writes), waiting_bytes=self._bytes)

    def all(self) -> tuple[Write, ...]:
        """Return the waiting writes, oldest first."""
        return tuple(self._writes.values())

    def done(self, writes: Iterable[Write]) -> None:
        """Remove finished writes, except those replaced meanwhile."""
        for write in writes:
            if self._writes.get((write.table, write.name)) is write:
                self._drop((write.table, write.name))

    def certificate(self, query_id: Digest) -> bytes | None:
        """Return a waiting certificate, or None."""
        write = self._writes.get(("certificates", query_id))
        return None if write is None else write.certificate

    def _drop(self, key: tuple[str, bytes]) -> None:
        write = self._writes.pop(key, None)
        if write is not None:
            self._bytes -= write.size_bytes


def apply(connection: sqlite3.Connection, writes: Iterable[Write]) -> None:
    """Do all writes in one transaction of the caller's."""
    for write in writes:
        write.work(connection)
