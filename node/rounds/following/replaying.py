"""The course of a round, rebuilt from the chain of its records."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from consensus.certificates.certificate import VerifiedCertificate
from consensus.certificates.record import Phase, RoundRecord, bodies, steps_since
from consensus.rounds import effects as fx
from node.api.conversation import Audience, Turn
from node.api.events import Asked, BaseEvent, Certified, Decided, Ended, Progress, RoundEvent
from node.api.replays import AnswerText
from node.rounds.following import telling
from protocol.messages import Decline
from protocol.types import Digest, Key


def replayed(verified: VerifiedCertificate, size_bytes: int) -> tuple[RoundEvent, ...]:
    """Return the requester's events that follow from a certificate of this size, numbered from 1, without times.

    Each phase has two of `progress`: at its beginning, and with those that its closing counts. Who was silent or
    refused does not show, nor who may read a private query.
    """
    query_id = telling.hexadecimal(verified.record.id)
    course = enumerate(_course(verified, size_bytes), 1)
    # Each is one of the union, because only `Unbuilt` events have a wider type.
    return tuple(msgspec.structs.replace(each, query_id=query_id, seq=seq) for seq, each in course)  # type: ignore[misc]


def with_counted(noted: Sequence[RoundEvent], record: RoundRecord) -> tuple[RoundEvent, ...]:
    """Return noted events, and before each that follows a closing what the closing counted, up to the last noted one.

    What was counted has the time and the number of the event that follows it.
    """
    steps = deque(steps_since(record, None)[1:])
    course: list[BaseEvent] = []
    for event in noted:
        while steps and _place(event) >= _place_after(steps[0]):
            counted = [build() for _, build in telling.counted(steps.popleft())]
            stamp = {"query_id": event.query_id, "at_ms": event.at_ms, "seq": event.seq}
            course += [msgspec.structs.replace(each, **stamp) for each in counted]
        course.append(event)
    return tuple(course)  # type: ignore[arg-type]  # as above


_ORDER: Final = {Phase.ANSWERING: 0, Phase.OPENING: 1, Phase.TESTING: 2, Phase.JUDGING: 3}
"""Places of the phases in a round's course; all others come after its decision."""

_DECIDED, _OVER = 4, 5


def _place(event: RoundEvent) -> tuple[int, int]:
    """Return the place of an event in a round's course: its phase, and the wave or stage."""
    match event:
        case Progress():
            phase = _ORDER.get(Phase(event.phase), _DECIDED)
            return phase, 0 if phase == _DECIDED else event.wave
        case Decided():
            return _DECIDED, 0
        case Certified() | Ended():
            return _OVER, 0
        case _:
            return -1, 0


def _place_after(step: RoundRecord) -> tuple[int, int]:
    """Return the place of the first event that follows the record's last closing."""
    phase = _ORDER.get(step.phase, _DECIDED)
    return phase, step.repetition


def texts_of(record: RoundRecord) -> tuple[AnswerText, ...]:
    """Return the answers of the slate with their texts, in its order."""
    return tuple(
        AnswerText(
            number=number,
            answer_id=telling.hexadecimal(message.id),
            author=telling.hexadecimal(message.author),
            text=content.text,
        )
        for number, (message, content) in enumerate(zip(record.answers, record.contents.values(), strict=True))
    )


def _course(verified: VerifiedCertificate, size_bytes: int) -> Iterator[BaseEvent]:
    record, ranking = verified.record, verified.ranking
    asked, *steps = steps_since(record, None)
    yield _asked(verified)
    yield _progress(asked, frozenset(), {})
    for step in steps:
        yield _closed(step)
        for _, build in telling.counted(step):
            yield build()
        if step is record:
            answer = record.contents[Digest(ranking.winner)].text
            yield telling.decided(fx.Decide(record.id, ranking, answer), record, "")
        yield _progress(step, frozenset(), {})
    yield _progress(record, verified.cosigners, {})
    yield Certified(outcome=ranking.outcome, bytes=size_bytes)


def _asked(verified: VerifiedCertificate) -> Asked:
    turns = tuple(Turn(turn.role, turn.text) for turn in verified.turns)
    query = verified.record.query
    return telling.asked(query, turns, Audience.PUBLIC if query.turns else None, gold=False)


def _closed(step: RoundRecord) -> Progress:
    """Build the progress of the phase that the record's last closing ended, with what it counts."""
    before = step.before
    assert before is not None, "a record with a closing extends another"
    given = step.commitments.keys() - before.commitments.keys()
    counted = (
        step.answers[len(before.answers) :],
        step.reports[len(before.reports) :],
        step.ballots[len(before.ballots) :],
    )
    received = frozenset(given) | {Key(each.author) for messages in counted for each in messages}
    declines = bodies(step.declines[len(before.declines) :], Decline)
    return _progress(before, received, {Key(each.author): each for each in declines})


def _progress(record: RoundRecord, received: frozenset[Key], declines: dict[Key, Decline]) -> Progress:
    return telling.progress(
        fx.Progress(
            query=record.id,
            phase=record.phase,
            wave=record.stage if record.phase is Phase.TESTING else record.wave,
            received=received,
            expected=record.expected(),
            declined={key: each.reason for key, each in declines.items()},
        )
    )
