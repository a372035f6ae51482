"""The effect of a closing on a record (rules R2-R9): one function for all roles.

The requester extends its record with each closing that it signs, a member with each that it receives, the verifier with
each that a certificate holds. So a valid round is defined in one place. Within a process they share results: the first
caller computes, later callers get the same record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from consensus.certificates.counting import stage_words, wave_words
from consensus.certificates.evidence import examine
from consensus.certificates.record import Pairs, Phase, RoundRecord, ascending, bodies, check_contribution, form_of
from consensus.certificates.tally import check_tally, rank, standing, uncertain_pairs
from consensus.certificates.testing import drop_disputed, first_testers, further_testers, settle_reports
from consensus.ranking.bradley_terry import FitDidNotConverge
from consensus.ranking.clusters import cluster
from consensus.ranking.pairing import assign_pairs
from protocol.errors import Fault, FaultReason
from protocol.hashing import beacon
from protocol.messages import (
    Answer,
    Ballot,
    Cancel,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Closing,
    PhaseClosing,
)
from protocol.recall import Recall
from protocol.signing import VerifiedMessage, open_envelope
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Key, Kind, Outcome, Role, StopReason


@dataclass(frozen=True, slots=True)
class Missing:
    """Ids that a closing names and that are not available here. Not a fault."""

    ids: tuple[Digest, ...]


_EXTENDED: Final = Recall[Digest, RoundRecord]()
"""Memo by the closing's id; it serves callers that extend the same record object (`before`).

Sound because that record and the id decide the result, whatever pool provides the named messages: ids cover whole
bodies under the parameters' digest, and bodies name by id everything that is counted. Ids do not cover signatures: if
an author signs the same body twice, the shared record holds the envelope that was counted first, which is equally
valid. The caller's pool decides only between Missing and the result, so every call checks that first.
"""


def extend(
    record: RoundRecord, message: VerifiedMessage, pool: Mapping[Digest, VerifiedMessage]
) -> RoundRecord | Missing | Fault:
    """Return the record after one more closing.

    The closing must be the requester's next, and everything that it names must count. `pool` holds contributions and
    evidence by id; messages that ride along in the closing are added. A Fault voids the round.
    """
    closing = message.body
    if not isinstance(closing, Closing):
        return Fault(FaultReason.WRONG_PHASE, "R2", f"{message.kind.name} is no closing")
    if message.author != record.message.author:
        return Fault(FaultReason.WRONG_AUTHOR, "R2", "only the requester closes")
    if closing.query != record.id or closing.prev != record.head:
        return Fault(FaultReason.WRONG_CHAIN, "R2", f"{message.kind.name} does not follow the head")
    at_hand = _gather(record, closing, pool)
    if isinstance(at_hand, Missing | Fault):
        return at_hand
    known = _EXTENDED.recall(message.id)
    if known is not None and known.before is record:
        return known
    try:
        extended = _apply(record, message, closing, at_hand)
    except FitDidNotConverge as error:
        return Fault(FaultReason.NO_FIT, "R8", str(error))
    if isinstance(extended, Fault):
        return extended
    extended = replace(extended, before=record)
    _EXTENDED.remember(message.id, extended)
    return extended


def _apply(
    record: RoundRecord, message: VerifiedMessage, closing: Closing, at_hand: Mapping[Digest, VerifiedMessage]
) -> RoundRecord | Fault:
    """Apply the closing with everything that it names. Only `record` and the named ids decide the result."""
    if isinstance(closing, Cancel):
        return _cancel(record, message)
    if isinstance(closing, CloseCommits):
        return _close_commits(record, message, closing, [at_hand[id] for id in closing.declines])
    cleared = _list_evidence(record, [at_hand[id] for id in closing.evidence])
    if isinstance(cleared, Fault):
        return cleared
    if isinstance(closing, CloseSlate):
        return _close_slate(cleared, message, [at_hand[id] for id in closing.answers])
    given = [at_hand[id] for id in (closing.reports if isinstance(closing, CloseReports) else closing.ballots)]
    declined = _list_declines(cleared, [at_hand[id] for id in closing.declines], {each.author for each in given})
    if isinstance(declined, Fault):
        return declined
    match closing:
        case CloseReports():
            return _close_reports(declined, message, closing, given)
        case CloseWave():
            return _close_wave(declined, message, closing, given)
        case CloseTally():
            return _close_tally(declined, message, closing, given)


def _cancel(record: RoundRecord, message: VerifiedMessage) -> RoundRecord | Fault:
    """R16: end the round before its tally; nothing more counts."""
    if record.phase not in (Phase.ANSWERING, Phase.OPENING, Phase.TESTING, Phase.JUDGING):
        return Fault(FaultReason.WRONG_PHASE, "R16", f"a cancel while {record.phase}")
    return replace(record, phase=Phase.CANCELLED, closings=(*record.closings, message), assignment={})


def _close_commits(
    record: RoundRecord, message: VerifiedMessage, closing: CloseCommits, declines: list[VerifiedMessage]
) -> RoundRecord | Fault:
    """R4: close the answer phase; only these commitments may be opened."""
    if record.phase is not Phase.ANSWERING:
        return Fault(FaultReason.WRONG_PHASE, "R2", "commits are closed already")
    members = [entry.member for entry in closing.commitments]
    if not ascending(members):
        return Fault(FaultReason.UNSORTED, "R2", "commitments")
    if not record.expected().issuperset(members):
        return Fault(FaultReason.NOT_A_MEMBER, "R2", "a commitment of no answering seat")
    declined = _list_declines(record, declines, set(members))
    if isinstance(declined, Fault):
        return declined
    commitments = {entry.member: entry.commitment for entry in closing.commitments}
    return replace(declined, phase=Phase.OPENING, closings=(*record.closings, message), commitments=commitments)


def _close_slate(record: RoundRecord, message: VerifiedMessage, answers: list[VerifiedMessage]) -> RoundRecord | Fault:
    """R5, R6, R7: close the opening phase; the slate fixes clusters of text, beacon and who tests or judges what."""
    if fault := _check_named(record, Phase.OPENING, Kind.ANSWER, answers):
        return fault
    opened = bodies(answers, Answer)
    salts = [answer.salt for answer in sorted(opened, key=lambda each: each.author)]
    forms = [form_of(record.query.task, answer.content.text) for answer in opened]
    texts = cluster(forms)
    slate = replace(
        record,
        closings=(*record.closings, message),
        answers=tuple(answers),
        texts=texts,
        clusters=texts,
        beacon=beacon(record.id, record.head, salts),
    )
    return _then_test(slate, first_testers(slate), stage=0)


def _then_test(record: RoundRecord, testers: Mapping[Key, tuple[int, ...]], stage: int) -> RoundRecord:
    """R17: enter a stage of testing, if there is anything to test and anybody who can; else go on to judging."""
    if testers:
        return replace(record, phase=Phase.TESTING, stage=stage, testers=testers)
    judging = replace(record, phase=Phase.JUDGING, testers={})
    return replace(judging, assignment=_assign(judging))


def _close_reports(
    record: RoundRecord, message: VerifiedMessage, closing: CloseReports, reports: list[VerifiedMessage]
) -> RoundRecord | Fault:
    """R17, R18: close a stage of testing; what is settled joins answers that behave alike."""
    if fault := _check_named(record, Phase.TESTING, Kind.REPORT, reports):
        return fault
    if closing.stage != record.stage:
        return Fault(FaultReason.WRONG_PHASE, "R2", f"{stage_words(closing.stage)} is not under way")
    tested = settle_reports(replace(record, closings=(*record.closings, message), reports=(*record.reports, *reports)))
    further = further_testers(tested)
    return _then_test(tested if further else drop_disputed(tested), further, record.stage + 1)


def _close_wave(
    record: RoundRecord, message: VerifiedMessage, closing: CloseWave, ballots: list[VerifiedMessage]
) -> RoundRecord | Fault:
    """R6: close a wave; the next wave's pairs follow from the counted ballots."""
    if fault := _check_named(record, Phase.JUDGING, Kind.BALLOT, ballots):
        return fault
    if closing.wave != record.wave or record.wave + 1 >= len(record.query.waves):
        return Fault(FaultReason.WRONG_PHASE, "R2", f"no wave follows {wave_words(closing.wave)}")
    waved = replace(
        record,
        closings=(*record.closings, message),
        ballots=(*record.ballots, *ballots),
        absent=record.absent | (record.assignment.keys() - {ballot.author for ballot in ballots}),
        wave=record.wave + 1,
    )
    return replace(waved, assignment=_assign(waved))


def _close_tally(
    record: RoundRecord, message: VerifiedMessage, closing: CloseTally, ballots: list[VerifiedMessage]
) -> RoundRecord | Fault:
    """R8, R9: close the judging; everything that the tally claims must follow from the contributions that it names."""
    if fault := _check_named(record, Phase.JUDGING, Kind.BALLOT, ballots, empty=True):
        return fault
    phase = Phase.FAILED if closing.outcome is Outcome.FAILED else Phase.COSIGNING
    counted = replace(record, closings=(*record.closings, message), ballots=(*record.ballots, *ballots))
    return check_tally(counted, closing) or replace(counted, phase=phase)


def _check_named(
    record: RoundRecord, phase: Phase, kind: Kind, contributions: list[VerifiedMessage], *, empty: bool = False
) -> Fault | None:
    """Check that each named contribution is of this kind and counts, and that no author is named twice."""
    if not contributions and empty and record.phase in (Phase.ANSWERING, Phase.OPENING):
        return None
    if record.phase is not phase:
        return Fault(FaultReason.WRONG_PHASE, "R2", f"a closing of {phase} while {record.phase}")
    if any(message.kind is not kind for message in contributions):
        return Fault(FaultReason.WRONG_PHASE, "R2", f"what is no {kind.name} among them")
    authors = [message.author for message in contributions]
    if len(set(authors)) != len(authors):
        return Fault(FaultReason.DUPLICATE, "R3", "two contributions of one author")
    return next((fault for message in contributions if (fault := check_contribution(record, message))), None)


def _list_declines(record: RoundRecord, declines: list[VerifiedMessage], gave: set[Key]) -> RoundRecord | Fault:
    """R15: add declines of this phase, at most one per member and none of members in `gave`, who contribute in it."""
    for message in declines:
        if message.kind is not Kind.DECLINE or message.author in gave:
            return Fault(FaultReason.DUPLICATE, "R15", "a decline beside a contribution, or none at all")
        if fault := check_contribution(record, message):
            return fault
        gave = gave | {message.author}
    return replace(record, declines=(*record.declines, *declines))


def _list_evidence(record: RoundRecord, evidence: list[VerifiedMessage]) -> RoundRecord | Fault:
    """R3: add evidence; from this closing on its subjects are removed."""
    removed = set(record.removed)
    for message in evidence:
        slot = examine(message, record.params.digest)
        if isinstance(slot, Fault):
            return slot
        if slot.author == record.query.author and slot.kind in CLOSINGS:
            return Fault(FaultReason.EQUIVOCATION, "R2", "a closing that lists its own author's equivocation")
        if (
            slot.query != record.id
            or slot.author not in record.seats
            or slot.author in removed
            or (slot.kind not in CONTRIBUTIONS)
        ):
            return Fault(FaultReason.WRONG_EVIDENCE, "R3", "not about a member of this round, or listed already")
        removed.add(slot.author)
    return replace(record, removed=frozenset(removed), evidence=(*record.evidence, *evidence))


def _gather(
    record: RoundRecord, closing: Closing, pool: Mapping[Digest, VerifiedMessage]
) -> Mapping[Digest, VerifiedMessage] | Missing | Fault:
    """Return the messages that the closing names by id, from its riders or else from the pool.

    Only messages that it names may ride along (R13).
    """
    if isinstance(closing, Cancel):
        return {}
    riders = {}
    for envelope in closing.ride_along:
        rider = open_envelope(envelope, record.params.digest)
        if isinstance(rider, Fault):
            return rider
        riders[rider.id] = rider
    lists = _named(closing)
    named = tuple(id for ids in lists for id in ids)
    if len(riders) != len(closing.ride_along) or not riders.keys() <= set(named):
        return Fault(FaultReason.SURPLUS, "R13", "a contribution rides along that the closing does not name")
    if not all(map(ascending, lists)):
        return Fault(FaultReason.UNSORTED, "R2", closing.KIND.name)
    if missing := tuple(id for id in named if id not in riders and id not in pool):
        return Missing(missing)
    return {id: riders[id] if id in riders else pool[id] for id in named}


def _named(closing: PhaseClosing) -> tuple[tuple[Digest, ...], ...]:
    """Return the lists of ids that a closing names."""
    match closing:
        case CloseCommits():
            return (closing.declines,)
        case CloseSlate():
            return (closing.answers, closing.evidence)
        case CloseReports():
            return (closing.reports, closing.declines, closing.evidence)
        case CloseWave() | CloseTally():
            return (closing.ballots, closing.declines, closing.evidence)


def _assign(record: RoundRecord) -> Mapping[Key, Pairs]:
    """R6: assign the pairs of the present wave.

    With one cluster, no eligible pair, or a winner by agreement (R18) there is nothing to judge.
    """
    able = standing(record)
    if len({record.clusters[index] for index in able}) < 2:
        return {}
    if record.findings and rank(record).stop is StopReason.AGREED:
        return {}
    judged: dict[bytes, list[tuple[int, int]]] = {}
    for ballot in bodies(record.ballots, Ballot):
        judged.setdefault(ballot.author, []).extend((each.first, each.second) for each in ballot.judgements)
    pairs = assign_pairs(
        beacon=record.beacon,
        wave=record.wave,
        judges=[key for key, seat in record.seats.items() if Role.JUDGE in seat.roles and key not in record.absent],
        authors=[answer.author for answer in record.answers],
        clusters=record.clusters,
        pairs_per_judge=record.query.waves[record.wave],
        judged=judged,
        duels=uncertain_pairs(record),
        removed=record.removed,
        set_aside=set(range(len(record.answers))) - set(able),
    )
    return {Key(judge): assigned for judge, assigned in pairs.items() if assigned}
