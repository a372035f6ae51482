"""The history of the rounds that this node asked: written from their events, kept in the store, listed and searched.

Nothing in a round waits for it: it is one more listener of the hub. A row is written when a round begins, so that a
round during which the node stops is not forgotten, and again when it ends.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import msgspec
import trio

from node.api.conversation import Audience
from node.api.events import Asked, BaseEvent, Certified, Decided, Ended, Progress, RoundEvent, TextSent
from node.api.following import RoundLog
from node.api.rounds import HEAD_CHARS_MAX, INTERRUPTED, RoundDetail, RoundSummary
from node.clock import Clock
from node.rounds.following.hub import REQUESTER, RoundEvents
from node.rounds.following.noting import EventNotes, pack, unpack
from node.storage import AskedRound, RoundCursor, RoundFilter, Store, StoreBlockedError
from protocol.types import Digest, Key

OPEN_MAX: Final = 1_024
"""Open rounds that are followed, far more than one key may have: should ends be lost, the oldest is forgotten."""

UNENDED_MAX: Final = 256
"""Rows of interrupted rounds that are read at once after a start."""

KINDS: Final = (Asked, TextSent, Progress, Decided, Certified, Ended)
"""Kinds of events that the history hears."""

_WORKING: Final = frozenset({"answering", "opening", "testing", "judging"})
"""Phases to which only members with the text contribute."""

T = TypeVar("T")


@dataclass(slots=True)
class _Open:
    """An open round, as its events tell."""

    asked: Asked
    readers: set[str]
    log: RoundLog = field(default_factory=RoundLog)
    notes: EventNotes = field(default_factory=EventNotes)


class RoundHistory:
    """Writes the history of this node's own rounds, and reads it."""

    def __init__(self, own: Key, hub: RoundEvents, store: Store, clock: Clock) -> None:
        self._own = own.hex()
        self._hub = hub
        self._store = store
        self._clock = clock
        self._open: dict[str, _Open] = {}
        """Open rounds by id, oldest first; at most OPEN_MAX."""
        self._ended: tuple[str, EventNotes] = ("", EventNotes())
        """Id and events of the round whose events are being stored, or were last."""

    async def run(self, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled; report the start as soon as no round can be missed. Raises StoreError."""
        with self._hub.subscribe(kinds=KINDS, roles=REQUESTER) as events:
            with suppress(StoreBlockedError):
                await self._end_interrupted()
            task_status.started()
            async for event in events:
                await self._note(event)

    async def find(
        self, wanted: RoundFilter, after: RoundCursor | None, rows_max: int
    ) -> tuple[tuple[RoundSummary, ...], RoundCursor | None]:
        """Return at most `rows_max` rounds below `after`, newest first, and the place to go on from; None: no more.

        Raises StoreBlockedError.
        """
        # One more than wanted, so that no page leads to an empty one.
        found = await self._store.find_asked(wanted, after, rows_max + 1)
        page, place = found[:rows_max], found[rows_max - 1][0] if len(found) > rows_max else None
        summaries = [_read(raw, RoundSummary) for _, raw in page]
        return tuple(each for each in summaries if each is not None), place

    async def detail(self, query_id: Digest) -> RoundDetail | None:
        """Return the history of a round without its certificate; None: there is none. Raises StoreBlockedError."""
        if (known := self._open.get(query_id.hex())) is not None:
            return _detail(known, None)
        row = await self._store.asked(query_id)
        return None if row is None else _read(row.body, RoundDetail)

    async def events(self, query_id: Digest) -> tuple[RoundEvent, ...] | None:
        """Return the noted events of a round, of an open one those up to now; None: there are none.

        Raises StoreBlockedError.
        """
        name = query_id.hex()
        if (known := self._open.get(name)) is not None:
            return tuple(known.notes)
        if name == self._ended[0]:
            return tuple(self._ended[1])
        packed = await self._store.events(query_id)
        return None if packed is None else await trio.to_thread.run_sync(unpack, packed)

    async def _note(self, event: BaseEvent) -> None:
        if isinstance(event, Asked):
            if len(self._open) >= OPEN_MAX:
                del self._open[next(iter(self._open))]
            known = _Open(event, {self._own} & set(event.members))
            known.notes.note(event)
            self._open[event.query_id] = known
            await self._store.put_asked(_row(_detail(known, None)))
        elif event.query_id in self._open:
            await self._follow(self._open[event.query_id], event)
        elif isinstance(event, TextSent):
            await self._note_late_reader(event)

    async def _follow(self, known: _Open, event: BaseEvent) -> None:
        """Add an event of an open round."""
        known.log.note(event)
        known.notes.note(event)
        match event:
            case TextSent():
                known.readers.add(event.member)
            case Progress() if event.phase in _WORKING:
                known.readers.update(event.received)
            case Ended():
                # Whoever asked may have the answer already, and stop the node. These are two writes, of milliseconds
                # each, in threads that could not be cancelled anyway.
                with trio.CancelScope(shield=True):
                    await self._end(known)

    async def _end(self, known: _Open) -> None:
        query_id = known.asked.query_id
        await self._store.put_asked(_row(_detail(known, self._clock.now_ms())))
        # Only now: until then a reader finds the round here.
        self._ended = (query_id, known.notes)
        self._open.pop(query_id, None)
        await self._store_events(known)

    async def _store_events(self, known: _Open) -> None:
        # In a thread: where 64 members took part it takes some milliseconds, for which no round should wait.
        packed = await trio.to_thread.run_sync(pack, tuple(known.notes))
        if packed is not None:
            query_id = Digest(bytes.fromhex(known.asked.query_id))
            await self._store.put_events(query_id, known.asked.asked_ms, packed)

    async def _note_late_reader(self, event: TextSent) -> None:
        """Add a member that fetched the text after the round's end."""
        with suppress(StoreBlockedError):
            detail = await self.detail(Digest(bytes.fromhex(event.query_id)))
            if detail is not None and detail.received is not None:
                received = tuple(sorted({*detail.received, event.member}))
                await self._store.put_asked(_row(msgspec.structs.replace(detail, received=received)))

    async def _end_interrupted(self) -> None:
        """End the rounds that were open when the node stopped."""
        while rows := await self._store.unended(UNENDED_MAX):
            for row in rows:
                detail = _read(row.body, RoundDetail)
                if detail is None:
                    await self._store.put_asked(replace(row, ending=INTERRUPTED))
                    continue
                why = "the node stopped before the round had a certificate"
                ended = msgspec.structs.replace(detail.round, ending=INTERRUPTED, why_not=why)
                await self._store.put_asked(_row(msgspec.structs.replace(detail, round=ended)))


def _detail(known: _Open, ended_ms: int | None) -> RoundDetail:
    """Describe a round by its events so far; `ended_ms`: when it ended."""
    asked, log, decided = known.asked, known.log, known.log.decided
    assert asked.task is not None and asked.audience is not None, "a node's own event is complete"
    answer = "" if decided is None else decided.answer
    summary = RoundSummary(
        query_id=asked.query_id,
        asked_ms=asked.asked_ms,
        ended_ms=ended_ms,
        task=asked.task,
        audience=asked.audience,
        gold=asked.gold,
        text=asked.turns[-1].text[:HEAD_CHARS_MAX],
        turns=len(asked.turns),
        ending=None if log.ended is None else log.ended.ending,
        outcome=None if decided is None else decided.outcome,
        reason=None if decided is None else decided.reason,
        why_not="" if log.ended is None or log.certified else log.why_not(),
        p_best=decided.p_best if decided is not None and decided.winner else None,
        p_correct=decided.p_correct if decided is not None and decided.winner else None,
        author="" if decided is None else decided.author,
        answer=answer[:HEAD_CHARS_MAX],
        certified=log.certified,
    )
    return RoundDetail(
        round=summary,
        ours=True,
        conversation=asked.turns,
        answer=answer,
        members=asked.members,
        received=None if asked.audience is Audience.PUBLIC else tuple(sorted(known.readers)),
        refused=log.refused,
        declined=log.declined,
        own_engine="" if decided is None else decided.own_engine,
        timings_ms={} if log.ended is None else log.timings_ms(),
        certificate_url=None,
        certificate=None,
    )


def _row(detail: RoundDetail) -> AskedRound:
    summary = detail.round
    texts = (*(turn.text for turn in detail.conversation), detail.answer)
    return AskedRound(
        query_id=Digest(bytes.fromhex(summary.query_id)),
        asked_ms=summary.asked_ms,
        task=summary.task,
        gold=summary.gold,
        outcome=summary.outcome or "",
        ending=summary.ending or "",
        text="\n".join(texts).casefold(),
        summary=msgspec.json.encode(summary),
        body=msgspec.json.encode(detail),
    )


def _read(raw: bytes, kind: type[T]) -> T | None:
    """Decode a stored body; None if a strand wrote it that knows more words than this one."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        return None
