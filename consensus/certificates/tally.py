"""Derives ranking and outcome from a record (rules R8, R9). Requester, members and verifiers call the same function."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from consensus.certificates.record import RoundRecord, bodies
from consensus.ranking import certainty, judges
from consensus.ranking.behaviour import agreement
from consensus.ranking.bradley_terry import STRENGTH_ONE, Fit, Item, PriorParameters, quantise
from consensus.ranking.finding_score import FindingFeatures, features_of, score_of
from consensus.ranking.futility import decisiveness_of, expected_gain, information_of
from consensus.ranking.judges import HONEST, JudgePrior
from consensus.ranking.settling import SettledFindings
from protocol.errors import Fault, FaultReason
from protocol.hashing import domain_digest
from protocol.limits import WEIGHT_MAX
from protocol.messages import Ballot, CloseTally
from protocol.types import (
    ABSTAIN,
    ONE,
    CompileStatus,
    DeclinedPhase,
    Digest,
    Key,
    Outcome,
    OutcomeReason,
    Role,
    StopReason,
)


@dataclass(frozen=True, slots=True)
class RankedAnswer:
    """One answer's place in the ranking."""

    answer: Digest
    author: Key
    strength: int
    """Bradley-Terry log-parameter, 10^-6."""
    p_best: int
    """Probability that its cluster is the best one, 2^-16."""
    cluster_size: int
    interval: tuple[int, int]
    """Bounds within which INTERVAL of the strength's posterior lies, 10^-6. For people: no tally states it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The result that follows from the counted answers and ballots."""

    ranked: tuple[RankedAnswer, ...]
    """Best first: by strength of the cluster, then of the answer, then by the beacon."""
    outcome: Outcome
    reason: OutcomeReason
    stop: StopReason
    p_correct: int
    """Probability that the winner is correct, 2^-16 (`certainty`); 0 without a winner."""
    calibrated: bool
    """Whether `p_correct` is calibrated on the requester's gold; otherwise it equals `p_best`."""

    @property
    def winner(self) -> bytes:
        """The winning answer's id; empty without a winner."""
        return self.ranked[0].answer if self.ranked else b""

    @property
    def p_best(self) -> int:
        """The winner's P(best), 2^-16; 0 without a winner."""
        return self.ranked[0].p_best if self.ranked else 0

    @property
    def digest(self) -> bytes:
        """BLAKE2b-256 over order, strengths and probabilities; empty if nothing is ranked."""
        if not self.ranked:
            return b""
        rows = [
            each.answer + each.strength.to_bytes(8, "big", signed=True) + each.p_best.to_bytes(4, "big")
            for each in self.ranked
        ]
        return domain_digest(b"strand/ranking/1", *rows)


def rank(record: RoundRecord) -> Ranking:
    """Rank the slate by the counted ballots. Deterministic to the bit (consensus/README.md)."""
    able = standing(record)
    if not able:
        return Ranking((), Outcome.FAILED, _why_none(record), StopReason.ABORTED, p_correct=0, calibrated=False)
    names = _names(record, able)
    clusters = {index: names.index(record.clusters[index]) for index in able}
    given = fit_input(record)
    fitted = _fit(given)
    order = sorted(
        able,
        key=lambda index: (
            -fitted.cluster_strengths[clusters[index]],
            -fitted.strengths[able.index(index)],
            domain_digest(b"strand/tie/1", record.beacon, record.answers[index].author),
        ),
    )
    sizes = [sum(cluster == name for cluster in clusters.values()) for name in range(len(names))]
    ranked = tuple(
        RankedAnswer(
            answer=record.answers[index].id,
            author=record.answers[index].author,
            strength=fitted.strengths[able.index(index)],
            p_best=fitted.p_best[clusters[index]],
            cluster_size=sizes[clusters[index]],
            interval=fitted.intervals[able.index(index)],
        )
        for index in order
    )
    runner_up = next((index for index in order if clusters[index] != clusters[order[0]]), None)
    query = record.query
    calibration = (query.calibration_intercept, query.calibration_slope, query.calibration_findings)
    p_correct = certainty.p_correct(ranked[0].p_best, calibration, given.scores[able.index(order[0])])
    confident = p_correct >= query.confidence_min
    agreed = confident and _is_agreed(record, [index for index in able if clusters[index] == clusters[order[0]]])
    compared = () if agreed or runner_up is None else (order[0], runner_up)
    outcome, reason = _outcome(record, compared, confident=confident)
    if runner_up is None:
        stop = StopReason.UNANIMOUS
    elif agreed:
        stop = StopReason.AGREED
    else:
        stop = _stop(record, given, fitted, ranked[0].p_best, clusters[order[0]], reason)
    return Ranking(ranked, outcome, reason, stop, p_correct, calibration != certainty.UNCALIBRATED)


def _why_none(record: RoundRecord) -> OutcomeReason:
    """Return the reason why the round has no answer."""
    if record.commitments:
        return OutcomeReason.NO_ANSWERS
    asked = {key for key, seat in record.seats.items() if Role.ANSWER in seat.roles}
    all_declined = asked and asked <= record.declined(DeclinedPhase.ANSWERING)
    return OutcomeReason.DECLINED if all_declined else OutcomeReason.NO_COMMITMENTS


def uncertain_pairs(record: RoundRecord) -> tuple[tuple[int, int], ...]:
    """Return pairs of clusters that the next wave should compare; a pair that needs it more occurs more often.

    Empty before the first ballot.
    """
    able = standing(record)
    if not able or not record.ballots:
        return ()
    names = _names(record, able)
    return tuple((names[one], names[other]) for one, other in _fit(fit_input(record)).duels)


def standing(record: RoundRecord) -> list[int]:
    """Return the positions in the slate of answers that can win.

    Those that surely do not compile are set aside, unless none compiles; then those that fail a test of the asker's,
    unless all of them do (R18).
    """
    able = _opened(record)
    able = [index for index in able if record.found(index).status is not CompileStatus.FAILS] or able
    return [index for index in able if not record.found(index).tests[1]] or able


def _opened(record: RoundRecord) -> list[int]:
    """Return the positions in the slate of answers whose author is not removed."""
    return [index for index, answer in enumerate(record.answers) if answer.author not in record.removed]


def _names(record: RoundRecord, able: Sequence[int]) -> list[int]:
    """Return the record's clusters that can win; the fit numbers them in this order."""
    return sorted({record.clusters[index] for index in able})


def _finding_features(record: RoundRecord, able: Sequence[int]) -> tuple[FindingFeatures, ...]:
    """R18: return what findings say of each answer that can win, in the order of the slate; empty: none is tested."""
    if not record.findings:
        return ()
    members: dict[int, list[tuple[int, int, SettledFindings]]] = {}
    for index in able:
        told = (record.texts[index], record.votes_of(index), record.found(index))
        members.setdefault(record.clusters[index], []).append(told)
    agreeing = {name: agreement(each) for name, each in members.items()}
    return tuple(features_of(record.found(index), agreeing[record.clusters[index]]) for index in able)


def _is_agreed(record: RoundRecord, winners: Sequence[int]) -> bool:
    """R18: whether the winning cluster's behaviour alone decides the round.

    Enough of the vote weight of all answers, by as many authors with weight as R9 asks for and in two texts at least,
    must behave alike.
    """
    share = record.query.findings.agreed_share
    alike = [index for index in winners if record.found(index).behaviour]
    if not share or sum(record.votes_of(index) > 0 for index in alike) < record.params.answers_min:
        return False
    if len({record.texts[index] for index in alike}) < 2:
        return False
    total = sum(record.votes_of(index) for index in _opened(record))
    return sum(record.votes_of(index) for index in alike) * ONE >= share * total


@dataclass(frozen=True, slots=True)
class FitInput:
    """Arguments of the fit, taken from a record."""

    items: tuple[Item, ...]
    """Answers that can win, in the order of the slate."""
    judge_priors: tuple[JudgePrior, ...]
    """One prior for each seat, in the order of the roster."""
    judgements: tuple[judges.JudgedComparison, ...]
    model: PriorParameters
    features: tuple[FindingFeatures, ...]
    """What findings say of each item (R18); empty: none is tested."""
    scores: tuple[int, ...]
    """What findings add to the strength of each item, log-odds in 2^-16; it is part of the item's author weight."""


def fit_input(record: RoundRecord) -> FitInput:
    """Return the fit's arguments. The record must hold an answer that can win."""
    able = standing(record)
    names = _names(record, able)
    place = {index: position for position, index in enumerate(able)}
    features = _finding_features(record, able)
    scores = tuple(score_of(record.query.findings, each) for each in features) or (0,) * len(able)
    items = tuple(
        Item(
            cluster=names.index(record.clusters[index]),
            vote_weight=record.votes_of(index),
            author_weight=_bounded(record.seats[record.answers[index].author].author_weight + score),
        )
        for index, score in zip(able, scores, strict=True)
    )
    written = {record.answers[index].author: place[index] for index in able}
    number = {key: position for position, key in enumerate(record.seats)}
    judge_priors = tuple(
        JudgePrior(seat.judge_weight, written.get(seat.member), (seat.honest, seat.inverse, seat.coin, seat.partisan))
        for seat in record.seats.values()
    )
    judgements = tuple(
        judges.JudgedComparison(number[ballot.author], place[each.first], place[each.second], each.preference)
        for ballot in _counted(record)
        for each in ballot.judgements
        if each.preference != ABSTAIN and each.first in place and each.second in place
    )
    query = record.query
    model = PriorParameters(query.beta / ONE, query.tau_u / ONE, query.tau_v / ONE)
    return FitInput(items, judge_priors, judgements, model, features, scores)


def _bounded(weight: int) -> int:
    return max(-WEIGHT_MAX, min(weight, WEIGHT_MAX))


@lru_cache(maxsize=4)
def _fit(of: FitInput) -> Fit:
    """Fit once for equal arguments.

    A requester ranks at least twice before its own closing is checked, and later verifies its certificate. Other roles
    in the process share the record (`closings.extend`) and need no cache.
    """
    return quantise(judges.posterior(of.items, of.judge_priors, of.judgements, of.model))


def _counted(record: RoundRecord) -> list[Ballot]:
    return [ballot for ballot in bodies(record.ballots, Ballot) if ballot.author not in record.removed]


def _outcome(record: RoundRecord, compared: Sequence[int], *, confident: bool) -> tuple[Outcome, OutcomeReason]:
    """R9: return outcome and reason. `compared`: the answers that judges must have compared."""
    if not any(seat.vote_weight for seat in record.seats.values()):
        return Outcome.DEGRADED, OutcomeReason.NO_WEIGHT
    if len(_opened(record)) < record.params.answers_min:
        return Outcome.DEGRADED, OutcomeReason.TOO_FEW_ANSWERS
    if any(_weighted_judges(record, index) < record.params.judges_min for index in compared):
        return Outcome.DEGRADED, OutcomeReason.TOO_FEW_JUDGES
    if not confident:
        return Outcome.DEGRADED, OutcomeReason.LOW_CONFIDENCE
    return Outcome.DECIDED, OutcomeReason.NONE


def _weighted_judges(record: RoundRecord, index: int) -> int:
    """Count the judges with weight that compared the answer with any other."""
    return len(
        {
            ballot.author
            for ballot in _counted(record)
            if record.seats[ballot.author].judge_weight
            and any(index in (each.first, each.second) and each.preference != ABSTAIN for each in ballot.judgements)
        }
    )


_ASKED_ON = (OutcomeReason.TOO_FEW_JUDGES, OutcomeReason.LOW_CONFIDENCE)
"""Reasons that more ballots may remove."""


def _stop(
    record: RoundRecord, given: FitInput, fitted: Fit, p_best: int, leader: int, reason: OutcomeReason
) -> StopReason:
    """R8: return the first reason that holds, so that every recount finds the same.

    While another wave can help, `certain` needs at least one counted ballot, enough judges and the confidence that was
    asked for. `leader`: the winning cluster, as the fit numbers it.
    """
    if _counted(record) and p_best >= record.query.threshold and reason not in _ASKED_ON:
        return StopReason.CERTAIN
    if not _all_in(record):
        return StopReason.BUDGET
    if record.wave + 1 == len(record.query.waves) or not record.assignment:
        return StopReason.SPENT
    enough_judges = reason is not OutcomeReason.TOO_FEW_JUDGES
    if record.query.futility and enough_judges and _gain(record, given, fitted, leader) < record.query.futility:
        return StopReason.FUTILE
    return StopReason.BUDGET


def _gain(record: RoundRecord, given: FitInput, fitted: Fit, leader: int) -> int:
    """R19: return what the next wave is expected to gain, log-odds in 2^-16.

    It will be judged by those that judged this one, each with its weight and its share of honesty.
    """
    theta = np.array(fitted.strengths) / STRENGTH_ONE
    honest = judges.characters(given.items, given.judge_priors, given.judgements, theta)[:, HONEST].tolist()
    worth = [abs(prior.weight) * share // ONE for prior, share in zip(given.judge_priors, honest, strict=True)]
    number = {key: position for position, key in enumerate(record.seats)}
    here = [ballot for ballot in _counted(record) if ballot.wave == record.wave]
    information = information_of([worth[number[ballot.author]] for ballot in here], record.query.waves[record.wave + 1])
    decisiveness = decisiveness_of([(worth[each.judge], each.preference) for each in given.judgements])
    return expected_gain(fitted, leader, information, decisiveness)


def _all_in(record: RoundRecord) -> bool:
    """Whether every judge's ballot of the present wave is counted, except from judges who declined or were removed."""
    judged = {ballot.author for ballot in bodies(record.ballots, Ballot) if ballot.wave == record.wave}
    declined = record.declined(DeclinedPhase.JUDGING, record.wave)
    return judged | declined | record.removed >= record.assignment.keys()


def check_tally(record: RoundRecord, claimed: CloseTally) -> Fault | None:
    """Check that a tally states what `rank` finds in the record that it closes (else WRONG_TALLY)."""
    ranking = rank(record)
    if ranking.stop is StopReason.BUDGET and _all_in(record):
        return Fault(FaultReason.WRONG_TALLY, "R8", "the plan has another wave and no ballot of this one is missing")
    found = (ranking.outcome, ranking.reason, ranking.stop, ranking.winner, ranking.p_best, ranking.digest)
    said = (claimed.outcome, claimed.reason, claimed.stop, claimed.winner, claimed.p_best, claimed.ranking_digest)
    if found == said:
        return None
    return Fault(FaultReason.WRONG_TALLY, "R8", f"recount finds {ranking.outcome}, {ranking.reason}, {ranking.stop}")
