"""Learns from an asker's own rounds, and derives the weights of its next rosters and queries.

Each node has statistics (`reputation`). Rounds whose truth the asker knows are kept; judges, authors and votes are
weighted on them together (`gold_fit`). Members recompute none of this: the signed query carries the result as integers.
It changes in coarse levels and rarely, so that nobody can infer from a change which question was gold.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import FitInput, Ranking, fit_input, standing
from consensus.learning.calibration import calibrate
from consensus.learning.dataset import Dataset, JudgedQuestion, PairwiseJudgement
from consensus.learning.finding_strengths import CheckedQuestion, FindingStrengths, learn_strengths
from consensus.learning.gold_fit import LearningContext, learn
from consensus.learning.reputation import NodeStats, RoundObservation, Scale, after, scale_of, shares_of
from consensus.learning.roster import SeatWeights
from consensus.learning.waves import MODELS
from consensus.ranking import judges
from consensus.ranking.bradley_terry import Posterior, PriorParameters, quantise
from consensus.ranking.certainty import UNCALIBRATED
from consensus.ranking.exact_math import DRAWS
from consensus.ranking.finding_score import FindingFeatures
from consensus.ranking.judges import JudgePrior, invert_counts
from consensus.ranking.settling import contradicts
from protocol.messages import Report
from protocol.types import ONE, CompileStatus, Digest, Key, TaskType

RENEWAL_ROUNDS = 20
"""Rounds between two changes of weights: a jump must not show which question was gold."""

LEVEL = ONE // 8
"""Step of the weights in a roster."""

GOLD_KEPT = 128
"""Gold rounds from which weights are learned, the newest: some 10 KiB each, and one second of work for all."""

STANDINGS_MAX = 4_096
"""Nodes remembered, four times as many as offers are kept. The node that was not met for longest is forgotten."""

JUDGE_MAX = 4 * ONE
"""Weight of the best judge: gold of a few rounds must not let one judge decide."""

BETA_FACTORS = (0.0, 0.5, 1.0, 2.0, 4.0)
BETAS_WITHOUT_VOTES = (0.0, 0.35, 0.7)
TAU_U_CHOICES = (0.2, 0.4, 0.8, 1.2)
"""Choices of gold for β, as factors of the default or absolute where the default is 0, and for τu (log-odds)."""

PRIOR_STEP = 1.0
"""Log-likelihood that each factor of two away from the default must gain."""

BETA_UNIT = 0.2
"""Added to β before factors of two are counted, because 0 has none."""

TRUE_APART = 1.1
"""Log-odds between a right and a wrong answer by which gold measures a judge's character: right in three of four pairs.
"""


@dataclass(frozen=True, slots=True)
class GoldRound:
    """A finished round of ours with known truth. Answers are indices; those that findings set aside are left out."""

    query: Digest
    task: TaskType
    authors: tuple[Key, ...]
    votes: tuple[int, ...]
    """Weights of the answers' votes in this round, 2^-16."""
    clusters: tuple[int, ...]
    right: tuple[bool, ...]
    judgements: tuple[tuple[Key, int, int, int], ...]
    """Judge, first, second, probability that the first is better in 2^-16."""
    p_best: int
    """P(best) of the winner as the tally stated it, 2^-16."""
    correct: bool
    """Whether the winner was right."""
    scores: tuple[float, ...]
    """Log P(best) of the right answers under each of the task's `model_choices`."""
    score: int
    """What findings added to the winner's strength, log-odds in 2^-16."""
    features: tuple[FindingFeatures, ...]
    """What findings said of each answer; empty if nothing was tested."""


@dataclass(frozen=True, slots=True)
class QueryPriors:
    """The weights of members, votes and certainty that a query of one task type carries."""

    merits: Mapping[Key, SeatWeights]
    """Weights of nodes with gold, and of nodes that equivocated; all others are strangers."""
    model: PriorParameters
    calibration: tuple[int, int, int] = UNCALIBRATED
    """Intercept, slope in the log-odds of P(best) and worth of findings of P(correct), 2^-16."""
    strengths: FindingStrengths = field(default_factory=FindingStrengths)
    gold: int = 0
    """Number of gold rounds used."""
    refuted: frozenset[Key] = frozenset()
    """Nodes whose reports were refuted too often: their seats test nothing."""


@dataclass(frozen=True, slots=True)
class RoundUpdate:
    """The observations of other nodes from one finished round of ours."""

    observations: Mapping[Key, RoundObservation]
    """One entry for each member that committed, tested, judged or equivocated; empty if nothing is ranked."""
    gold: GoldRound | None


class Experience:
    """One asker's memory of one specialty."""

    def __init__(
        self,
        standings: Iterable[tuple[Key, NodeStats]] = (),
        gold: Iterable[GoldRound] = (),
        rounds: int = 0,
        priors: Mapping[TaskType, QueryPriors] | None = None,
    ) -> None:
        """Start from earlier state; `standings` and `gold` come oldest first."""
        self._standings = OrderedDict(standings)
        self._gold = deque(gold, GOLD_KEPT)
        self._insights = dict(priors or {})
        self.rounds = rounds
        """Rounds learned from, in total."""

    @property
    def standings(self) -> Mapping[Key, NodeStats]:
        """Statistics of the nodes that were met; the node met last is at the end."""
        return self._standings

    @property
    def gold(self) -> Sequence[GoldRound]:
        """The gold rounds kept, oldest first."""
        return tuple(self._gold)

    @property
    def priors(self) -> Mapping[TaskType, QueryPriors]:
        """The priors in force; empty until weights are renewed for the first time."""
        return self._insights

    @property
    def is_due(self) -> bool:
        """Whether the priors in force are due for renewal."""
        return self.rounds > 0 and self.rounds % RENEWAL_ROUNDS == 0

    def query_priors(self, task: TaskType) -> QueryPriors:
        """Return the priors of the next query of this task."""
        return self._insights.get(task) or QueryPriors({}, MODELS[task])

    def learn(self, update: RoundUpdate) -> None:
        """Add a finished round, fast: the slow part is in `round_update`."""
        if not update.observations:
            return
        for key, observation in update.observations.items():
            stats = self._standings.pop(key, NodeStats())
            self._standings[key] = after(stats, observation, gold=update.gold is not None)
        while len(self._standings) > STANDINGS_MAX:
            self._standings.popitem(last=False)
        if update.gold is not None:
            self._gold.append(update.gold)
        self.rounds += 1

    def renewed(self) -> dict[TaskType, QueryPriors]:
        """Compute the weights to apply from now on. Pure; takes up to one second. Apply the result with `renew`."""
        known = {key: each for key, each in self._standings.items() if each.has_gold or each.equivocations}
        refuted = frozenset(key for key, each in self._standings.items() if each.is_refuted)
        return {
            task: replace(_insight([each for each in self._gold if each.task is task], known, task), refuted=refuted)
            for task in TaskType
        }

    def take_over(self, standings: Iterable[tuple[Key, NodeStats]]) -> list[Key]:
        """Import another node's statistics for nodes unknown here, while there is room. Returns the imported keys."""
        taken = []
        for key, stats in standings:
            if key not in self._standings and len(self._standings) < STANDINGS_MAX:
                self._standings[key] = stats
                self._standings.move_to_end(key, last=False)
                taken.append(key)
        return taken

    def renew(self, priors: Mapping[TaskType, QueryPriors]) -> None:
        """Apply these priors from now on."""
        self._insights = dict(priors)


def round_update(record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool] | None = None) -> RoundUpdate:
    """Compute the observations of a round. `truth`: its answers by id, if it was gold. Pure; some 0.1 s of work."""
    if not ranking.ranked:
        return RoundUpdate({}, None)
    gold = None if truth is None else _gold_round(record, ranking, truth)
    return RoundUpdate(_observations(record, ranking, truth), gold)


def _observations(
    record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool] | None
) -> dict[Key, RoundObservation]:
    given = fit_input(record)
    fitted = judges.posterior(given.items, given.judge_priors, given.judgements, given.model)
    theta = fitted.theta
    if truth is not None:
        theta = TRUE_APART * np.array([truth[record.answers[index].id] for index in standing(record)], dtype=np.float64)
    judge_priors = [_as_it_spoke(judge) for judge in given.judge_priors]
    characters = judges.characters(given.items, judge_priors, given.judgements, theta).tolist()
    judged = {judgement.judge for judgement in given.judgements}
    agreed = dict(_agreements(given, ranking, fitted)) if truth is None else {}
    opened = {Key(answer.author): answer.id for answer in record.answers if answer.author not in record.removed}
    reports = _reports(record)
    observations = {}
    for number, (key, judge) in enumerate(zip(record.seats, given.judge_priors, strict=True)):
        if key not in record.commitments and number not in judged and key not in reports and key not in record.removed:
            continue
        answered = truth is not None and key in opened and truth[opened[key]]
        # Such a member did not open its answer, or findings set it aside: it has nothing that could win.
        lost = key in record.commitments and judge.answer is None
        confirmed, refuted = reports.get(key, (0, 0))
        observations[key] = RoundObservation(
            right=answered if truth is not None and key in record.commitments else None,
            agreed=-1.0 if lost else agreed.get(number),
            character=shares_of(characters[number]) if number in judged else None,
            equivocated=key in record.removed,
            confirmed=confirmed,
            refuted=refuted,
        )
    return observations


def _reports(record: RoundRecord) -> dict[Key, tuple[int, int]]:
    """Return how many findings of each tester what was settled confirms, and how many it refutes.

    Nothing is confirmed or refuted where either of both does not know whether the answer compiles.
    """
    counts: dict[Key, tuple[int, int]] = {}
    for report in bodies([each for each in record.reports if each.author not in record.removed], Report):
        confirmed, refuted = counts.get(Key(report.author), (0, 0))
        for found in report.findings:
            settled = record.found(found.answer)
            if CompileStatus.UNKNOWN in (found.status, settled.status):
                continue
            wrong = contradicts(found, settled)
            confirmed, refuted = confirmed + (not wrong), refuted + wrong
        counts[Key(report.author)] = confirmed, refuted
    return counts


def _as_it_spoke(judge: JudgePrior) -> JudgePrior:
    """Undo the inversion of a judge that the query inverted: its statistics describe the judgements that it gave."""
    return replace(judge, weight=-judge.weight, counts=invert_counts(judge.counts)) if judge.weight < 0 else judge


def _agreements(given: FitInput, ranking: Ranking, fitted: Posterior) -> Iterator[tuple[int, float]]:
    """Yield each judge with an answer and the certainty of the consensus about it.

    The value is negative if another cluster wins without the judge. Nothing is yielded for a consensus without
    certainty.
    """
    sure = 2.0 * ranking.p_best / ONE - 1.0
    if sure <= 0.0:
        return
    without = judges.leaving_out(given.items, given.judge_priors, given.judgements, given.model, fitted)
    for number, (judge, strengths) in enumerate(zip(given.judge_priors, without, strict=True)):
        if judge.answer is not None:
            own = given.items[judge.answer].cluster
            yield number, sure if int(np.argmax(strengths)) == own else -sure


def _gold_round(record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool]) -> GoldRound:
    given = fit_input(record)
    able = standing(record)
    answers = [record.answers[index] for index in able]
    right = tuple(truth[answer.id] for answer in answers)
    seats = list(record.seats)
    winner = next(number for number, answer in enumerate(answers) if answer.id == ranking.winner)
    return GoldRound(
        query=record.id,
        task=record.query.task,
        authors=tuple(answer.author for answer in answers),
        votes=tuple(item.vote_weight for item in given.items),
        clusters=tuple(item.cluster for item in given.items),
        right=right,
        judgements=tuple((seats[each.judge], each.first, each.second, each.preference) for each in given.judgements),
        p_best=ranking.p_best,
        correct=truth[ranking.ranked[0].answer],
        scores=tuple(_log_score(given, right, model) for model in model_choices(record.query.task)),
        score=given.scores[winner],
        features=given.features,
    )


def model_choices(task: TaskType) -> tuple[PriorParameters, ...]:
    """Return the models between which gold decides: the weight of votes, and how far judgements can move a cluster."""
    default = MODELS[task]
    betas = [default.beta * factor for factor in BETA_FACTORS] if default.beta else BETAS_WITHOUT_VOTES
    return tuple(replace(default, beta=beta, tau_u=tau_u) for beta, tau_u in product(betas, TAU_U_CHOICES))


def _log_score(given: FitInput, right: Sequence[bool], model: PriorParameters) -> float:
    """Return the log of the right answers' P(best) under this model, at least that of half a draw."""
    shares = quantise(judges.posterior(given.items, given.judge_priors, given.judgements, model)).p_best
    clusters = {item.cluster for item, true in zip(given.items, right, strict=True) if true}
    return math.log(max(sum(shares[cluster] for cluster in clusters) / ONE, 0.5 / DRAWS))


def _model(task: TaskType, gold: Sequence[GoldRound]) -> PriorParameters:
    """Return the choice with the best log score on gold; each factor of two away from the default costs PRIOR_STEP."""
    default = MODELS[task]

    def score(number: int, model: PriorParameters) -> float:
        votes = math.log2((model.beta + BETA_UNIT) / (default.beta + BETA_UNIT))
        away = abs(votes) + abs(math.log2(model.tau_u / default.tau_u))
        return math.fsum(each.scores[number] for each in gold) - PRIOR_STEP * away

    choices = model_choices(task)
    return choices[max(range(len(choices)), key=lambda number: score(number, choices[number]))]


def _insight(gold: Sequence[GoldRound], known: Mapping[Key, NodeStats], task: TaskType) -> QueryPriors:
    """Derive weights from the statistics of nodes that are no strangers and from the gold rounds of this task."""
    weights = learn_from(gold)
    scale = scale_of(known.values())
    model = _model(task, gold)
    return QueryPriors(
        merits={key: _merit(stats, scale, weights.get(key, (ONE, 0))) for key, stats in known.items()},
        model=model,
        calibration=calibrate([(each.p_best / ONE, each.correct) for each in gold], [each.score for each in gold]),
        strengths=_strengths(gold, weights, model),
        gold=len(gold),
    )


def _strengths(
    gold: Sequence[GoldRound], weights: Mapping[Key, tuple[int, int]], model: PriorParameters
) -> FindingStrengths:
    """Return the strengths of findings that these rounds support, beside the weights that they gave all nodes."""
    place = {key: index for index, key in enumerate(weights)}
    tested = [CheckedQuestion(_question(each, place), each.features) for each in gold if each.features]
    judge_weights, author_weights = ([each[part] for each in weights.values()] for part in (0, 1))
    return learn_strengths(tested, judge_weights, author_weights, model)


def learn_from(gold: Sequence[GoldRound]) -> dict[Key, tuple[int, int]]:
    """Fit the weights of all nodes in these rounds together, as judge and as author; 2^-16."""
    keys = sorted({key for each in gold for key in (*each.authors, *(judge for judge, *_ in each.judgements))})
    if not keys:
        return {}
    place = {key: index for index, key in enumerate(keys)}
    names = tuple(key.hex() for key in keys)
    dataset = Dataset(tuple(_question(each, place) for each in gold), names, names, clustered=True)
    weights = learn(LearningContext(dataset, history=False, prior=None), range(len(gold)), calibrated=False)
    return dict(zip(keys, zip(weights.judges, weights.authors, strict=True), strict=True))


def _question(gold: GoldRound, place: Mapping[Key, int]) -> JudgedQuestion:
    return JudgedQuestion(
        name=gold.query.hex(),
        answers=tuple(str(index) for index in range(len(gold.authors))),
        clusters=gold.clusters,
        authors=tuple(place[author] for author in gold.authors),
        judgements=tuple(PairwiseJudgement(place[judge], *rest) for judge, *rest in gold.judgements),
        truth=dict(enumerate(gold.right)),
        labels={},
        votes=gold.votes,
    )


def _merit(stats: NodeStats, scale: Scale, weights: tuple[int, int]) -> SeatWeights:
    """Return the roster's weights of a node that is no stranger."""
    if stats.equivocations:
        return SeatWeights(0, 0, 0, stats.counts)
    judge, author = weights
    return SeatWeights(
        vote=_level(scale.vote(stats) * ONE),
        judge=_level(max(-JUDGE_MAX, min(JUDGE_MAX, judge))),
        author=_level(author),
        counts=stats.counts,
    )


def _level(weight: float) -> int:
    return round(weight / LEVEL) * LEVEL
