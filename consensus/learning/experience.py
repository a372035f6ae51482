"""What an asker learns from its own rounds, and what its next rosters and queries say of it.

Each node has a standing (`reputation`). Rounds whose truth the asker knows are kept; judges, authors and votes are
weighed on them together (`learning`). Members recompute none of this: what comes of it stands in the signed query as
integers. It changes in coarse levels and rarely, so that nobody reads off a change which question was gold.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import FitInput, Ranking, fit_input
from consensus.learning.dataset import Dataset, JudgedQuestion, PairwiseJudgement
from consensus.learning.gold_fit import LearningContext, calibrate, learn
from consensus.learning.reputation import NodeStats, RoundObservation, Scale, after, scale_of, shares_of
from consensus.learning.roster import SeatWeights
from consensus.learning.waves import MODELS
from consensus.ranking import judges
from consensus.ranking.bradley_terry import Posterior, PriorParameters, quantise
from consensus.ranking.certainty import UNCALIBRATED
from consensus.ranking.exact_math import DRAWS
from consensus.ranking.judges import JudgePrior, invert_counts
from protocol.types import ONE, Digest, Key, TaskType

RENEWAL_ROUNDS = 20
"""rounds between two changes of weights: a jump must not show which question was gold."""

LEVEL = ONE // 8
"""Step of the weights in a roster."""

GOLD_KEPT = 128
"""gold rounds from which weights are learned, the newest: some 10 KiB each, and a second's work for all."""

STANDINGS_MAX = 4_096
"""nodes remembered, four times as many as offers are kept; who was not met for longest is forgotten."""

JUDGE_MAX = 4 * ONE
"""Weight of the best judge: gold of a few rounds may not let one judge decide."""

BETA_FACTORS = (0.0, 0.5, 1.0, 2.0, 4.0)
BETAS_WITHOUT_VOTES = (0.0, 0.35, 0.7)
TAU_U_CHOICES = (0.2, 0.4, 0.8, 1.2)
"""What gold may choose for β, as factors of the default or where that is 0, and for τu (log-odds)."""

PRIOR_STEP = 1.0
"""Log-likelihood that a factor of two away from the default must bring."""

BETA_UNIT = 0.2
"""β against which factors of two are counted, for 0 has none."""

TRUE_APART = 1.1
"""Log-odds between a right and a wrong answer by which gold tells a judge's character: right in three of four pairs."""


@dataclass(frozen=True, slots=True)
class GoldRound:
    """A finished round of ours whose truth we know. Answers are indices."""

    query: Digest
    task: TaskType
    authors: tuple[Key, ...]
    votes: tuple[int, ...]
    """Weights of the answers' votes in this round, 2^-16."""
    clusters: tuple[int, ...]
    right: tuple[bool, ...]
    judgements: tuple[tuple[Key, int, int, int], ...]
    """Judge, first, second, preference of the first in 2^-16."""
    p_best: int
    """What the tally claimed of its winner, 2^-16."""
    correct: bool
    """Whether the winner was right."""
    scores: tuple[float, ...]
    """Log P(best) of a right answer under each of MODEL_CHOICES of the task."""


@dataclass(frozen=True, slots=True)
class QueryPriors:
    """What a query of one task type says of its members, of votes and of certainty."""

    merits: Mapping[Key, SeatWeights]
    """Of nodes with gold, and of those that contradicted themselves; others are strangers."""
    model: PriorParameters
    calibration: tuple[int, int] = UNCALIBRATED
    """Intercept and slope of P(correct) in the log-odds of P(best), 2^-16."""
    gold: int = 0
    """Gold rounds behind it."""


@dataclass(frozen=True, slots=True)
class RoundUpdate:
    """What one finished round of ours says of others."""

    conducts: Mapping[Key, RoundObservation]
    """Of each member that committed, judged, or contradicted itself; of nobody where nothing is ranked."""
    gold: GoldRound | None


class Experience:
    """One asker's memory of one specialty."""

    def __init__(
        self,
        standings: Iterable[tuple[Key, NodeStats]] = (),
        gold: Iterable[GoldRound] = (),
        rounds: int = 0,
        insights: Mapping[TaskType, QueryPriors] | None = None,
    ) -> None:
        """What was known before; `standings` and `gold` come oldest first."""
        self._standings = OrderedDict(standings)
        self._gold = deque(gold, GOLD_KEPT)
        self._insights = dict(insights or {})
        self.rounds = rounds
        """Rounds learned from, ever."""

    @property
    def standings(self) -> Mapping[Key, NodeStats]:
        """Who was met, who was met last at the end."""
        return self._standings

    @property
    def gold(self) -> Sequence[GoldRound]:
        """The gold rounds kept, oldest first."""
        return tuple(self._gold)

    @property
    def insights(self) -> Mapping[TaskType, QueryPriors]:
        """What is in force; empty until weights were renewed for the first time."""
        return self._insights

    @property
    def is_due(self) -> bool:
        """Whether it is time to renew what is in force."""
        return self.rounds > 0 and self.rounds % RENEWAL_ROUNDS == 0

    def insight(self, task: TaskType) -> QueryPriors:
        """What the next query of this task says."""
        return self._insights.get(task) or QueryPriors({}, MODELS[task])

    def learn(self, lesson: RoundUpdate) -> None:
        """Take in a finished round, at once: what takes time is in `lesson_of`."""
        if not lesson.conducts:
            return
        for key, conduct in lesson.conducts.items():
            standing = self._standings.pop(key, NodeStats())
            self._standings[key] = after(standing, conduct, gold=lesson.gold is not None)
        while len(self._standings) > STANDINGS_MAX:
            self._standings.popitem(last=False)
        if lesson.gold is not None:
            self._gold.append(lesson.gold)
        self.rounds += 1

    def renewed(self) -> dict[TaskType, QueryPriors]:
        """What should be in force now: it may take a second, and changes nothing here (`renew` does)."""
        known = {key: each for key, each in self._standings.items() if each.has_gold or each.equivocations}
        return {task: _insight([each for each in self._gold if each.task is task], known, task) for task in TaskType}

    def take_over(self, standings: Iterable[tuple[Key, NodeStats]]) -> list[Key]:
        """Somebody else's standings, of nodes that we do not know ourselves and while there is room; returns whose."""
        taken = []
        for key, standing in standings:
            if key not in self._standings and len(self._standings) < STANDINGS_MAX:
                self._standings[key] = standing
                self._standings.move_to_end(key, last=False)
                taken.append(key)
        return taken

    def renew(self, insights: Mapping[TaskType, QueryPriors]) -> None:
        """From now on these are in force."""
        self._insights = dict(insights)


def lesson_of(record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool] | None = None) -> RoundUpdate:
    """What a round teaches: `truth` of its answers by id, if it was gold. Some 0.1 s of work, and nothing changes."""
    if not ranking.ranked:
        return RoundUpdate({}, None)
    gold = None if truth is None else _gold_round(record, ranking, truth)
    return RoundUpdate(_conducts(record, ranking, truth), gold)


def _conducts(
    record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool] | None
) -> dict[Key, RoundObservation]:
    given = fit_input(record)
    fitted = judges.posterior(given.items, given.bench, given.judgements, given.model)
    standing = [answer for answer in record.answers if answer.author not in record.removed]
    right = None if truth is None else [truth[answer.id] for answer in standing]
    theta = fitted.theta if right is None else TRUE_APART * np.array(right, dtype=np.float64)
    bench = [_as_it_spoke(judge) for judge in given.bench]
    characters = judges.characters(given.items, bench, given.judgements, theta).tolist()
    judged = {judgement.judge for judgement in given.judgements}
    agreed = dict(_agreements(given, ranking, fitted)) if right is None else {}
    conducts = {}
    for number, (key, judge) in enumerate(zip(record.seats, given.bench, strict=True)):
        answered = right is not None and judge.answer is not None and right[judge.answer]
        broken = key in record.commitments and judge.answer is None
        if key not in record.commitments and number not in judged and key not in record.removed:
            continue
        conducts[key] = RoundObservation(
            right=answered if right is not None and key in record.commitments else None,
            agreed=-1.0 if broken else agreed.get(number),
            character=shares_of(characters[number]) if number in judged else None,
            equivocated=key in record.removed,
        )
    return conducts


def _as_it_spoke(judge: JudgePrior) -> JudgePrior:
    """A judge whom our query turned round, as before: its standing tells of what it said."""
    return replace(judge, weight=-judge.weight, counts=invert_counts(judge.counts)) if judge.weight < 0 else judge


def _agreements(given: FitInput, ranking: Ranking, fitted: Posterior) -> Iterator[tuple[int, float]]:
    """Per judge with an answer: how sure the consensus is, negative if without it another cluster wins; none if the
    consensus is not sure at all."""
    sure = 2.0 * ranking.p_best / ONE - 1.0
    if sure <= 0.0:
        return
    without = judges.leaving_out(given.items, given.bench, given.judgements, given.model, fitted)
    for number, (judge, strengths) in enumerate(zip(given.bench, without, strict=True)):
        if judge.answer is not None:
            own = given.items[judge.answer].cluster
            yield number, sure if int(np.argmax(strengths)) == own else -sure


def _gold_round(record: RoundRecord, ranking: Ranking, truth: Mapping[Digest, bool]) -> GoldRound:
    given = fit_input(record)
    standing = [answer for answer in record.answers if answer.author not in record.removed]
    right = tuple(truth[answer.id] for answer in standing)
    seats = list(record.seats)
    return GoldRound(
        query=record.id,
        task=record.query.task,
        authors=tuple(answer.author for answer in standing),
        votes=tuple(item.vote_weight for item in given.items),
        clusters=tuple(item.cluster for item in given.items),
        right=right,
        judgements=tuple((seats[each.judge], each.first, each.second, each.preference) for each in given.judgements),
        p_best=ranking.p_best,
        correct=truth[ranking.ranked[0].answer],
        scores=tuple(_log_score(given, right, model) for model in model_choices(record.query.task)),
    )


def model_choices(task: TaskType) -> tuple[PriorParameters, ...]:
    """The models between which gold decides: what votes weigh, and how much judgements can move a cluster."""
    default = MODELS[task]
    betas = [default.beta * factor for factor in BETA_FACTORS] if default.beta else BETAS_WITHOUT_VOTES
    return tuple(replace(default, beta=beta, tau_u=tau_u) for beta, tau_u in product(betas, TAU_U_CHOICES))


def _log_score(given: FitInput, right: Sequence[bool], model: PriorParameters) -> float:
    """Logarithm of the P(best) that right answers would have had; one draw is never all of them."""
    shares = quantise(judges.posterior(given.items, given.bench, given.judgements, model)).p_best
    clusters = {item.cluster for item, true in zip(given.items, right, strict=True) if true}
    return math.log(max(sum(shares[cluster] for cluster in clusters) / ONE, 0.5 / DRAWS))


def _model(task: TaskType, gold: Sequence[GoldRound]) -> PriorParameters:
    """The choice with the best log score on gold; each factor of two away from the default costs PRIOR_STEP."""
    default = MODELS[task]

    def score(number: int, model: PriorParameters) -> float:
        votes = math.log2((model.beta + BETA_UNIT) / (default.beta + BETA_UNIT))
        away = abs(votes) + abs(math.log2(model.tau_u / default.tau_u))
        return math.fsum(each.scores[number] for each in gold) - PRIOR_STEP * away

    choices = model_choices(task)
    return choices[max(range(len(choices)), key=lambda number: score(number, choices[number]))]


def _insight(gold: Sequence[GoldRound], known: Mapping[Key, NodeStats], task: TaskType) -> QueryPriors:
    """Weights from the standings of nodes that are no strangers, and from the gold rounds of this task."""
    weights = learn_from(gold)
    scale = scale_of(known.values())
    return QueryPriors(
        merits={key: _merit(standing, scale, weights.get(key, (ONE, 0))) for key, standing in known.items()},
        model=_model(task, gold),
        calibration=calibrate([(each.p_best / ONE, each.correct) for each in gold]),
        gold=len(gold),
    )


def learn_from(gold: Sequence[GoldRound]) -> dict[Key, tuple[int, int]]:
    """Weight as a judge and as an author of everybody in these rounds, fitted together; 2^-16."""
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


def _merit(standing: NodeStats, scale: Scale, weights: tuple[int, int]) -> SeatWeights:
    """What a roster says of a node that is no stranger."""
    if standing.equivocations:
        return SeatWeights(0, 0, 0, standing.counts)
    judge, author = weights
    return SeatWeights(
        vote=_level(scale.vote(standing) * ONE),
        judge=_level(max(-JUDGE_MAX, min(JUDGE_MAX, judge))),
        author=_level(author),
        counts=standing.counts,
    )


def _level(weight: float) -> int:
    return round(weight / LEVEL) * LEVEL
