"""The member's round machine: answers, opens, judges, co-signs. Pure; the table of transitions is in README.md."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from consensus.certificates.closings import Missing, extend
from consensus.certificates.evidence import Slot, contradicts, declining, equivocated, examine, slot_of
from consensus.certificates.record import Phase, RoundRecord, check_content, check_decline, commit_to, is_void
from consensus.rounds.effects import Contribute, Effect, Ending, Generate, Journal, Judge, Pull, RoundEnded
from consensus.rounds.events import Alive, Delivered, Event, Generated, Judged, Pulled, Received, Replied, Tick, Unable
from consensus.rounds.membership import Early, Member, MemberTransition, Restored
from consensus.rounds.objections import Sent, conceals, leaves_out
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.limits import DURATION_MS_MAX
from protocol.messages import (
    Answer,
    Ballot,
    BallotEntry,
    CloseTally,
    Closing,
    Commit,
    Contribution,
    Cosign,
    Decline,
    Opening,
    Turn,
)
from protocol.signing import Keypair, VerifiedMessage, seal
from protocol.types import (
    CLOSINGS,
    CONTRIBUTIONS,
    DeclinedPhase,
    DeclineReason,
    Digest,
    Kind,
    Objection,
    Outcome,
    Role,
)
from protocol.types import FinishReason as FinishReason

POOLED = frozenset({Kind.ANSWER, Kind.BALLOT, Kind.DECLINE, Kind.EVIDENCE})
"""Kinds that closings name by id. A commitment stands in its closing itself, a co-signature only in the certificate."""

POOL_MAX = 768
"""Contributions of one round kept for a closing to name: of 64 members an answer, a ballot and a decline in each of 4
waves, two declines more, and a second message of some slots. Contributions that a closing names always find a place."""

EARLY_MAX = 10
"""Closings that arrived before their predecessor: no chain is longer."""

PULLS_MAX = 4
"""Pulls before a round is given up as lost. Each waits its turn, so a dead requester holds no member for long."""

REPAIR_MS = 2_000
"""Milliseconds that a closing may exceed its phase's budget before we pull: gossip's own delays are below 500."""


def start(
    record: RoundRecord,
    keypair: Keypair,
    turns: tuple[Turn, ...],
    now_ms: int,
    restored: Restored,
    phase_ms_max: int = DURATION_MS_MAX,
) -> MemberTransition:
    """Join a round whose roster names us. `turns` are empty for a private query whose text must be pulled first.

    After a restart, `restored` makes us repeat ourselves or stay silent. No phase takes longer than `phase_ms_max`
    here: its closing then counts as overdue.
    """
    state = Member(
        record=record,
        keypair=keypair,
        turns=turns,
        restored=restored,
        wake_at_ms=now_ms + min(record.budget_ms, phase_ms_max) + REPAIR_MS,
        phase_ms_max=phase_ms_max,
    )
    if not state.turns:
        return MemberTransition(replace(state, unheard_since_ms=now_ms), (_pull(state, ()),))
    return _owed(_answer_query(state, now_ms), now_ms)


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
    return tuple(effect for effect in effects if not isinstance(effect, Generate | Judge))


def _owed(transition: MemberTransition, now_ms: int) -> MemberTransition:
    """Start the wait for a sign of life when we send something, unless an earlier wait is still running."""
    state = transition.state
    if state.unheard_since_ms is not None or not any(isinstance(each, Contribute) for each in transition.effects):
        return transition
    return replace(transition, state=replace(state, unheard_since_ms=now_ms))


def _step(state: Member, event: Event, now_ms: int) -> MemberTransition:
    match event:
        case Pulled(messages, turns):
            return _take_pulled(state, messages, turns, now_ms)
        case Generated(content, salt):
            return _commit(state, Opening(content=content, salt=salt))
        case Judged(wave, preferences):
            return _vote(state, wave, preferences)
        case Received(message):
            return _receive(state, message, now_ms)
        case Unable(wave, reason):
            phase = DeclinedPhase.ANSWERING if wave is None else DeclinedPhase.JUDGING
            return _decline(state, phase, wave or 0, reason)
        case Delivered(message_id, acknowledged):
            return _delivered(state, message_id, acknowledged, now_ms)
        case Tick():
            return _tick(state, now_ms)
        case Replied() | Alive():
            raise AssertionError("a member waits for nobody but the requester")
        case _:
            assert_never(event)


# -- answering -----------------------------------------------------------------------------------------------------


def _answer_query(state: Member, now_ms: int) -> MemberTransition:
    """R4: commit to a new answer of our model, or again to the one from before a restart (R12)."""
    if Role.ANSWER not in state.record.seats[state.key].roles:
        return MemberTransition(state)
    if state.restored.opening is not None:
        return _commit(state, state.restored.opening)
    if (declined := state.restored.messages.get(_decline_slot(state, DeclinedPhase.ANSWERING, 0))) is not None:
        return _repeat(state, declined)
    query = state.record.query
    deadline_ms = now_ms + state.budget_ms
    return MemberTransition(state, (Generate(state.record.id, state.turns, query.task, query.max_tokens, deadline_ms),))


def _commit(state: Member, opening: Opening) -> MemberTransition:
    """R4: commit to an answer. One that comes after the closing, or would not count, is useless."""
    record = state.record
    if record.phase is not Phase.ANSWERING or state.opening is not None or _has_declined(state):
        return MemberTransition(state)
    if (fault := check_content(record, opening.content)) is not None:
        empty = fault.reason is FaultReason.EMPTY_ANSWER
        return _decline(state, DeclinedPhase.ANSWERING, 0, DeclineReason.EMPTY if empty else DeclineReason.CAPACITY)
    body = Commit(
        author=state.key,
        query=record.id,
        on=record.head,
        commitment=commit_to(record, state.key, opening.content, opening.salt),
    )
    return _contribute(replace(state, opening=opening), body, secret=codec.encode(opening))


def _open(state: Member, came_ms: int) -> MemberTransition:
    """R4: open only on a closing that names our own commitment."""
    record, opening = state.record, state.opening
    if opening is None:
        return MemberTransition(state)
    mine = commit_to(record, state.key, opening.content, opening.salt)
    if record.commitments.get(state.key) != mine:
        return MemberTransition(_unless_left_out(state, Kind.COMMIT, 0, (), came_ms))
    body = Answer(author=state.key, query=record.id, on=record.head, content=opening.content, salt=opening.salt)
    return _contribute(state, body)


# -- judging -------------------------------------------------------------------------------------------------------


def _judge(state: Member, now_ms: int) -> MemberTransition:
    """R6: request the comparison of exactly the pairs that follow from the closing."""
    record = state.record
    pairs = record.assignment.get(state.key)
    if not pairs or not state.turns:
        return MemberTransition(state)
    ballot = Slot(record.id, state.key, Kind.BALLOT, record.wave)
    for slot in (ballot, _decline_slot(state, DeclinedPhase.JUDGING, record.wave)):
        if (before := state.restored.messages.get(slot)) is not None:
            return _repeat(state, before)
    texts = [content.text for content in record.contents.values()]
    shown = tuple((texts[first], texts[second]) for first, second in pairs)
    cut = {content.text for content in record.contents.values() if content.finish is FinishReason.LENGTH}
    return MemberTransition(
        state,
        (
            Judge(
                query=record.id,
                wave=record.wave,
                turns=state.turns,
                pairs=shown,
                deadline_ms=now_ms + state.budget_ms,
                cut=frozenset(text for pair in shown for text in pair if text in cut),
            ),
        ),
    )


def _vote(state: Member, wave: int, preferences: tuple[int, ...]) -> MemberTransition:
    """R6: cast a ballot of exactly its pairs; decline instead of casting a void one."""
    record = state.record
    pairs = record.assignment.get(state.key, ())
    if record.phase is not Phase.JUDGING or wave != record.wave or len(preferences) != len(pairs) or not pairs:
        return MemberTransition(state)
    if _has_declined(state):
        return MemberTransition(state)
    judgements = tuple(
        BallotEntry(first=first, second=second, preference=preference, evidence=0)
        for (first, second), preference in zip(pairs, preferences, strict=True)
    )
    body = Ballot(author=state.key, query=record.id, on=record.head, wave=wave, judgements=judgements)
    if is_void(body):
        return _decline(state, DeclinedPhase.JUDGING, wave, DeclineReason.ABSTAINS)
    return _contribute(state, body)


# -- declining -----------------------------------------------------------------------------------------------------


def _decline(state: Member, phase: DeclinedPhase, wave: int, reason: DeclineReason) -> MemberTransition:
    """R15: state at once, and finally, that nobody need wait for us in this phase."""
    record = state.record
    body = Decline(author=state.key, query=record.id, on=record.head, phase=phase, wave=wave, reason=reason)
    gives = Kind.COMMIT if phase is DeclinedPhase.ANSWERING else Kind.BALLOT
    has_given = Slot(record.id, state.key, gives, wave) in (state.sent.keys() | state.restored.messages.keys())
    if has_given or check_decline(record, body) is not None or _has_declined(state):
        return MemberTransition(state)
    return _contribute(state, body)


def _decline_slot(state: Member, phase: DeclinedPhase, wave: int) -> Slot:
    return declining(state.record.id, state.key, phase, wave)


def _has_declined(state: Member) -> bool:
    """Whether we have declined the work of the present phase."""
    record = state.record
    wave = record.wave if record.phase is Phase.JUDGING else 0
    return _decline_slot(state, DeclinedPhase(record.phase), wave) in state.sent


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
        return MemberTransition(after, (*advanced.effects, _pull(after, ())))
    return advanced


def _take_pulled(
    state: Member, messages: tuple[VerifiedMessage, ...], turns: tuple[Turn, ...], now_ms: int
) -> MemberTransition:
    """R13: take a whole reply at once, so that a closing is tried when all its messages are available."""
    effects: tuple[Effect, ...] = ()
    if turns and not state.turns:
        state = replace(state, turns=turns, unheard_since_ms=None)
        if state.record.phase is Phase.ANSWERING:
            answering = _answer_query(state, now_ms)
            state, effects = answering.state, answering.effects
    wanted = [each for each in messages if each.kind in CLOSINGS or each.id in state.missing]
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
            return MemberTransition(replace(state, missing=asked), (*effects, _pull(state, extended.ids)))
        state = replace(state, early=tuple(each for each in state.early if each is not early), missing=frozenset())
        if isinstance(extended, Fault):
            refused = _refuse(state, early.message, extended)
            return MemberTransition(refused.state, (*effects, *refused.effects))
        state = replace(state, record=extended, pulls=0, unheard_since_ms=None)
        state = replace(state, wake_at_ms=now_ms + state.budget_ms + REPAIR_MS)
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
    match state.record.phase:
        case Phase.ANSWERING:
            raise AssertionError("no closing leads back to answering")
        case Phase.OPENING:
            return _open(state, came_ms)
        case Phase.JUDGING:
            if state.record.wave == 0:
                state = _unless_left_out(state, Kind.ANSWER, 0, state.record.answers, came_ms)
            else:
                state = _unless_left_out(state, Kind.BALLOT, state.record.wave - 1, state.record.ballots, came_ms)
            return _judge(state, now_ms)
        case Phase.COSIGNING:
            state = _unless_left_out(state, Kind.BALLOT, state.record.wave, state.record.ballots, came_ms)
            return _cosign(state)
        case Phase.FAILED:
            return _end(state, Ending.FINISHED, outcome=Outcome.FAILED)
        case Phase.CANCELLED:
            return _end(state, Ending.CANCELLED)


def _refuse(state: Member, closing: VerifiedMessage, fault: Fault) -> MemberTransition:
    """Void the round on a closing that breaks a rule; object publicly to a tally that does not follow (R10)."""
    if isinstance(closing.body, CloseTally) and fault.reason is FaultReason.WRONG_TALLY:
        state, effects = _signed(state, _word(state, closing.id, Objection.MISMATCH))
        return _end(state, Ending.VOID, fault=fault, before=effects)
    return _end(state, Ending.VOID, fault=fault)


def _cosign(state: Member) -> MemberTransition:
    """R9, R10: co-sign the tally that we recomputed, or object to an omission."""
    record = state.record
    tally = record.closings[-1].body
    assert isinstance(tally, CloseTally)
    state, effects = _signed(state, _word(state, record.head, state.objection))
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


def _unless_left_out(state: Member, kind: Kind, wave: int, named: tuple[VerifiedMessage, ...], came_ms: int) -> Member:
    ours = state.sent.get(Slot(state.record.id, state.key, kind, wave))
    if not leaves_out(state.record, ours, {message.id for message in named}, came_ms):
        return state
    return replace(state, objection=Objection.CENSORED)


# -- time ----------------------------------------------------------------------------------------------------------


def _tick(state: Member, now_ms: int) -> MemberTransition:
    """If the closing is overdue, pull the chain a few times, then give the round up."""
    if now_ms < state.wake_at_ms:
        return MemberTransition(state)
    if state.pulls >= PULLS_MAX:
        return _end(state, Ending.LOST)
    state = replace(state, pulls=state.pulls + 1, wake_at_ms=now_ms + REPAIR_MS)
    return MemberTransition(state, (_pull(state, tuple(sorted(state.missing))),))


# -- effects -------------------------------------------------------------------------------------------------------


def _contribute(state: Member, body: Contribution, secret: bytes = b"") -> MemberTransition:
    state, effects = _signed(state, body, secret)
    return MemberTransition(state, effects)


def _signed(state: Member, body: Contribution, secret: bytes = b"") -> tuple[Member, tuple[Effect, ...]]:
    """R12: journal, then send; a slot that was filled before a restart is repeated, never filled anew."""
    message = seal(state.keypair, state.record.params.digest, body)
    slot = slot_of(message)
    assert slot is not None
    before = state.restored.messages.get(slot)
    if before is not None:
        repeated = _repeat(state, before)
        return repeated.state, repeated.effects
    state = _remember(state, slot, message)
    return state, (Journal(slot, message, secret), _send(state, message))


def _repeat(state: Member, before: VerifiedMessage) -> MemberTransition:
    """R12: repeat the bytes from before a restart if they act on this chain; else stay silent."""
    slot = slot_of(before)
    assert slot is not None and isinstance(before.body, Contribution)
    if before.body.on != state.record.head:
        return MemberTransition(state)
    state = _remember(state, slot, before)
    return MemberTransition(state, (_send(state, before),))


def _send(state: Member, message: VerifiedMessage) -> Contribute:
    private = state.record.is_private and message.kind is Kind.ANSWER
    return Contribute(state.record.query.author, state.record.topic, message, private)


def _remember(state: Member, slot: Slot, message: VerifiedMessage) -> Member:
    """Keep a sent message, for R10 and for closings that name it without carrying it."""
    sent = {**state.sent, slot: Sent(message)}
    return replace(state, sent=sent, pool={**state.pool, message.id: message})


def _pull(state: Member, ids: tuple[Digest, ...]) -> Pull:
    """R13: ask the requester first, then other members in the roster's order after our own seat."""
    requester = state.record.query.author
    members = list(state.record.seats)
    ours = members.index(state.key)
    others = [key for key in (*members[ours + 1 :], *members[:ours]) if key != requester]
    return Pull(state.record.id, ids, (requester, *others))


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
