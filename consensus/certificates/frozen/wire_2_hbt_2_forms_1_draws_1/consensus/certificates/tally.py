"""Derives ranking and outcome from a record (rules R8, R9). Requester, members and verifiers call the same function."""

from dataclasses import dataclass
from functools import lru_cache

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking import certainty, judges
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking.bradley_terry import Fit, Item, PriorParameters, quantise
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking.judges import JudgePrior
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.errors import Fault, FaultReason
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.hashing import domain_digest
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.messages import Ballot, CloseTally
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import ABSTAIN, ONE, DeclinedPhase, Digest, Key, Outcome, OutcomeReason, Role, StopReason


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
    standing = _standing(record)
    if not standing:
        return Ranking((), Outcome.FAILED, _why_none(record), StopReason.ABORTED, p_correct=0, calibrated=False)
    names = _names(record, standing)
    clusters = {index: names.index(record.clusters[index]) for index in standing}
    fitted = _fit(fit_input(record))
    order = sorted(
        standing,
        key=lambda index: (
            -fitted.cluster_strengths[clusters[index]],
            -fitted.strengths[standing.index(index)],
            domain_digest(b"strand/tie/1", record.beacon, record.answers[index].author),
        ),
    )
    sizes = [sum(cluster == name for cluster in clusters.values()) for name in range(len(names))]
    ranked = tuple(
        RankedAnswer(
            answer=record.answers[index].id,
            author=record.answers[index].author,
            strength=fitted.strengths[standing.index(index)],
            p_best=fitted.p_best[clusters[index]],
            cluster_size=sizes[clusters[index]],
        )
        for index in order
    )
    runner_up = next((index for index in order if clusters[index] != clusters[order[0]]), None)
    calibration = (record.query.calibration_intercept, record.query.calibration_slope)
    p_correct = certainty.p_correct(ranked[0].p_best, *calibration)
    confident = p_correct >= record.query.confidence_min
    outcome, reason = _outcome(record, len(standing), order[0], runner_up, confident=confident)
    stop = StopReason.UNANIMOUS if runner_up is None else _stop(record, ranked[0].p_best, reason)
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
    standing = _standing(record)
    if not standing or not record.ballots:
        return ()
    names = _names(record, standing)
    return tuple((names[one], names[other]) for one, other in _fit(fit_input(record)).duels)


def _standing(record: RoundRecord) -> list[int]:
    """Return the positions in the slate of answers that can win."""
    return [index for index, answer in enumerate(record.answers) if answer.author not in record.removed]


def _names(record: RoundRecord, standing: list[int]) -> list[int]:
    """Return the record's clusters that can win; the fit numbers them in this order."""
    return sorted({record.clusters[index] for index in standing})


@dataclass(frozen=True, slots=True)
class FitInput:
    """Arguments of the fit, taken from a record."""

    items: tuple[Item, ...]
    """Answers that can win, in the order of the slate."""
    judge_priors: tuple[JudgePrior, ...]
    """One prior for each seat, in the order of the roster."""
    judgements: tuple[judges.JudgedComparison, ...]
    model: PriorParameters


def fit_input(record: RoundRecord) -> FitInput:
    """Return the fit's arguments. The record must hold an answer that can win."""
    standing = _standing(record)
    names = _names(record, standing)
    place = {index: position for position, index in enumerate(standing)}
    items = tuple(
        Item(
            cluster=names.index(record.clusters[index]),
            vote_weight=record.seats[record.answers[index].author].vote_weight,
            author_weight=record.seats[record.answers[index].author].author_weight,
        )
        for index in standing
    )
    written = {record.answers[index].author: place[index] for index in standing}
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
    return FitInput(
        items, judge_priors, judgements, PriorParameters(query.beta / ONE, query.tau_u / ONE, query.tau_v / ONE)
    )


@lru_cache(maxsize=4)
def _fit(of: FitInput) -> Fit:
    """Fit once for equal arguments.

    A requester ranks at least twice before its own closing is checked, and later verifies its certificate. Other roles
    in the process share the record (`closings.extend`) and need no cache.
    """
    return quantise(judges.posterior(of.items, of.judge_priors, of.judgements, of.model))


def _counted(record: RoundRecord) -> list[Ballot]:
    return [ballot for ballot in bodies(record.ballots, Ballot) if ballot.author not in record.removed]


def _outcome(
    record: RoundRecord, openings: int, best: int, runner_up: int | None, *, confident: bool
) -> tuple[Outcome, OutcomeReason]:
    """R9: return outcome and reason."""
    if not any(seat.vote_weight for seat in record.seats.values()):
        return Outcome.DEGRADED, OutcomeReason.NO_WEIGHT
    if openings < record.params.answers_min:
        return Outcome.DEGRADED, OutcomeReason.TOO_FEW_ANSWERS
    if runner_up is not None:
        for index in (best, runner_up):
            if _weighted_judges(record, index) < record.params.judges_min:
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


def _stop(record: RoundRecord, p_best: int, reason: OutcomeReason) -> StopReason:
    """R8: return the first reason that holds, so that every recount finds the same.

    While another wave can help, `certain` needs at least one counted ballot, enough judges and the confidence that was
    asked for.
    """
    if _counted(record) and p_best >= record.query.threshold and reason not in _ASKED_ON:
        return StopReason.CERTAIN
    last_wave = record.wave + 1 == len(record.query.waves)
    return StopReason.SPENT if _all_in(record) and (last_wave or not record.assignment) else StopReason.BUDGET


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
