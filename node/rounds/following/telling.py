"""Builds round events from effects, records and rankings. Query id, time and number are added later."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Final

from msgspec import convert
from msgspec.structs import replace

from consensus.certificates.reading import (
    claimed_correct,
    found_values,
    ranked_values,
    set_aside_values,
    settled_values,
    testing_values,
)
from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import Ranking, rank
from consensus.ranking.settling import SettledFindings, checks_of
from consensus.rounds import effects as fx
from node.api import events
from node.api.conversation import Audience, Turn
from node.api.findings import AnswerFindings, RoundTesting, SetAside
from node.api.ranking import ReportedAnswer
from protocol.messages import Ballot, Findings, Query, Report, Seat
from protocol.signing import VerifiedMessage
from protocol.types import ABSTAIN, ONE, Digest, Key, Kind, Role

KEYS_KEPT: Final = 1024
"""Keys whose hexadecimal form is cached, so that waiting events share it: more than take part at once."""

MICRO: Final = 1_000_000
"""Unit of a ranking's strengths: 10^-6."""


@lru_cache(maxsize=KEYS_KEPT)
def hexadecimal(key: bytes) -> str:
    """Return the hexadecimal form of a key or an id in events."""
    return key.hex()


Unbuilt = tuple[type[events.BaseEvent], Callable[[], events.BaseEvent]]
"""An event that is built if anybody reads it: its kind, and the function that builds it."""


def asked(query: Query, turns: tuple[Turn, ...], audience: Audience | None, gold: bool) -> events.Asked:
    """Build the first event of a round."""
    seats = tuple(seated(seat) for seat in query.roster)
    return events.Asked(
        members=tuple(seat.member for seat in seats),
        task=query.task,
        seats=seats,
        asked_ms=query.sent_at_ms,
        turns=turns,
        audience=audience,
        gold=gold,
        budgets_ms=_budgets_ms(query),
        waves=query.waves,
        threshold=query.threshold / ONE,
    )


def _budgets_ms(query: Query) -> dict[str, int]:
    tested = {"testing": query.findings.budget_ms} if query.findings.kinds else {}
    return {
        "answering": query.answer_ms,
        "opening": query.open_ms,
        **tested,
        "judging": query.judge_ms,
        "cosigning": query.cosign_ms,
    }


def seated(seat: Seat) -> events.Seated:
    """Build the description of a seat."""
    return events.Seated(
        member=hexadecimal(seat.member),
        roles=tuple(role.name.lower() for role in Role if role in seat.roles and role.name),
        vote_weight=seat.vote_weight / ONE,
        judge_weight=seat.judge_weight / ONE,
    )


def progress(effect: fx.Progress) -> events.Progress:
    """Build a progress event, members in ascending order."""
    return events.Progress(
        phase=effect.phase,
        wave=effect.wave,
        received=_members(effect.received),
        expected=_members(effect.expected),
        silent=_members(effect.silent),
        refused={hexadecimal(key): why for key, why in sorted(effect.refused.items())},
        declined={hexadecimal(key): why for key, why in sorted(effect.declined.items())},
    )


def _members(keys: frozenset[Key]) -> tuple[str, ...]:
    return tuple(hexadecimal(key) for key in sorted(keys))


def counted(record: RoundRecord) -> Iterator[Unbuilt]:
    """Yield the answers, reports, ballots and strengths that the record's last closing has counted."""
    before = record.before
    if before is None:
        return
    for number in range(len(before.answers), len(record.answers)):
        yield events.AnswerOpened, partial(answer, record, number)
    for each in record.reports[len(before.reports) :]:
        yield events.ReportCounted, partial(report, each)
    if record.closings[-1].kind is Kind.CLOSE_REPORTS:
        yield events.FindingsSettled, partial(settled, record, before.stage)
    ballots = record.ballots[len(before.ballots) :]
    for each in ballots:
        yield events.BallotCounted, partial(ballot, each)
    if ballots:
        # Who extended the record has fitted these ballots: `rank` finds the fit.
        yield events.Strengths, lambda: strengths(record, before.wave, rank(record))


def answer(record: RoundRecord, number: int) -> events.AnswerOpened:
    """Build the event of an answer on the slate."""
    message = record.answers[number]
    content = record.contents[message.id]
    return events.AnswerOpened(
        number=number,
        answer_id=hexadecimal(message.id),
        author=hexadecimal(message.author),
        cluster=record.clusters[number],
        finish=content.finish,
        prompt_tokens=content.prompt_tokens,
        answer_tokens=content.answer_tokens,
        token_source=content.token_source,
    )


def report(message: VerifiedMessage) -> events.ReportCounted:
    """Build the event of a report that a closing lists."""
    body = message.body
    assert isinstance(body, Report)
    answers = tuple(events.AnswerFound(found.answer, _stated(found)) for found in body.findings)
    return events.ReportCounted(tester=hexadecimal(body.author), stage=body.stage, answers=answers)


def settled(record: RoundRecord, stage: int) -> events.FindingsSettled:
    """Build the event of what the reports up to a stage settle."""
    found = ((number, found_values(record, number)) for number in range(len(record.answers)))
    answers = tuple(events.AnswerFound(number, convert(values, AnswerFindings)) for number, values in found)
    return events.FindingsSettled(stage=stage, tool_versions=record.tool_versions, answers=answers)


def _stated(found: Findings) -> AnswerFindings:
    """Return one tester's findings in the form of settled ones."""
    stated = SettledFindings(
        reports=1,
        status=found.status,
        error=found.error,
        lints=found.lints,
        unsafe=found.unsafe,
        panics=found.panics,
        tests=checks_of(found.tests),
        examples=checks_of(found.examples),
        outcomes=found.outcomes,
    )
    return convert(settled_values(stated), AnswerFindings)


def ballot(message: VerifiedMessage) -> events.BallotCounted:
    """Build the event of a ballot that a closing lists."""
    body = message.body
    assert isinstance(body, Ballot)
    pairs = tuple(
        events.ComparedPair(each.first, each.second, None if each.preference == ABSTAIN else each.preference / ONE)
        for each in body.judgements
    )
    return events.BallotCounted(judge=hexadecimal(body.author), wave=body.wave, pairs=pairs)


def strengths(record: RoundRecord, wave: int, ranking: Ranking) -> events.Strengths:
    """Build the ranking of the record's answers from the ballots up to this wave."""
    numbers = {message.id: number for number, message in enumerate(record.answers)}
    return events.Strengths(
        wave=wave,
        ranking=tuple(
            events.AnswerStrength(
                number=numbers[each.answer],
                author=hexadecimal(each.author),
                strength=each.strength / MICRO,
                p_best=each.p_best / ONE,
                cluster_size=each.cluster_size,
                interval=(each.interval[0] / MICRO, each.interval[1] / MICRO),
            )
            for each in ranking.ranked
        ),
    )


def decided(effect: fx.Decide, record: RoundRecord | None, own_engine: str) -> events.Decided:
    """Build the decision, with the record's facts on the winner."""
    ranking = effect.ranking
    winner = None if record is None else record.contents.get(Digest(ranking.winner))
    decision = events.Decided(
        outcome=ranking.outcome,
        reason=ranking.reason,
        winner=ranking.winner.hex(),
        p_best=ranking.p_best / ONE,
        p_correct=claimed_correct(ranking),
        answer=effect.answer,
        finish=None if winner is None else winner.finish,
        prompt_tokens=0 if winner is None else winner.prompt_tokens,
        answer_tokens=0 if winner is None else winner.answer_tokens,
        token_source=None if winner is None else winner.token_source,
        own_engine=own_engine,
        author=hexadecimal(ranking.ranked[0].author) if ranking.ranked else "",
        stop=ranking.stop,
    )
    return decision if record is None or not ranking.ranked else _with_evidence(decision, record, ranking)


def _with_evidence(decision: events.Decided, record: RoundRecord, ranking: Ranking) -> events.Decided:
    """Add all answers and the testing phase to the decision of a round that did not fail."""
    ranked = convert(ranked_values(record, ranking), tuple[ReportedAnswer, ...])
    return replace(
        decision,
        findings=ranked[0].findings,
        ranking=ranked,
        set_aside=convert(set_aside_values(record, ranking), tuple[SetAside, ...]),
        testing=convert(testing_values(record), RoundTesting | None),
    )


def ended(effect: fx.RoundEnded) -> events.Ended:
    """Build the end of a round for one of our roles."""
    fault = str(effect.fault) if effect.fault else None
    return events.Ended(role=effect.role, ending=effect.ending, outcome=effect.outcome, fault=fault)
