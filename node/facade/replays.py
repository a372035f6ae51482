"""The course of the node's rounds, and of rounds of which somebody has the certificate."""

from collections.abc import Callable
from typing import Final

import trio

from consensus.certificates.certificate import verify_certificate
from consensus.certificates.record import RoundRecord
from consensus.certificates.versions import read_any_version, version_of
from node.api.events import RoundEvent
from node.api.replays import Replay, ReplaySource, RoundAnswers
from node.rounds.following.history import RoundHistory
from node.rounds.following.replaying import replayed, texts_of, with_counted
from node.storage import Store
from protocol.errors import Fault
from protocol.types import Digest, Key
from protocol.versions import CURRENT

OTHER_VERSION: Final = "the certificate is of an earlier version: it holds, but this strand does not rebuild its course"

Records = Callable[[Digest], RoundRecord | None]
"""Returns the record of a round that the node still has in memory."""


class ReplaysFacade:
    """Rebuilds the course of rounds: of those noted here, and of any that a certificate proves."""

    def __init__(
        self, own: Key, records: Records, history: RoundHistory, store: Store, verifying: trio.CapacityLimiter
    ) -> None:
        """Build a facade.

        `own`: the node's key; `records`: returns a round's record that is still in memory; `verifying`: limits the
        certificates that are verified at once, each on a thread.
        """
        self._own = own
        self._records = records
        self._history = history
        self._store = store
        self._verifying = verifying

    async def answers(self, query_id: Digest) -> RoundAnswers | None:
        """Return the opened answers of a round that is ours, or certified; None: it is neither.

        Raises StoreBlockedError.
        """
        if (record := self._own_record(query_id)) is not None:
            return RoundAnswers(texts_of(record))
        replay = await self._of_certificate(query_id)
        return None if replay is None or not replay.events else RoundAnswers(replay.answers)

    async def replay(self, query_id: Digest) -> Replay | None:
        """Return the course of a round; None: the node knows no such round. Raises StoreBlockedError.

        Noted events have times, in milliseconds since the round's start; what is read of a certificate has none.
        """
        noted = await self._history.events(query_id)
        if noted is None:
            return await self._of_certificate(query_id)
        record = self._own_record(query_id)
        raw = await self._store.certificate(query_id) if record is None else None
        return await trio.to_thread.run_sync(_merge, query_id, noted, record, raw, limiter=self._verifying)

    async def replay_of(self, raw: bytes) -> Replay | Fault:
        """Return the course of a round from its certificate's bytes alone, or why they are no valid certificate.

        The largest take seconds.
        """
        return await trio.to_thread.run_sync(read_replay, raw, limiter=self._verifying)

    def _own_record(self, query_id: Digest) -> RoundRecord | None:
        """Return the record of a round of ours that is open, or was lately."""
        record = self._records(query_id)
        return record if record is not None and record.query.author == self._own else None

    async def _of_certificate(self, query_id: Digest) -> Replay | None:
        raw = await self._store.certificate(query_id)
        if raw is None:
            return None
        found = await self.replay_of(raw)
        return None if isinstance(found, Fault) else found


def _merge(query_id: Digest, noted: tuple[RoundEvent, ...], record: RoundRecord | None, raw: bytes | None) -> Replay:
    """Return the course of a round by its noted events and its record, in memory or else of its certificate."""
    if record is None and raw is not None:
        verified = verify_certificate(raw)
        # One of a former version has no record here: what was noted remains.
        record = None if isinstance(verified, Fault) else verified.record
    if record is None:
        return Replay(ReplaySource.EVENTS, query_id.hex(), noted, ())
    return Replay(ReplaySource.EVENTS, query_id.hex(), with_counted(noted, record), texts_of(record))


def read_replay(raw: bytes) -> Replay | Fault:
    """Return the course of a round from its certificate's bytes, or why they are no valid certificate.

    That of an earlier version is verified, but has no events; `note` says so.
    """
    if version_of(raw) not in (None, CURRENT):
        read = read_any_version(raw)
        if isinstance(read, Fault):
            return read
        return Replay(ReplaySource.CERTIFICATE, read.description["query_id"], (), (), OTHER_VERSION)
    verified = verify_certificate(raw)
    if isinstance(verified, Fault):
        return verified
    record = verified.record
    return Replay(ReplaySource.CERTIFICATE, record.id.hex(), replayed(verified, len(raw)), texts_of(record))
