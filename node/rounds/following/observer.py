"""Publishes the driver's effects to subscribers of its rounds; an event without a subscriber is not built."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import msgspec

from consensus.certificates.record import Phase, RoundRecord, steps_since
from consensus.rounds import effects as fx
from consensus.rounds.effects import Ending
from consensus.rounds.participant import Participant
from node.api import events
from node.api.conversation import Audience
from node.api.events import BaseEvent
from node.clock import Clock
from node.rounds.following import telling
from node.rounds.following.hub import RoundEvents, RoundRole
from node.rounds.queue import QueuedAsk
from node.work.worker import EngineWorker
from protocol.messages import Decline, Query
from protocol.types import Digest, Key

PROGRESS_MS: Final = 50
"""Milliseconds between two progress events of one phase. Nobody sees finer steps, and each event costs 0.3 ms of the
node for which all members wait: one per contribution made a fast round of seven nodes a sixth slower."""

_COUNTED: Final = (
    events.AnswerOpened,
    events.ReportCounted,
    events.FindingsSettled,
    events.BallotCounted,
    events.Strengths,
)
"""Kinds of events that report what closings count."""

E = TypeVar("E", bound=BaseEvent)


@dataclass(slots=True)
class _Observed:
    """An open round of this node, and how much of it has been published."""

    began_ms: int
    roles: set[RoundRole] = field(default_factory=set)
    """This node's roles in which the round is open."""
    told: tuple[Phase, int] | None = None
    """Phase and wave of the last progress that was published."""
    due_ms: int = 0
    """Time (ms) from which newer progress of that phase may be published."""
    record: RoundRecord | None = None
    """The record up to which answers and ballots were published; None: there was no subscriber to them."""


class RoundObserver:
    """Publishes the events of this node's rounds."""

    def __init__(self, participant: Participant, hub: RoundEvents, worker: EngineWorker, clock: Clock) -> None:
        self._participant = participant
        self._hub = hub
        self._worker = worker
        self._clock = clock
        self._open: dict[Digest, _Observed] = {}
        """Open rounds, in either role: as many as the participant has."""
        self._held: dict[Digest, tuple[fx.Progress, int]] = {}
        """Newest unpublished progress of each round that has any, with its `at_ms`."""

    @property
    def wake_at_ms(self) -> int | None:
        """Return when `tick` is due next (ms); None: no progress is held."""
        return min(self._open[query].due_ms for query in self._held) if self._held else None

    def tick(self, now_ms: int) -> None:
        """Publish held progress whose time has come."""
        if not self._held:
            return
        for query in [query for query in self._held if now_ms >= self._open[query].due_ms]:
            self._tell_held(query)
            self._open[query].due_ms = now_ms + PROGRESS_MS

    def asked(self, id: Digest, query: Query, ask: QueuedAsk) -> None:
        """Publish that a round of ours has begun."""
        self._begin(id, "requester")
        question = ask.question
        audience = question.audience or (Audience.PUBLIC if query.turns else Audience.MEMBERS)
        asked = partial(telling.asked, query, question.turns, audience, ask.gold)
        self._publish(id, "requester", events.Asked, asked)

    def text_fetched(self, query: Digest, member: Key) -> None:
        """Publish that a member has fetched the text of a query of ours."""
        sent = partial(events.TextSent, member=telling.hexadecimal(member))
        self._publish(query, "requester", events.TextSent, sent)

    def saw(self, effect: fx.Effect) -> None:
        """Publish an effect that was performed, or whose performance has begun."""
        match effect:
            case fx.Progress():
                self._progress(effect)
            case fx.Decide(query):
                self._tell_held(query)
                self._tell_counted(query)
                self._publish(query, "requester", events.Decided, partial(self._decided, effect))
            case fx.Certify(query, outcome, _, raw):
                self._tell_held(query)
                certified = partial(events.Certified, outcome=outcome, bytes=len(raw))
                self._publish(query, "requester", events.Certified, certified)
            case fx.RoundEnded():
                self._end(effect)
            case fx.Join(query):
                self._begin(query, "member")
                self._publish(query, "member", events.Joined, partial(self._joined, effect))
            case fx.Generate(query):
                self._publish(query, "member", events.GenerationStarted, partial(self._generating, effect))
            case fx.RunTests(query):
                self._publish(query, "member", events.AnswerTestingStarted, partial(self._testing, effect))
            case fx.Judge(query):
                self._publish(query, "member", events.JudgingStarted, partial(self._judging, effect))
            case fx.Journal(_, message) if isinstance(message.body, Decline):
                body = message.body
                declined = partial(events.Declined, phase=body.phase, wave=body.wave, reason=body.reason)
                self._publish(Digest(body.query), "member", events.Declined, declined)

    def left(self, query: Digest, why: str) -> None:
        """Publish that a round of ours goes on without us: the node stops."""
        left = partial(events.Ended, role="requester", ending=Ending.LEFT, outcome=None, fault=why)
        self._publish(query, "requester", events.Ended, left)
        self._hub.end(query)

    # -- the course of a round -------------------------------------------------------------------------------------

    def _begin(self, query: Digest, role: RoundRole) -> None:
        self._hub.begin(query)
        self._open.setdefault(query, _Observed(self._clock.now_ms())).roles.add(role)

    def _progress(self, effect: fx.Progress) -> None:
        """Publish a new phase at once; hold news within a phase."""
        query, phase = effect.query, (effect.phase, effect.wave)
        observed = self._open[query]
        if phase == observed.told:
            if self._hub.wants(query, "requester", events.Progress):
                self._held[query] = (effect, self._at_ms(query))
            return
        self._tell_held(query)
        self._tell_counted(query)
        self._publish(query, "requester", events.Progress, partial(telling.progress, effect))
        observed.told, observed.due_ms = phase, self._clock.now_ms() + PROGRESS_MS

    def _tell_held(self, query: Digest) -> None:
        """Publish held progress, before any other event of the round."""
        if (held := self._held.pop(query, None)) is not None:
            effect, at_ms = held
            self._publish(query, "requester", events.Progress, partial(telling.progress, effect), at_ms)

    def _tell_counted(self, query: Digest) -> None:
        """Publish what closings have counted since the last call; if there was no subscriber, the last one only."""
        observed, record = self._open[query], self._participant.record(query)
        if record is None or not self._hub.wants(query, "requester", *_COUNTED):
            observed.record = None
            return
        told = record.before if observed.record is None else observed.record
        for step in steps_since(record, told):
            for kind, build in telling.counted(step):
                self._publish(query, "requester", kind, build)
        observed.record = record

    def _end(self, effect: fx.RoundEnded) -> None:
        query, role = effect.query, effect.role
        if role == "requester":
            self._tell_held(query)
        self._publish(query, role, events.Ended, partial(telling.ended, effect))
        observed = self._open.get(query)
        roles = set() if observed is None else observed.roles
        roles.discard(role)
        if not roles:
            self._open.pop(query, None)
        if role == "requester" or not roles:
            self._hub.end(query)

    # -- what events say -------------------------------------------------------------------------------------------

    def _decided(self, effect: fx.Decide) -> events.Decided:
        own_engine = self._worker.why_declined(effect.query)
        return telling.decided(effect, self._participant.record(effect.query), own_engine)

    def _joined(self, effect: fx.Join) -> events.Joined:
        record = self._participant.record(effect.query)
        assert record is not None, "a round that was joined has a record"
        requester = telling.hexadecimal(effect.requester)
        return events.Joined(requester=requester, task=record.query.task, budget_ms=self._left_ms(effect.deadline_ms))

    def _generating(self, effect: fx.Generate) -> events.GenerationStarted:
        return events.GenerationStarted(max_tokens=effect.max_tokens, budget_ms=self._left_ms(effect.deadline_ms))

    def _testing(self, effect: fx.RunTests) -> events.AnswerTestingStarted:
        budget_ms = self._left_ms(effect.deadline_ms)
        return events.AnswerTestingStarted(stage=effect.stage, answers=len(effect.assigned), budget_ms=budget_ms)

    def _judging(self, effect: fx.Judge) -> events.JudgingStarted:
        budget_ms = self._left_ms(effect.deadline_ms)
        return events.JudgingStarted(wave=effect.wave, pairs=len(effect.pairs), budget_ms=budget_ms)

    def _left_ms(self, deadline_ms: int) -> int:
        return max(0, deadline_ms - self._clock.now_ms())

    def _at_ms(self, query: Digest) -> int:
        observed = self._open.get(query)
        return 0 if observed is None else self._clock.now_ms() - observed.began_ms

    def _publish(
        self, query: Digest, role: RoundRole, kind: type[E], build: Callable[[], E], at_ms: int | None = None
    ) -> None:
        def stamped(seq: int) -> E:
            happened_ms = self._at_ms(query) if at_ms is None else at_ms
            query_id = telling.hexadecimal(query)
            return msgspec.structs.replace(build(), query_id=query_id, at_ms=happened_ms, seq=seq)

        self._hub.publish(query, role, kind, stamped)
