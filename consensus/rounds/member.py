"""The member's round machine: answers, opens, judges, co-signs. Pure; the table of transitions is in README.md."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from consensus.certificates.closings import Missing, extend
from consensus.certificates.evidence import Slot, contradicts, equivocated, examine
from consensus.certificates.record import Phase, RoundRecord
from consensus.rounds import working
from consensus.rounds.contributing import pull, signed
from consensus.rounds.effects import Contribute, Effect, Ending, Generate, Judge, RoundEnded, RunTests
from consensus.rounds.events import (
    Alive,
    AnswersTested,
    Delivered,
    Event,
    Generated,
    Judged,
    Pulled,
    Received,
    Replied,
    Tick,
    Unable,
)
from consensus.rounds.membership import Early, Member, MemberTransition, Restored
from consensus.rounds.objections import conceals, leaves_out
from consensus.rounds.pulls import LeftOut
from protocol.errors import Fault, FaultReason
from protocol.limits import CLOSINGS_MAX, DURATION_MS_MAX
from protocol.messages import (
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Closing,
    Cosign,
    Opening,
)
from protocol.signing import Keypair, VerifiedMessage
from protocol.types import (
    CLOSINGS,
    CONTRIBUTIONS,
    Digest,
    Kind,
    Objection,
    Outcome,
)

POOLED = frozenset({Kind.ANSWER, Kind.REPORT, Kind.BALLOT, Kind.DECLINE, Kind.EVIDENCE})
"""Kinds that closings name by id. A commitment stands in its closing itself, a co-signature only in the certificate."""

POOL_MAX = 1_024
"""Contributions of one round kept for a closing to name: of 64 members an answer, a report and a decline in each of 2
stages, a ballot and a decline in each of 4 waves, two declines more, and a second message of some slots. Contributions
that a closing names always find a place."""

EARLY_MAX = CLOSINGS_MAX
"""Closings that arrived before their predecessor: no chain is longer."""

PULLS_MAX = 4
"""Pulls before a round is given up as lost. Each waits its turn, so a dead requester holds no member for long."""

REPAIR_MS = 2_000
"""Milliseconds that a closing may exceed its phase's budget before we pull: gossip's own delays are below 500."""


def start(
    record: RoundRecord,
    keypair: Keypair,
    texts: LeftOut,
    now_ms: int,
    restored: Restored,
    phase_ms_max: int = DURATION_MS_MAX,
) -> MemberTransition:
    """Join a round whose roster names us. `texts`: a private query's conversation and the asker's tests, if held here.

    After a restart, `restored` makes us repeat ourselves or stay silent. No phase takes longer than `phase_ms_max`
    here: its closing then counts as overdue.
    """
    state = Member(
        record=record,
        keypair=keypair,
        turns=record.query.turns or texts.turns,
        tests=texts.tests,
        restored=restored,
        phase_ends_ms=(ends_ms := now_ms + min(record.budget_ms, phase_ms_max)),
        closing_due_ms=ends_ms + REPAIR_MS,
        phase_ms_max=phase_ms_max,
    )
    if not state.turns:
        return MemberTransition(replace(state, unheard_since_ms=now_ms), (pull(state, ()),))
    return _owed(working.answer_query(state, now_ms), now_ms)


def leave(state: Member) -> MemberTransition:
    """Leave a round whose requester takes no contribution of ours."""
    return _end(state, Ending.LEFT)


def step(state: Member, event: Event, now_ms: int) -> MemberTransition:
    """Apply one event at `now_ms`; return the next state and the effects. A round that is over stays as it is."""
    if state.over:
        return MemberTransition(state)
    stepped = _owed(_step(state, event, now_ms), now_ms)
    return replace(stepped, effects=without_work(stepped.effects)) if stepped.state.over else stepped


def without_work(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Return effects without work of the engine: of a step at whose end the round is over, it would be for nothing."""
    return tuple(effect for effect in effects if not isinstance(effect, Generate | RunTests | Judge))


def _owed(transition: MemberTransition, now_ms: int) -> MemberTransition:
    """Start the wait for a sign of life when we send something, unless an earlier wait is still running."""
    state = transition.state
    if state.unheard_since_ms is not None or not any(isinstance(each, Contribute) for each in transition.effects):
        return transition
    return replace(transition, state=replace(state, unheard_since_ms=now_ms))


def _step(state: Member, event: Event, now_ms: int) -> MemberTransition:
    match event:
        case Pulled():
            return _take_pulled(state, event, now_ms)
        case Generated(content, salt):
            return working.commit(state, Opening(content=content, salt=salt))
        case AnswersTested(stage, findings):
            return working.report(state, stage, findings)
        case Judged(wave, preferences):
            return working.vote(state, wave, preferences)
        case Received(message):
            return _receive(state, message, now_ms)
        case Unable(phase, repetition, reason):
            return working.decline(state, phase, repetition, reason)
        case Delivered(message_id, acknowledged):
            return _delivered(state, message_id, acknowledged, now_ms)
        case Tick():
            return _tick(state, now_ms)
        case Replied() | Alive():
            raise AssertionError("a member waits for nobody but the requester")
        case _:
            assert_never(event)


# -- messages ------------------------------------------------------------------------------------------------------


def _receive(state: Member, message: VerifiedMessage, now_ms: int) -> MemberTransition:
    if message.kind in CLOSINGS:
        return _receive_closing(state, message, now_ms)
    if message.kind not in POOLED or message.id in state.pool:
        return MemberTransition(state)
    if message.kind is Kind.EVIDENCE:
        return _receive_evidence(state, message, now_ms)
    if len(state.pool) >= POOL_MAX and message.id not in state.missing:
        return MemberTransition(state)
    state = _pooled(state, message)
    return MemberTransition(state) if state.missing else _advance(state, now_ms)


def _pooled(state: Member, message: VerifiedMessage) -> Member:
    return replace(state, pool={**state.pool, message.id: message}, missing=state.missing - {message.id})


def _receive_evidence(state: Member, message: VerifiedMessage, now_ms: int) -> MemberTransition:
    """R2, R3, R16: the requester's equivocation voids the round; a member's must be listed in the next closing (R10).

    One piece against each member is kept, and every piece that a closing names: there is always room for them.
    """
    slot = examine(message, state.record.params.digest)
    if isinstance(slot, Fault) or slot.query != state.record.id:
        return MemberTransition(state)
    if slot.author == state.record.query.author and slot.kind in CLOSINGS:
        return _end(state, Ending.VOID, fault=equivocated(slot.kind))
    if slot.kind not in CONTRIBUTIONS or (slot.author in state.accused and message.id not in state.missing):
        return MemberTransition(state)
    accused = {slot.author: now_ms, **state.accused}
    return _advance(_pooled(replace(state, accused=accused), message), now_ms)


def _receive_closing(state: Member, message: VerifiedMessage, now_ms: int) -> MemberTransition:
    """R2: take closings in the order of the chain; early ones wait, within bounds, for a pull."""
    if message.author != state.record.query.author:
        return MemberTransition(state)
    known = [*state.record.closings, *(early.message for early in state.early)]
    if (rival := next((closing for closing in known if contradicts(closing, message)), None)) is not None:
        kind = Kind.CANCEL if rival.kind is Kind.CANCEL else message.kind
        return _end(state, Ending.VOID, fault=equivocated(kind))
    if any(closing.id == message.id for closing in known) or len(state.early) >= EARLY_MAX:
        return MemberTransition(state)
    advanced = _advance(replace(state, early=(*state.early, Early(message, now_ms))), now_ms)
    after = advanced.state
    if any(early.message is message for early in after.early) and not after.missing and not after.over:
        return MemberTransition(after, (*advanced.effects, pull(after, ())))
    return advanced


def _take_pulled(state: Member, pulled: Pulled, now_ms: int) -> MemberTransition:
    """R13: take a whole reply at once, so that a closing is tried when all its messages are available."""
    effects: tuple[Effect, ...] = ()
    if pulled.turns and not state.turns:
        state = replace(state, turns=pulled.turns, unheard_since_ms=None)
        if state.record.phase is Phase.ANSWERING:
            answering = working.answer_query(state, now_ms)
            state, effects = answering.state, answering.effects
    if pulled.tests and not state.tests:
        state = replace(state, tests=pulled.tests)
    if state.texts_due_ms is not None and not state.lacks_texts:
        testing = working.run_tests(state, now_ms)
        state, effects = testing.state, (*effects, *testing.effects)
    wanted = [each for each in pulled.messages if each.kind in CLOSINGS or each.id in state.missing]
    for message in sorted(wanted, key=lambda each: each.kind in CLOSINGS):
        received = _receive(state, message, now_ms)
        state, effects = received.state, (*effects, *received.effects)
        if state.over:
            break
    return MemberTransition(state, effects)


def _advance(state: Member, now_ms: int) -> MemberTransition:
    """Take every closing that has become the next one; pull the messages that it names and we do not hold."""
    effects: tuple[Effect, ...] = ()
    while early := next((each for each in state.early if _prev(each.message) == state.record.head), None):
        extended = extend(state.record, early.message, state.pool)
        if isinstance(extended, Missing):
            asked = frozenset(extended.ids)
            if asked <= state.missing:
                return MemberTransition(state, effects)
            return MemberTransition(replace(state, missing=asked), (*effects, pull(state, extended.ids)))
        state = replace(state, early=tuple(each for each in state.early if each is not early), missing=frozenset())
        if isinstance(extended, Fault):
            refused = _refuse(state, early.message, extended)
            return MemberTransition(refused.state, (*effects, *refused.effects))
        state = replace(state, record=extended, pulls=0, unheard_since_ms=None, texts_due_ms=None, text_pulls=0)
        ends_ms = now_ms + state.budget_ms
        state = replace(state, phase_ends_ms=ends_ms, closing_due_ms=ends_ms + REPAIR_MS)
        entered = _enter(state, early.came_ms, now_ms)
        state, effects = entered.state, (*effects, *entered.effects)
        if state.over:
            break
    return MemberTransition(state, effects)


def _prev(closing: VerifiedMessage) -> Digest:
    assert isinstance(closing.body, Closing)
    return closing.body.prev


def _enter(state: Member, came_ms: int, now_ms: int) -> MemberTransition:
    """Act on a closing that is valid."""
    if conceals(state.record, state.accused, came_ms):
        state = replace(state, objection=Objection.CENSORED)
    state = _unless_left_out(state, came_ms)
    match state.record.phase:
        case Phase.ANSWERING:
            raise AssertionError("no closing leads back to answering")
        case Phase.OPENING:
            return working.open_commitment(state)
        case Phase.TESTING:
            return working.run_tests(state, now_ms)
        case Phase.JUDGING:
            return working.judge(state, now_ms)
        case Phase.COSIGNING:
            return _cosign(state)
        case Phase.FAILED:
            return _end(state, Ending.FINISHED, outcome=Outcome.FAILED)
        case Phase.CANCELLED:
            return _end(state, Ending.CANCELLED)


def _refuse(state: Member, closing: VerifiedMessage, fault: Fault) -> MemberTransition:
    """Void the round on a closing that breaks a rule; object publicly to a tally that does not follow (R10)."""
    if isinstance(closing.body, CloseTally) and fault.reason is FaultReason.WRONG_TALLY:
        state, effects = signed(state, _word(state, closing.id, Objection.MISMATCH))
        return _end(state, Ending.VOID, fault=fault, before=effects)
    return _end(state, Ending.VOID, fault=fault)


def _cosign(state: Member) -> MemberTransition:
    """R9, R10: co-sign the tally that we recomputed, or object to an omission."""
    record = state.record
    tally = record.closings[-1].body
    assert isinstance(tally, CloseTally)
    state, effects = signed(state, _word(state, record.head, state.objection))
    return _end(state, Ending.FINISHED, outcome=tally.outcome, before=effects)


def _word(state: Member, tally: Digest, objection: Objection) -> Cosign:
    return Cosign(author=state.key, query=state.record.id, on=tally, objection=objection)


# -- R10: what a closing leaves out --------------------------------------------------------------------------------


def _delivered(state: Member, message_id: Digest, acknowledged: bool, now_ms: int) -> MemberTransition:
    """Record the delivery: only from now on can the requester be blamed for an omission."""
    sent = {
        slot: replace(each, delivered_ms=now_ms) if each.message.id == message_id else each
        for slot, each in state.sent.items()
    }
    unheard_since_ms = None if acknowledged else state.unheard_since_ms
    return MemberTransition(replace(state, sent=sent, unheard_since_ms=unheard_since_ms))


def _unless_left_out(state: Member, came_ms: int) -> Member:
    """Object if the closing that came last omits our contribution of the phase that it ends."""
    record = state.record
    named: tuple[VerifiedMessage, ...]
    match record.closings[-1].body:
        case CloseCommits():
            mine = None if state.opening is None else working.commitment(state, state.opening)
            if mine is None or record.commitments.get(state.key) == mine:
                return state
            kind, number, named = Kind.COMMIT, 0, ()
        case CloseSlate():
            kind, number, named = Kind.ANSWER, 0, record.answers
        case CloseReports(stage=stage):
            kind, number, named = Kind.REPORT, stage, record.reports
        case CloseWave(wave=wave):
            kind, number, named = Kind.BALLOT, wave, record.ballots
        case CloseTally():
            kind, number, named = Kind.BALLOT, record.wave, record.ballots
        case _:
            return state
    ours = state.sent.get(Slot(record.id, state.key, kind, number))
    if not leaves_out(record, ours, {message.id for message in named}, came_ms):
        return state
    return replace(state, objection=Objection.CENSORED)


# -- time ----------------------------------------------------------------------------------------------------------


def _tick(state: Member, now_ms: int) -> MemberTransition:
    """Pull again what is due: texts that tests wait for, and the chain where its closing is overdue.

    The chain is pulled a few times, then the round is given up.
    """
    effects: tuple[Effect, ...] = ()
    if state.texts_due_ms is not None and now_ms >= state.texts_due_ms:
        testing = working.run_tests(state, now_ms)
        state, effects = testing.state, testing.effects
    if now_ms < state.closing_due_ms:
        return MemberTransition(state, effects)
    if state.pulls >= PULLS_MAX:
        return _end(state, Ending.LOST)
    state = replace(state, pulls=state.pulls + 1, closing_due_ms=now_ms + REPAIR_MS)
    return MemberTransition(state, (*effects, pull(state, tuple(sorted(state.missing)))))


# -- the end -------------------------------------------------------------------------------------------------------


def _end(
    state: Member,
    ending: Ending,
    *,
    outcome: Outcome | None = None,
    fault: Fault | None = None,
    before: tuple[Effect, ...] = (),
) -> MemberTransition:
    return MemberTransition(
        replace(state, over=True), (*before, RoundEnded(state.record.id, "member", ending, outcome, fault))
    )
