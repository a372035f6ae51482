"""Weights of votes, judges and authors' histories, learned together from gold; defaults where gold is scarce.

A query carries the result as integers. Members recompute the ranking from them, never these weights. So the linear
algebra here is NumPy's, and results may differ in a last bit between machines.

The log-odds that one answer is better than another are modelled as linear in the weights. To first order around its
prior mean m, the mode of `bradley_terry` is θ̂ = m + H⁻¹ Σ_k w_k g_k, with H = P + ¼ (Laplacian of the comparisons) and
g_k judge k's wins beyond one half per answer. So a unit of weight of judge k moves a pair by the difference of H⁻¹ g_k,
whether it compared that very pair or the two with third answers; a unit of an author's history or of the vote moves it
by a difference of H⁻¹ P m. The weights' prior is normal around the defaults. For files, whose defaults are informative,
it has one gain on all of them, and deviations that are uncorrelated with the defaults; for an asker's own rounds a gain
on each and free deviations. Logistic regression on gold pairs updates it; its widths are averaged by their evidence.
consensus/README.md has the derivation.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from consensus.learning.agreement import Agreement, FloatArray, measure
from consensus.learning.calibration import calibrate
from consensus.learning.dataset import NO_AUTHOR, Dataset, JudgedQuestion
from consensus.learning.logistic import logistic_mode
from consensus.ranking import certainty
from consensus.ranking.bradley_terry import (
    LOCAL,
    Comparison,
    Item,
    Posterior,
    PriorParameters,
    maximum_a_posteriori,
    prior_of,
)
from consensus.ranking.exact_math import DRAWS
from protocol.limits import BETA_MAX, WEIGHT_MAX
from protocol.types import ONE

REPEATED_VERDICTS = 0.5
"""Assumed correlation of the errors of two judgements of one pair: m count as m / (1 + (m − 1)/2), two at most."""

HISTORY_QUESTIONS = 5
"""Questions without an effect with which an author's history starts: one good answer is no history."""

JUDGE_SPREADS = (0.1, 0.5, 2.0, 8.0, 32.0)
AUTHOR_SPREADS = (0.1, 0.4, 1.6)
"""Prior variances, in squared log-odds of a typical pair, that are averaged by their evidence."""

DIRECTIONS_MAX = 128
"""Directions in which judges' weights are learned, the widest of the prior's; time grows with the cube."""

RESCALE_MAX = 4.0
"""Largest common factor that restores the judges' total weight: where judges are worth little, votes must win."""

CALIBRATION_FOLDS = 5


@dataclass(frozen=True, slots=True)
class WeightPrior:
    """How firmly weights stay at the defaults. Figures: LLMBar, consensus/README.md."""

    sharpness: float
    """Where pairs' log-odds deviate with the variance s, the defaults' are √(1 + sharpness · s) times their nominal
    value: where pairs can be told apart well, the defaults may have done so already."""
    gain_spread: float
    """Standard deviation of the defaults' gain, as a share of it."""
    caution: int
    """Number of gold questions at which the learned change counts by half: n² / (n² + caution²)."""


ANCHORED = WeightPrior(sharpness=0.25, gain_spread=0.5, caution=6)
"""Prior for informative defaults. Without sharpness fifty gold items drown them; from 1 on they are learned slowly.
With a gain spread of .3 forty contradicting items do not invert judges that are wrong in seven of ten; 1 costs .7
points with 20. The regression is right on average from the first item, but of 200 draws of 1 to 5 the worst lost 11 to
22 points without caution, 3.1 with it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of judges, authors and votes that a query carries, in units of 1/ONE."""

    judges: tuple[int, ...]
    """−WEIGHT_MAX to WEIGHT_MAX; a negative weight inverts the judge's verdicts."""
    authors: tuple[int, ...]
    """Prior mean of an author's answers, −WEIGHT_MAX to WEIGHT_MAX, in addition to its history."""
    history: int
    """Gain on an author's mean strength in the other questions."""
    beta: int
    """Weight of the vote."""
    calibration: tuple[int, int, int] = certainty.UNCALIBRATED
    """Intercept, slope in the log-odds of P(best) and worth of findings of P(correct)."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedQuestion:
    """One question's result."""

    order: tuple[int, ...]
    """Answers, best first: by cluster, then by strength."""
    strengths: FloatArray
    """θ per answer."""
    p_best: FloatArray
    """Per answer, the probability that its cluster is the best."""
    draws: FloatArray
    """Shape (answers, DRAWS): the posterior of θ."""

    @property
    def pick(self) -> int:
        """The index of the best answer."""
        return self.order[0]

    def p_better(self, one: int, other: int) -> float:
        """Return the probability that one answer's θ exceeds the other's."""
        return float((self.draws[one] > self.draws[other]).mean())


class LearningContext:
    """A data set and the statistics that follow from it without truth. Caches results that several learners share."""

    def __init__(self, dataset: Dataset, *, history: bool = True, prior: WeightPrior | None = ANCHORED) -> None:
        """Measure a data set.

        `history`: whether an author's strength in other questions counts, for which only judgements speak. `prior`:
        None if the defaults are uninformative: no pair was judged twice, so they are equal for all.
        """
        self.dataset = dataset
        self.prior = prior
        self._with_history = history
        self.agreement: Agreement = measure(dataset)
        self.defaults = self.agreement.default_weights()
        self._rows: dict[int, _Rows] = {}

    @cached_property
    def history(self) -> list[FloatArray]:
        """Per question and answer, its author's mean strength in the other questions, shrunk towards 0."""
        if not (self._with_history and self.dataset.authors):
            return [np.zeros(len(each.answers)) for each in self.dataset.questions]
        judges = _integers(self.defaults[self.agreement.weight_of])
        weights = Weights(judges, (0,) * len(self.dataset.authors), 0, _integer(PriorParameters().beta))
        strengths = [_posterior(each, weights, np.zeros(len(each.answers))).theta for each in self.dataset.questions]
        total, count = np.zeros(len(self.dataset.authors) + 1), np.zeros(len(self.dataset.authors) + 1)
        for question, theta in zip(self.dataset.questions, strengths, strict=True):
            np.add.at(total, list(question.authors), theta)
            np.add.at(count, list(question.authors), 1.0)
        return [
            _history_of(question, theta, total, count)
            for question, theta in zip(self.dataset.questions, strengths, strict=True)
        ]

    @cached_property
    def spread(self) -> FloatArray:
        """Shape (K, directions), for K weights of judges: the widest directions of `Agreement.spread`."""
        return self.agreement.spread()[:, -DIRECTIONS_MAX:]

    @cached_property
    def moments(self) -> "_Moments":
        """Second moments of the columns over the pairs of all questions, gold or not."""
        size = 2 + self.spread.shape[1] + len(self.dataset.authors)
        own, cross, squares = 0.0, np.zeros(size), np.zeros(size)
        for index, question in enumerate(self.dataset.questions):
            columns = _columns(self, index)
            # The mean over all pairs of products of differences is twice the covariance; one answer has no pair.
            share = 2.0 / max(1, len(question.answers) - 1) / len(self.dataset.questions)
            defaults, deviations = (
                each - each.mean(axis=0) for each in (columns.common.sum(axis=1), columns.deviations(self.spread))
            )
            own += share * float(defaults @ defaults)
            cross += share * (defaults @ deviations)
            squares += share * np.square(deviations).sum(axis=0)
        return _Moments(own, cross, squares)

    def rows(self, index: int) -> "_Rows":
        """Return the regression's rows from one gold question, cached."""
        if index not in self._rows:
            self._rows[index] = _rows(self, index)
        return self._rows[index]

    def rank(self, index: int, weights: Weights) -> RankedQuestion:
        """Fit one question with these weights."""
        question = self.dataset.questions[index]
        posterior = _posterior(question, weights, self.history[index])
        draws = posterior.draws()
        clusters = posterior.cluster_strengths()
        wins = np.bincount(posterior.prior.cluster_strengths(draws).argmax(axis=0), minlength=len(clusters))
        p_best = wins / DRAWS
        order = sorted(
            range(len(question.answers)),
            key=lambda answer: (-clusters[question.clusters[answer]], -posterior.theta[answer], answer),
        )
        return RankedQuestion(tuple(order), posterior.theta, p_best[list(question.clusters)], draws)

    def default(self) -> Weights:
        """Return the weights that apply without gold."""
        return _weights(self, np.ones(3), np.zeros(len(self.defaults)), np.zeros(len(self.dataset.authors)))


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """The effect of each unit of weight on the strengths of answers, or on the log-odds of pairs, one row each."""

    common: FloatArray
    """Shape (rows, 3): all judges at their defaults, the history, the vote at its default."""
    judges: FloatArray
    """Shape (rows, K): one column per judges' weight."""
    authors: FloatArray
    """Shape (rows, authors): one column per author."""

    def deviations(self, spread: FloatArray) -> FloatArray:
        """Shape (rows, 2 + directions + authors): deviations from the defaults, judges along their directions."""
        return np.concatenate((self.common[:, 1:], self.judges @ spread, self.authors), axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows(_Columns):
    """Reference pairs of a question as rows of the regression."""

    weight: FloatArray
    """Shape (pairs,): weight in independent observations."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Means over the pairs of a question and over questions."""

    own: float
    """Mean square of the log-odds under the defaults."""
    cross: FloatArray
    """Shape (deviations,): mean product of those log-odds and each deviation's."""
    squares: FloatArray
    """Shape (deviations,): mean square of each deviation's log-odds."""


def learn(evidence: LearningContext, gold: Collection[int], *, calibrated: bool = True) -> Weights:
    """Learn weights from gold questions; if `calibrated`, P(correct) is calibrated on out-of-fold predictions."""
    gold = sorted(gold)
    if not calibrated:
        return _solve(evidence, gold)
    folds = [gold[fold::CALIBRATION_FOLDS] for fold in range(min(CALIBRATION_FOLDS, len(gold)))]
    claims: list[tuple[float, bool]] = []
    for fold in folds:
        weights = _solve(evidence, [index for index in gold if index not in fold])
        for index in fold:
            claims.extend(_claims(evidence.dataset.questions[index], evidence.rank(index, weights)))
    return replace(_solve(evidence, gold), calibration=calibrate(claims))


def p_correct(p_best: float, weights: Weights) -> float:
    """Return the calibrated probability that an answer with this P(best) is correct."""
    return certainty.p_correct(round(p_best * ONE), weights.calibration) / ONE


def discount(question: JudgedQuestion, weights: Mapping[int, float]) -> float:
    """Return the factor on a question's judgements, given its judges' weights: those of one pair err together."""
    total = sum(abs(weights[each.judge]) for each in question.judgements)
    pairs = len({frozenset((each.first, each.second)) for each in question.judgements})
    return 1.0 / (1.0 + max(0.0, total / pairs - 1.0) * REPEATED_VERDICTS) if pairs else 1.0


def _posterior(question: JudgedQuestion, weights: Weights, history: FloatArray) -> Posterior:
    """Call `bradley_terry`, in this place only, with the weights and author means of one question."""
    scale = discount(question, {each.judge: weights.judges[each.judge] / ONE for each in question.judgements})
    comparisons = [
        Comparison(
            each.first,
            each.second,
            each.preference if weights.judges[each.judge] >= 0 else ONE - each.preference,
            round(abs(weights.judges[each.judge]) * scale),
        )
        for each in question.judgements
    ]
    authors = np.array([*weights.authors, 0])[list(question.authors)] + weights.history * history
    items = _items(question, [_bounded(author) for author in authors.tolist()])
    return maximum_a_posteriori(items, comparisons, PriorParameters(beta=weights.beta / ONE), LOCAL)


def _items(question: JudgedQuestion, records: Sequence[int]) -> list[Item]:
    votes = question.votes or (ONE,) * len(question.answers)
    return [Item(*each) for each in zip(question.clusters, votes, records, strict=True)]


def _history_of(question: JudgedQuestion, theta: FloatArray, total: FloatArray, count: FloatArray) -> FloatArray:
    """Return the authors' mean strength in all questions except this one, shrunk towards 0."""
    authors = np.array(question.authors)
    own_total, own_count = np.zeros_like(total), np.zeros_like(count)
    np.add.at(own_total, authors, theta)
    np.add.at(own_count, authors, 1.0)
    mean = (total - own_total) / (count - own_count + HISTORY_QUESTIONS)
    return np.where(authors == NO_AUTHOR, 0.0, mean[authors])


def _columns(evidence: LearningContext, index: int) -> _Columns:
    question = evidence.dataset.questions[index]
    size = len(question.answers)
    prior = prior_of(_items(question, [0] * size), PriorParameters(), LOCAL)
    wins, laplacian = _wins_and_laplacian(evidence, question)
    covariance = np.linalg.inv(prior.precision + laplacian / 4.0)
    pull = covariance @ prior.precision
    records = np.zeros((size, len(evidence.dataset.authors) + 1))
    records[np.arange(size), list(question.authors)] = 1.0
    judges = covariance @ wins
    common = (judges @ evidence.defaults, pull @ evidence.history[index], pull @ prior.mean)
    return _Columns(common=np.stack(common, axis=1), judges=judges, authors=pull @ records[:, :-1])


def _wins_and_laplacian(evidence: LearningContext, question: JudgedQuestion) -> tuple[FloatArray, FloatArray]:
    """Wins beyond one half, shape (answers, K), and the Laplacian of the comparisons at the defaults."""
    size, defaults = len(question.answers), evidence.defaults
    rows = [(each.judge, each.first, each.second, each.preference) for each in question.judgements]
    judge, first, second, preference = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    weight = evidence.agreement.weight_of[judge]
    scale = discount(question, dict(zip(judge.tolist(), defaults[weight].tolist(), strict=True)))
    gain, conductance = (preference / ONE - 0.5) * scale, defaults[weight] * scale
    # Interleaved, so that sums run in the order of the judgements.
    wins, laplacian = np.zeros((size, len(defaults))), np.zeros((size, size))
    both, swapped = np.stack((first, second), axis=1), np.stack((second, first), axis=1)
    np.add.at(wins, (both, weight[:, None]), np.stack((gain, -gain), axis=1))
    np.add.at(laplacian, (both, both), conductance[:, None])
    np.add.at(laplacian, (both, swapped), -conductance[:, None])
    return wins, laplacian


def _rows(evidence: LearningContext, index: int) -> _Rows:
    question = evidence.dataset.questions[index]
    references = list(question.references())
    columns = _columns(evidence, index)

    def differences(values: FloatArray) -> FloatArray:
        rows = [values[list(each.better)].mean(axis=0) - values[list(each.worse)].mean(axis=0) for each in references]
        return np.array(rows).reshape(len(rows), *values.shape[1:])

    return _Rows(
        common=differences(columns.common),
        judges=differences(columns.judges),
        authors=differences(columns.authors),
        weight=np.array([each.weight for each in references]),
    )


def _solve(evidence: LearningContext, gold: Collection[int]) -> Weights:
    """Logistic regression on these questions' references, averaged over all spreads by their evidence."""
    rows = [each for each in map(evidence.rows, gold) if len(each.weight)]
    if not rows:
        return evidence.default()
    return _free(evidence, rows) if evidence.prior is None else _anchored(evidence, rows, evidence.prior)


def _free(evidence: LearningContext, rows: Sequence[_Rows]) -> Weights:
    """Solve with gains of the common columns N(1, 1) and all else normal around 0."""
    weight = np.concatenate([each.weight for each in rows])
    common = np.concatenate([each.common for each in rows])
    to_judges, judges = _unit_variance(evidence.spread, np.concatenate([each.judges for each in rows]))
    every_author = np.eye(len(evidence.dataset.authors))
    to_authors, authors = _unit_variance(every_author, np.concatenate([each.authors for each in rows]))
    split = (common.shape[1], common.shape[1] + judges.shape[1])
    solutions, log_evidence = [], []
    for judge_scale, author_scale in product(np.sqrt(JUDGE_SPREADS), np.sqrt(AUTHOR_SPREADS)):
        design = np.concatenate((common, judges * judge_scale, authors * author_scale), axis=1)
        mode, logarithm = logistic_mode(design, common.sum(axis=1), weight)
        gains, turned, records = np.split(mode, split)
        solutions.append((1.0 + gains, to_judges @ turned * judge_scale, to_authors @ records * author_scale))
        log_evidence.append(logarithm)
    share = np.exp(np.array(log_evidence) - max(log_evidence))
    share /= share.sum()
    gains, turned, records = (share @ np.stack(part) for part in zip(*solutions, strict=True))
    return _weights(evidence, gains, turned, records)


def _unit_variance(directions: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale directions so that standard normals give an average row's log-odds variance 1; also return rows along."""
    along = rows @ directions
    variance = float(np.square(along).sum()) / len(rows)
    scale = variance**-0.5 if variance > 0.0 else 0.0
    return directions * scale, along * scale


def _anchored(evidence: LearningContext, rows: Sequence[_Rows], prior: WeightPrior) -> Weights:
    """Solve with one gain for all defaults and deviations that are uncorrelated with them.

    Each solution is a multiple of the defaults before it is averaged, because few gold items cannot tell spreads apart.
    """
    weight = np.concatenate([each.weight for each in rows])
    defaults = np.concatenate([each.common.sum(axis=1) for each in rows])
    kinds = (2, evidence.spread.shape[1], len(evidence.dataset.authors))
    unit, overlap = _standardised(evidence.moments, kinds)
    deviations = np.concatenate([each.deviations(evidence.spread) for each in rows]) * unit
    deviations -= np.outer(defaults, overlap)
    solutions, log_evidence = [], []
    for judges, authors in product(JUDGE_SPREADS, AUTHOR_SPREADS if kinds[2] else AUTHOR_SPREADS[:1]):
        sharpness = (1.0 + prior.sharpness * judges) ** 0.5
        spread = np.repeat((sharpness, judges**0.5, authors**0.5), kinds)
        design = np.concatenate((defaults[:, None] * (prior.gain_spread * sharpness), deviations * spread), axis=1)
        mode, logarithm = logistic_mode(design, defaults * sharpness, weight)
        deviation = mode[1:] * spread / sharpness
        solutions.append(np.append(1.0 + prior.gain_spread * mode[0] - overlap @ deviation, deviation * unit))
        log_evidence.append(logarithm)
    share = np.exp(np.array(log_evidence) - max(log_evidence))
    gain, deviation = np.split(share @ np.stack(solutions) / share.sum(), (1,))
    of_common, of_judges, of_authors = np.split(deviation, np.cumsum(kinds)[:-1])
    belief = len(rows) ** 2 / (len(rows) ** 2 + prior.caution**2)
    gains = gain + np.array([0.0, *of_common])
    return _weights(evidence, 1.0 + belief * (gains - 1.0), belief * (evidence.spread @ of_judges), belief * of_authors)


def _standardised(moments: _Moments, kinds: tuple[int, int, int]) -> tuple[FloatArray, FloatArray]:
    """Return the units of the deviations and the share of the defaults to subtract from each.

    In these units standard normals give an average pair's log-odds variance 1 from all judges and 1 from all authors;
    after the subtraction deviations and defaults are uncorrelated.
    """
    of_common, *others = np.split(moments.squares, np.cumsum(kinds)[:-1])
    unit = [np.ones(len(of_common))]
    for squares in others:
        variance = float(squares.sum())
        unit.append(np.full(len(squares), variance**-0.5 if variance > 0.0 else 0.0))
    units = np.concatenate(unit)
    return units, units * moments.cross / moments.own if moments.own > 0.0 else np.zeros(len(units))


def _weights(evidence: LearningContext, common: FloatArray, judges: FloatArray, authors: FloatArray) -> Weights:
    """Convert to integers, all scaled together so that the judges' total stays at the regression's assumption."""
    judge, history, vote = common.tolist()
    weight_of = evidence.agreement.weight_of
    total = (judge * evidence.defaults + judges)[weight_of]
    size = float(np.abs(total).sum())
    scale = min(RESCALE_MAX, float(evidence.defaults[weight_of].sum()) / size) if size else RESCALE_MAX
    return Weights(
        judges=_integers(total * scale),
        authors=_integers(authors * scale),
        history=_integer(history * scale),
        beta=max(0, min(BETA_MAX, _integer(vote * scale * PriorParameters().beta))),
    )


def _claims(question: JudgedQuestion, ranked: RankedQuestion) -> Iterator[tuple[float, bool]]:
    """Yield (probability, outcome): that the pick is right; without truth, that a pair's stronger answer is better."""
    if ranked.pick in question.truth:
        yield float(ranked.p_best[ranked.pick]), question.truth[ranked.pick]
    elif not question.truth:
        for each in question.references():
            p = ranked.p_better(each.better[0], each.worse[0])
            yield max(p, 1.0 - p), p > 0.5


def _integers(values: FloatArray) -> tuple[int, ...]:
    return tuple(_bounded(value * ONE) for value in values.tolist())


def _integer(value: float) -> int:
    return round(value * ONE)


def _bounded(value: float) -> int:
    return max(-WEIGHT_MAX, min(WEIGHT_MAX, round(value)))
