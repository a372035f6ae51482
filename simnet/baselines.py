"""The picks of other ways to choose, given the same counted contributions of one round.

An answer to a final task is right or wrong by itself. An open answer is right if it is among the best three that the
honest nodes of the shard would give to this question, whether or not they took part.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import Ranking
from consensus.ranking.bradley_terry import Item, PriorParameters, mode, prior_of
from protocol.messages import Answer, Ballot
from protocol.types import ABSTAIN, ONE, CompileStatus, Key, TaskType
from simnet.chance import chance
from simnet.oracle import Candidate
from simnet.plan import Plan, PlannedQuery
from simnet.results import Verdicts

FloatArray = npt.NDArray[np.float64]

OPEN_RIGHT_RANK = 3
"""An open answer is right if it is at least as good as the honest one of this rank; the better ones differ little."""

STEPS_MAX = 100
"""Steps of the fit without a prior, which does not converge if an answer is undefeated. The published client takes
1,000: ten times the time, for an accuracy that is the same within .003."""

TOLERANCE = 1e-6
"""Largest change of a strength that ends the fit: the published client's."""


def verdicts_of(plan: Plan, asking: PlannedQuery, record: RoundRecord, ranking: Ranking) -> Verdicts:
    """Return whether each way to choose was right in this round."""
    own = _honest_answers(plan, asking)
    least = _least_quality(asking, own.values())
    right = right_answers(plan, asking, [answer.content.text for answer in bodies(record.answers, Answer)])
    if not right:
        return nothing_counted(plan, asking)
    place = {answer.id: index for index, answer in enumerate(record.answers)}
    wins = _wins(record, bodies(record.ballots, Ballot))
    learns = bool(plan.scenario.reputation.gold)
    return Verdicts(
        swarm=bool(ranking.ranked) and right[place[ranking.ranked[0].answer]],
        majority=right[_majority(plan, asking, record)],
        plain_bradley_terry=right[int(np.argmax(plain_bradley_terry(wins)))],
        best_single=_best_single(plan, own, least),
        oracle=any(right),
        behaviour_majority=right[_behaviour_majority(plan, asking, record)] if asks_findings(plan) else None,
        win_rate=right[int(np.argmax(_win_rates(wins)))] if learns else None,
        weighted_majority=right[_weighted_majority(record)] if learns else None,
        rankings=right[int(np.argmin(_mean_places(record)))] if plan.scenario.pairing == "client" else None,
    )


def right_answers(plan: Plan, asking: PlannedQuery, texts: Iterable[str]) -> list[bool]:
    """Return whether each text is a right answer to the question."""
    least = _least_quality(asking, _honest_answers(plan, asking).values())
    return [_is_right(plan.oracle.candidate(asking.question, text), least) for text in texts]


def is_consensual(plan: Plan, asking: PlannedQuery, record: RoundRecord, ranking: Ranking) -> bool | None:
    """Whether the winner's cluster is the honest members' choice from comparisons of all pairs.

    All weigh the same, and the prior is the query's, which hardly counts against so many judgements. None without
    answers.
    """
    if not ranking.ranked:
        return None
    answers = bodies(record.answers, Answer)
    authors = [plan.number_of[answer.author] for answer in answers]
    candidates = [plan.oracle.candidate(asking.question, answer.content.text) for answer in answers]
    if any(candidate is None for candidate in candidates):
        return None
    judges = [plan.number_of[key] for key in record.seats if plan.number_of[key] in plan.honest]
    wins = plan.oracle.poll(asking.question, judges, [each for each in candidates if each is not None], authors)
    query = record.query
    model = PriorParameters(query.beta / ONE, query.tau_u / ONE, query.tau_v / ONE)
    prior = prior_of([Item(cluster) for cluster in record.clusters], model)
    best = int(np.argmax(mode(prior, wins.T).cluster_strengths()))
    winner = next(place for place, answer in enumerate(record.answers) if answer.id == ranking.winner)
    return record.clusters[winner] == best


def nothing_counted(plan: Plan, asking: PlannedQuery, told: str = "") -> Verdicts:
    """Return the verdicts of a round without a certificate; `told` is the answer that its user got anyway."""
    own = _honest_answers(plan, asking)
    least = _least_quality(asking, own.values())
    swarm = bool(told) and _is_right(plan.oracle.candidate(asking.question, told), least)
    behaviour = False if asks_findings(plan) else None
    rankings = False if plan.scenario.pairing == "client" else None
    best_single = _best_single(plan, own, least)
    return Verdicts(swarm, False, False, best_single, oracle=False, behaviour_majority=behaviour, rankings=rankings)


def asks_findings(plan: Plan) -> bool:
    """Whether the rounds of this world have a testing phase."""
    return plan.oracle.preset.task is TaskType.CODE and bool(plan.kinds)


def _honest_answers(plan: Plan, asking: PlannedQuery) -> dict[int, Candidate]:
    """Return the answers that the shard's honest nodes would give, by node."""
    honest = plan.honest
    return {node: plan.oracle.answer(asking.question, node) for node in plan.shards[asking.shard] if node in honest}


def _best_single(plan: Plan, own: Mapping[int, Candidate], least_quality: float | None) -> bool:
    return bool(own) and _is_right(own[max(own, key=plan.oracle.skill)], least_quality)


def _least_quality(asking: PlannedQuery, honest: Iterable[Candidate]) -> float | None:
    """Return the least quality of a right open answer; None for other tasks."""
    if asking.question.task is not TaskType.OPEN:
        return None
    qualities = sorted((candidate.quality for candidate in honest), reverse=True)
    return qualities[min(OPEN_RIGHT_RANK, len(qualities)) - 1] if qualities else math.inf


def _is_right(candidate: Candidate | None, least_quality: float | None) -> bool:
    if candidate is None:
        return False
    return candidate.right if least_quality is None else candidate.quality >= least_quality


def _majority(plan: Plan, asking: PlannedQuery, record: RoundRecord) -> int:
    """Return an answer of the largest cluster of equal text, ignoring its authors' weights; ties by lot."""
    return _of_largest(plan, asking, dict(enumerate(record.texts)))


def _behaviour_majority(plan: Plan, asking: PlannedQuery, record: RoundRecord) -> int:
    """Return an answer of the largest cluster of equal behaviour among those that compile, or else among all."""
    compiles = {place for place, found in enumerate(record.findings) if found.status is CompileStatus.COMPILES}
    able = {place: name for place, name in enumerate(record.clusters) if not compiles or place in compiles}
    return _of_largest(plan, asking, able)


def _of_largest(plan: Plan, asking: PlannedQuery, clusters: Mapping[int, int]) -> int:
    """Return the first answer of the largest cluster; `clusters` by the answers' positions."""
    sizes = Counter(clusters.values())
    largest = max(sizes.values())
    tied = sorted(cluster for cluster, size in sizes.items() if size == largest)
    chosen = chance(plan.scenario.seed, "majority", asking.number).choice(tied)
    return next(place for place, cluster in clusters.items() if cluster == chosen)


def _weighted_majority(record: RoundRecord) -> int:
    """Return an answer of the cluster whose authors' votes weigh most; ties to the first on the slate, as by lot."""
    votes: Counter[int] = Counter()
    for cluster, answer in zip(record.clusters, record.answers, strict=True):
        votes[cluster] += record.seats[answer.author].vote_weight
    return record.clusters.index(max(sorted(votes), key=votes.__getitem__))


def _win_rates(wins: FloatArray) -> FloatArray:
    """Shape (answers,): share of comparisons won, one half without any."""
    games = wins.sum(axis=0) + wins.sum(axis=1)
    return np.where(games > 0.0, wins.sum(axis=1) / np.maximum(games, 1.0), 0.5)


def _mean_places(record: RoundRecord) -> FloatArray:
    """Shape (answers,): mean place, 0 is the best, in rankings that each judge made from its own judgements alone.

    Equal strengths share their places. Bradley and Terry's fit of complete rankings has the same order.
    """
    ballots: dict[Key, list[Ballot]] = {}
    for ballot in bodies(record.ballots, Ballot):
        ballots.setdefault(ballot.author, []).append(ballot)
    places = np.zeros(len(record.answers))
    for own in ballots.values():
        strengths = plain_bradley_terry(_wins(record, own))
        above, level = strengths > strengths[:, None], strengths == strengths[:, None]
        places += above.sum(axis=1) + (level.sum(axis=1) - 1) / 2
    return places / max(1, len(ballots))


def _wins(record: RoundRecord, ballots: Iterable[Ballot]) -> FloatArray:
    """Shape (answers, answers): how often the row's answer was preferred to the column's; a tie is half a win each."""
    wins = np.zeros((len(record.answers), len(record.answers)))
    for ballot in ballots:
        for judgement in ballot.judgements:
            if judgement.preference == ABSTAIN:
                continue
            # As in the published client, the verdict is A, B or U, without the judge's certainty.
            won = 0.5 if 2 * judgement.preference == ONE else float(2 * judgement.preference > ONE)
            wins[judgement.first, judgement.second] += won
            wins[judgement.second, judgement.first] += 1.0 - won
    return wins


def plain_bradley_terry(wins: FloatArray) -> FloatArray:
    """Return shares of strength by minorisation-maximisation (Hunter 2004), without prior, clusters or weights.

    This is the published client's fit, on the judgements of all judges together. An answer that never won, or was never
    compared, has the strength 0.

    Args:
        wins: shape (answers, answers), row over column.

    Returns:
        Shape (answers,); the sum is 1 unless nothing was compared.
    """
    games = wins + wins.T
    won = wins.sum(axis=1)
    strengths = np.full(len(wins), 1.0 / len(wins))
    shares, faced = np.empty_like(games), np.empty_like(won)
    # Strengths may go down to 0 on both sides of a pair: the pair then carries no information, and 0 / 0 must not
    # spread.
    tiny = np.finfo(np.float64).tiny
    for _ in range(STEPS_MAX):
        np.add(strengths[:, None], strengths, out=shares)
        np.maximum(shares, tiny, out=shares)
        np.divide(games, shares, out=shares)
        np.add.reduce(shares, axis=1, out=faced)
        np.maximum(faced, tiny, out=faced)
        moved = won / faced
        moved /= max(float(np.add.reduce(moved)), tiny)
        apart = float(np.maximum.reduce(np.abs(moved - strengths)))
        strengths = moved
        if apart < TOLERANCE:
            break
    return strengths
