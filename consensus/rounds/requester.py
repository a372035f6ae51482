"""The requester's round machine: the round's sequencer. Pure; the table of transitions is in README.md.

It decides when a phase closes and which contributions count. It cannot forge, and members check its omissions (R10).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from consensus.certificates.certificate import build_certificate
from consensus.certificates.closings import Missing, extend
from consensus.certificates.evidence import equivocated, examine, slot_of
from consensus.certificates.record import Phase, RoundRecord, bodies, check_contribution
from consensus.certificates.tally import Ranking, rank
from consensus.rounds.admission import Refusal
from consensus.rounds.effects import Certify, Decide, Effect, Ending, Journal, Probe, Progress, Publish, RoundEnded
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
from consensus.rounds.riders import ids_of, ordered, riders
from consensus.rounds.waiting import SILENT_MS, SILENT_ROUND_TRIPS, SignsOfLife, share_in, weighty
from protocol import codec
from protocol.errors import Fault
from protocol.hashing import certificate_digest
from protocol.messages import (
    Cancel,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Closing,
    Commit,
    Commitment,
    Contribution,
    Cosign,
    Decline,
    Notice,
)
from protocol.signing import Keypair, VerifiedMessage, seal
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Key, Kind, Objection, Outcome, StopReason


@dataclass(frozen=True, slots=True)
class Requester:
    """The state of one round at its requester."""

    record: RoundRecord
    keypair: Keypair
    budget_ends_ms: int
    """When the present phase ends regardless of missing contributions (R11)."""
    waiting: SignsOfLife
    slack_ms: int
    """Milliseconds added to the query's patience for the seats' measured round trips, which never shorten a wait."""
    patience_ends_ms: int | None = None
    """When the wait for stragglers ends; set once a quorum is in."""
    received: Mapping[Key, VerifiedMessage] = field(default_factory=dict)
    """Contributions that count in the present phase."""
    declines: Mapping[Key, VerifiedMessage] = field(default_factory=dict)
    """Declines of the present phase (R15)."""
    accusations: Mapping[Key, VerifiedMessage] = field(default_factory=dict)
    """Evidence against members that no closing lists yet."""
    objections: Mapping[Key, Objection] = field(default_factory=dict)
    """Members that will not co-sign, and why."""
    over: bool = False

    @property
    def closes_at_ms(self) -> int:
        """When the present phase ends regardless of missing contributions."""
        if self.patience_ends_ms is None:
            return self.budget_ends_ms
        return min(self.budget_ends_ms, self.patience_ends_ms)

    @property
    def wake_at_ms(self) -> int:
        """When to send a Tick; a phase without awaited contributions is due at once."""
        if self.awaited <= self.received.keys():
            return self.waiting.began_ms
        listens_ms = self.waiting.wake_at_ms(self.missing, self.silent_ms)
        return self.closes_at_ms if listens_ms is None else min(self.closes_at_ms, listens_ms)

    @property
    def expected(self) -> frozenset[Key]:
        """Members whose contributions the present phase expects."""
        return self.record.expected() - self.accusations.keys()

    @property
    def awaited(self) -> frozenset[Key]:
        """Expected members whose contributions may still come; declining counts like silence, so it gains nothing."""
        return self.waiting.awaited(self.expected) - self.declines.keys()

    @property
    def missing(self) -> frozenset[Key]:
        """Expected members that have neither contributed nor declined."""
        return self.expected - self.received.keys() - self.declines.keys()

    @property
    def silent_ms(self) -> int:
        """Time without a sign of life after which a seat counts as silent, ms."""
        share = share_in(self.record, self.expected, self.received.keys())
        return share.silent_ms + SILENT_ROUND_TRIPS * self.slack_ms


@dataclass(frozen=True, slots=True)
class RequesterTransition:
    """The next state and the effects to perform."""

    state: Requester
    effects: tuple[Effect, ...] = ()


def start(record: RoundRecord, keypair: Keypair, now_ms: int, slack_ms: int = 0) -> RequesterTransition:
    """Begin a round with our own signed query. `slack_ms`: see Requester."""
    state = Requester(
        record=record,
        keypair=keypair,
        budget_ends_ms=now_ms + record.budget_ms,
        waiting=SignsOfLife(keypair.public, now_ms),
        slack_ms=slack_ms,
    )
    return RequesterTransition(state, (Publish((record.topic,), record.message), _progress(state)))


def step(state: Requester, event: Event, now_ms: int) -> RequesterTransition:
    """Apply one event at `now_ms`; return the next state and the effects. A round that is over stays as it is."""
    if state.over:
        return RequesterTransition(state)
    match event:
        case Received(message):
            return _receive(state, message, now_ms)
        case Tick():
            return _tick(state, now_ms)
        case Alive(member):
            return RequesterTransition(replace(state, waiting=state.waiting.lives(member, now_ms)))
        case Replied(member, refusal):
            return _replied(state, member, refusal, now_ms)
        case Generated() | AnswersTested() | Judged() | Unable() | Delivered() | Pulled():
            raise AssertionError("a requester asks for no work of its own engine and pulls nothing")
        case _:
            assert_never(event)


def cancel(state: Requester) -> RequesterTransition | None:
    """R16: end the round in place of its next closing; None if it is over, or its tally closed."""
    if state.over or state.record.phase not in (Phase.ANSWERING, Phase.OPENING, Phase.TESTING, Phase.JUDGING):
        return None
    record = state.record
    message = seal(
        state.keypair, record.params.digest, Cancel(author=state.keypair.public, query=record.id, prev=record.head)
    )
    slot, cancelled = slot_of(message), extend(record, message, {})
    assert slot is not None and isinstance(cancelled, RoundRecord), cancelled
    effects = (
        Journal(slot, message),
        Publish((record.topic,), message),
        RoundEnded(record.id, "requester", Ending.CANCELLED),
    )
    return RequesterTransition(replace(state, record=cancelled, over=True), effects)


# -- contributions -------------------------------------------------------------------------------------------------


def _receive(state: Requester, message: VerifiedMessage, now_ms: int) -> RequesterTransition:
    if message.kind is Kind.EVIDENCE:
        return _receive_evidence(state, message, now_ms)
    heard = state.received.keys() | state.declines.keys() | state.accusations.keys()
    if not isinstance(message.body, Contribution) or message.author in heard:
        return RequesterTransition(state)
    if check_contribution(state.record, message) is not None:
        return RequesterTransition(state)
    if isinstance(message.body, Decline):
        state = replace(
            state,
            declines={**state.declines, message.author: message},
            waiting=state.waiting.replies(message.author, None, now_ms),
        )
        return _close_if_due(state, now_ms)
    if isinstance(message.body, Cosign) and message.body.objection is not Objection.NONE:
        state = replace(state, objections={**state.objections, message.author: message.body.objection})
    state = replace(
        state,
        received={**state.received, message.author: message},
        waiting=state.waiting.contributes(message.author, now_ms),
    )
    return _close_if_due(state, now_ms)


def _receive_evidence(state: Requester, message: VerifiedMessage, now_ms: int) -> RequesterTransition:
    """R3: drop the accused author's contributions that no closing names yet; the next closing lists the evidence."""
    slot = examine(message, state.record.params.digest)
    if isinstance(slot, Fault) or slot.query != state.record.id:
        return RequesterTransition(state)
    if slot.author == state.keypair.public and slot.kind in CLOSINGS:
        # Another process signs with our key: members have voided the round, so the user must not get an answer.
        fault = replace(equivocated(slot.kind), detail=f"another {slot.kind.name} under our own key")
        return RequesterTransition(
            replace(state, over=True), (RoundEnded(state.record.id, "requester", Ending.VOID, fault=fault),)
        )
    if slot.author not in state.record.seats or slot.kind not in CONTRIBUTIONS:
        return RequesterTransition(state)
    if slot.author in state.record.removed or slot.author in state.accusations:
        return RequesterTransition(state)
    state = replace(
        state,
        accusations={**state.accusations, slot.author: message},
        received={key: kept for key, kept in state.received.items() if key != slot.author},
        declines={key: kept for key, kept in state.declines.items() if key != slot.author},
    )
    return _close_if_due(state, now_ms)


# -- waiting (R11) -------------------------------------------------------------------------------------------------


def _tick(state: Requester, now_ms: int) -> RequesterTransition:
    """Close a phase that is due; else check signs of life and probe seats that give none."""
    if now_ms >= state.closes_at_ms:
        return _close(state, now_ms)
    waiting, due = state.waiting.listen(state.missing, now_ms, state.silent_ms)
    silent_before = state.waiting.silent
    state = replace(state, waiting=waiting)
    news = waiting.silent != silent_before or state.awaited <= state.received.keys()
    probes = tuple(_probe(state, key, now_ms) for key in due)
    closed = _close_if_due(state, now_ms) if news else RequesterTransition(state)
    return RequesterTransition(closed.state, (*probes, *closed.effects))


def _probe(state: Requester, member: Key, now_ms: int) -> Probe:
    """Probe with the query while it may be admitted and the seat may lack it; else with a ping."""
    record = state.record
    in_time = now_ms <= record.query.sent_at_ms + record.params.clock_skew_ms
    sends_query = in_time and state.waiting.sends_query(member)
    return Probe(record.id, member, record.message if sends_query else None)


def _replied(state: Requester, member: Key, refusal: Refusal | None, now_ms: int) -> RequesterTransition:
    """Stop awaiting a seat that refuses; a seat that accepts the query is awaited as before."""
    if member not in state.record.seats:
        return RequesterTransition(state)
    state = replace(state, waiting=state.waiting.replies(member, refusal, now_ms))
    return RequesterTransition(state) if refusal is None else _close_if_due(state, now_ms)


def _close_if_due(state: Requester, now_ms: int) -> RequesterTransition:
    """R11: close the phase if all awaited contributions are in; enough of them start the wait for stragglers."""
    received = state.received.keys()
    awaited = state.awaited
    if awaited <= received:
        closed = _close(state, now_ms)
        return RequesterTransition(closed.state, (_progress(state), *closed.effects))
    ends_ms = _patience_ends_ms(state, awaited, now_ms)
    if ends_ms is not None and (state.patience_ends_ms is None or ends_ms < state.patience_ends_ms):
        state = replace(state, patience_ends_ms=ends_ms)
    return RequesterTransition(state, (_progress(state),))


def _patience_ends_ms(state: Requester, awaited: frozenset[Key], now_ms: int) -> int | None:
    """Return when the wait for stragglers ends, given the present contributions; None: not before the budget."""
    record, received = state.record, state.received.keys()
    share = share_in(record, state.expected, received)
    patience_ms = min(record.query.patience_ms + state.slack_ms, record.params.patience_ms_max)
    if share.quorum or weighty(record, state.expected) & awaited <= received:
        return now_ms + patience_ms
    if not share.more_than_half:
        return None
    # More than half is in: nobody waits for a seat that takes more than twice as long as that half. Without this, seats
    # with a third of the weight that acknowledge and never contribute would cost the phase its budget.
    ends_ms = 2 * now_ms - state.waiting.began_ms
    # Our own contribution takes no time, so this may be soon. If too few are in for an outcome, others may be late for
    # as long as they may be silent.
    least_ms = state.waiting.began_ms + share.silent_ms if share.silent_ms > SILENT_MS else 0
    return max(ends_ms, least_ms) + patience_ms


# -- closings ------------------------------------------------------------------------------------------------------


def _close(state: Requester, now_ms: int) -> RequesterTransition:
    """End the present phase with the contributions that are in."""
    match state.record.phase:
        case Phase.ANSWERING:
            return _close_commits(state, now_ms) if state.received else _close_tally(state, now_ms)
        case Phase.OPENING:
            return _close_slate(state, now_ms) if state.received else _close_tally(state, now_ms)
        case Phase.TESTING:
            return _close_reports(state, now_ms)
        case Phase.JUDGING:
            return _close_wave(state, now_ms)
        case Phase.COSIGNING:
            return _certify(state)
        case Phase.FAILED | Phase.CANCELLED:
            raise AssertionError("a round that failed or was cancelled is over")


def _close_commits(state: Requester, now_ms: int) -> RequesterTransition:
    commits = bodies(state.received.values(), Commit)
    commitments = [Commitment(member=commit.author, commitment=commit.commitment) for commit in commits]
    body = CloseCommits(
        author=state.keypair.public,
        query=state.record.id,
        prev=state.record.head,
        commitments=tuple(sorted(commitments, key=lambda entry: entry.member)),
        declines=ids_of(state.declines),
        ride_along=riders(state.record, state.declines),
    )
    return _publish(state, body, now_ms)


def _close_slate(state: Requester, now_ms: int) -> RequesterTransition:
    """R5, R6, R17: close the slate, then test or judge."""
    body = CloseSlate(
        author=state.keypair.public,
        query=state.record.id,
        prev=state.record.head,
        answers=ids_of(state.received),
        evidence=ids_of(state.accusations),
        ride_along=riders(state.record, state.accusations, state.received),
    )
    return _unless_decided(_publish(state, body, now_ms), now_ms)


def _close_reports(state: Requester, now_ms: int) -> RequesterTransition:
    """R17: close a stage of testing, with any number of reports; then test what is open further, or judge."""
    record = state.record
    body = CloseReports(
        author=state.keypair.public,
        query=record.id,
        prev=record.head,
        stage=record.stage,
        reports=ids_of(state.received),
        declines=ids_of(state.declines),
        evidence=ids_of(state.accusations),
        ride_along=riders(state.record, state.accusations, state.received, state.declines),
    )
    return _unless_decided(_publish(state, body, now_ms), now_ms)


def _close_wave(state: Requester, now_ms: int) -> RequesterTransition:
    """R8: start another wave while the plan has one, it can change something, and the winner is not certain enough."""
    record = state.record
    last = record.wave + 1 >= len(record.query.waves)
    if last or _provisional(state).stop is not StopReason.BUDGET:
        return _close_tally(state, now_ms)
    body = CloseWave(
        author=state.keypair.public,
        query=record.id,
        prev=record.head,
        wave=record.wave,
        ballots=ids_of(state.received),
        declines=ids_of(state.declines),
        evidence=ids_of(state.accusations),
        ride_along=riders(state.record, state.accusations, state.received, state.declines),
    )
    return _unless_decided(_publish(state, body, now_ms), now_ms)


def _unless_decided(closed: RequesterTransition, now_ms: int) -> RequesterTransition:
    """Close the tally at once if nothing is left to test, and nobody has a pair (left) to compare."""
    if closed.state.record.assignment or closed.state.record.phase is Phase.TESTING:
        return closed
    tallied = _close_tally(closed.state, now_ms)
    return RequesterTransition(tallied.state, (*closed.effects, *tallied.effects))


def _provisional(state: Requester) -> Ranking:
    """Return the ranking that a tally closed now would state."""
    record = state.record
    return rank(
        replace(
            record,
            ballots=(*record.ballots, *ordered(state.received)),
            declines=(*record.declines, *ordered(state.declines)),
            removed=frozenset(record.removed | state.accusations.keys()),
        )
    )


def _close_tally(state: Requester, now_ms: int) -> RequesterTransition:
    """R8, R9: state the result that follows; the user may be answered now."""
    ranking = _provisional(state)
    body = CloseTally(
        author=state.keypair.public,
        query=state.record.id,
        prev=state.record.head,
        ballots=ids_of(state.received),
        declines=ids_of(state.declines),
        evidence=ids_of(state.accusations),
        outcome=ranking.outcome,
        reason=ranking.reason,
        stop=ranking.stop,
        winner=ranking.winner,
        p_best=ranking.p_best,
        ranking_digest=ranking.digest,
        ride_along=riders(state.record, state.accusations, state.received, state.declines),
    )
    closed = _publish(state, body, now_ms)
    winner = state.record.contents.get(Digest(ranking.winner))
    decide = Decide(state.record.id, ranking, "" if winner is None else winner.text)
    if ranking.outcome is Outcome.FAILED:
        finish = RoundEnded(state.record.id, "requester", Ending.FINISHED, Outcome.FAILED)
        return RequesterTransition(replace(closed.state, over=True), (decide, *closed.effects, finish))
    return RequesterTransition(closed.state, (decide, *closed.effects))


def _certify(state: Requester) -> RequesterTransition:
    """R9: certify with the co-signatures that are in; the reader counts how many make it full."""
    cosigns = [
        message
        for message in state.received.values()
        if isinstance(message.body, Cosign) and message.body.objection is Objection.NONE
    ]
    certificate = codec.encode(build_certificate(state.record, cosigns))
    tally = state.record.closings[-1].body
    assert isinstance(tally, CloseTally)
    winner = next(answer.author for answer in state.record.answers if answer.id == tally.winner)
    notice = seal(
        state.keypair,
        state.record.params.digest,
        Notice(
            author=state.keypair.public,
            query=state.record.id,
            on=state.record.head,
            certificate_digest=certificate_digest(certificate),
            certificate_bytes=len(certificate),
        ),
    )
    slot = slot_of(notice)
    assert slot is not None
    effects = (
        _progress(state),
        Certify(state.record.id, tally.outcome, winner, certificate),
        Journal(slot, notice),
        Publish((state.record.topic,), notice),
        RoundEnded(state.record.id, "requester", Ending.FINISHED, tally.outcome),
    )
    return RequesterTransition(replace(state, over=True), effects)


def _publish(state: Requester, body: Closing, now_ms: int) -> RequesterTransition:
    """R12, R2: sign, extend our own record by the rules that members apply, journal, publish."""
    message = seal(state.keypair, state.record.params.digest, body)
    slot = slot_of(message)
    assert slot is not None
    said = (*state.received.values(), *state.declines.values(), *state.accusations.values())
    pool = {each.id: each for each in said}
    extended = extend(state.record, message, pool)
    if isinstance(extended, Fault | Missing):
        raise AssertionError(f"our own closing does not stand: {extended}")
    state = replace(
        state,
        record=extended,
        budget_ends_ms=now_ms + extended.budget_ms,
        patience_ends_ms=None,
        waiting=state.waiting.enters(now_ms),
        received={},
        declines={},
        accusations={} if not isinstance(body, CloseCommits) else state.accusations,
    )
    return RequesterTransition(state, (Journal(slot, message), Publish((extended.topic,), message), _progress(state)))


def _progress(state: Requester) -> Progress:
    record, expected = state.record, state.expected
    return Progress(
        query=record.id,
        phase=record.phase,
        wave=record.stage if record.phase is Phase.TESTING else record.wave,
        received=frozenset(state.received),
        expected=expected,
        silent=state.waiting.silent & expected,
        refused={key: why for key, why in state.waiting.refused.items() if key in expected},
        declined={key: each.body.reason for key, each in state.declines.items() if isinstance(each.body, Decline)},
    )
