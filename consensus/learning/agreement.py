"""Statistics of judges from judgements alone, without truth: how well they repeat themselves and agree with others.

A judge that sees a pair in both orders gives two verdicts v, v' in [−1, 1] on the same thing. The part that repeats is
its opinion, the rest is chance and position: E[v v'] is the variance of its opinion, and the reliability r = E[v v'] /
E[(v² + v'²) / 2] is the share of its verdicts' variance that is opinion (test-retest reliability, Spearman 1904). The
same products across two judges give the covariance of their opinions, free of the position bias that judges share.
Consistency is not correctness, so weights from it are bounded; gold overrules them (`gold_fit`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from consensus.learning.dataset import Dataset, JudgedQuestion
from protocol.types import ONE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PRIOR_PAIRS = 4.0
"""Weight of the prior reliability of one half, in pairs seen in both orders."""

_PRIOR_SHARED = 5.0
"""Weight of the prior covariance of zero, in pairs seen by both judges."""

_HIDDEN_ERROR = 0.25
"""Variance of a judge's repeated errors, which repeating cannot show, as a share of its verdicts' variance. It bounds a
weight at 4, six times that of a judge with reliability one half, however consistent the judge is."""


_RELIABILITY_MIN = 0.05
"""Lowest reliability: gold may still give weight to a judge that never repeats itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Statistics of the judges, from all questions; K weights.

    Judges that share a weight count as typical ones of their number.
    """

    reliability: FloatArray
    """Shape (K,), above 0, at most 1."""
    opinion: FloatArray
    """Shape (K, K): covariance of the opinions, symmetric; sampling noise may leave it indefinite."""
    weight_of: IntArray
    """Shape (judges,): the index of each judge's weight."""

    def default_weights(self) -> FloatArray:
        """Shape (K,), mean over all judges 1: opinion to noise, r / (1 − r + hidden error).

        Equal weights if no judge repeats any verdict.
        """
        weights: FloatArray = self.reliability / (1.0 - self.reliability + _HIDDEN_ERROR)
        return weights / weights[self.weight_of].mean() if len(weights) else weights

    def spread(self) -> FloatArray:
        """Shape (K, K): a square root S with S Sᵀ the prior covariance of the judges' weights around their defaults.

        D½ (D½ G D½)½ D½ with G the covariance of the opinions and D the reliabilities. Weights vary along directions in
        which opinions do, less so where they do less, and little for judges whose verdicts are mostly chance. Under a
        spherical prior a few gold items alone would have to find out which of many judges are alike.
        """
        reliability = np.sqrt(self.reliability)
        values, vectors = np.linalg.eigh(self.opinion * reliability[:, None] * reliability)
        root: FloatArray = reliability[:, None] * vectors * np.clip(values, 0.0, None) ** 0.25
        return root


def measure(dataset: Dataset) -> Agreement:
    """Measure reliability and covariance of all judges.

    A judge's constant preference for one position is neither opinion nor chance: it cancels over both orders, so it is
    removed. Judges that share a weight are compared with themselves and with others, never as the mean of all, which
    would repeat itself better than any of them.
    """
    weight_of = np.array(dataset.weight_of or range(len(dataset.judges)), dtype=np.int64)
    count = int(weight_of.max(initial=-1)) + 1
    product, square, lean, both_orders = np.zeros((4, count))
    agreed, by_chance, seen = np.zeros((3, count, count))
    of_itself = np.zeros((3, count))
    for question in dataset.questions:
        ends, judges, verdicts = _verdicts(question)
        of_judge, forth, back = weight_of[judges], *verdicts.T
        both = ~np.isnan(verdicts).any(axis=1)
        np.add.at(product, of_judge[both], (forth * back)[both])
        np.add.at(square, of_judge[both], ((forth * forth + back * back) / 2.0)[both])
        chance = np.where(both, (forth - back) / 2.0, 0.0)
        np.add.at(lean, of_judge, chance)
        np.add.at(both_orders, of_judge, both)
        mean = np.where(both, (forth + back) / 2.0, np.where(np.isnan(forth), back, forth))
        products = ((agreed, mean), (by_chance, chance), (seen, np.ones(len(mean))))
        for total, (_, values) in zip(of_itself, products, strict=True):
            np.add.at(total, of_judge, values * values)
        for begin, end in pairwise((0, *ends)):
            weights, place = np.unique(of_judge[begin:end], return_inverse=True)
            if len(weights) > 1:
                block = np.ix_(weights, weights)
                for total, values in products:
                    total[block] += _products(values[begin:end], place, len(weights))
    for total, own in zip((agreed, by_chance, seen), of_itself, strict=True):
        np.fill_diagonal(total, own)
    lean /= np.maximum(both_orders, 1.0)
    constant = both_orders * lean * lean
    reliability = (product + constant + _PRIOR_PAIRS / 2.0) / (square - constant + _PRIOR_PAIRS)
    by_chance -= np.minimum(both_orders[:, None], both_orders) * lean[:, None] * lean
    opinion = (agreed - by_chance) / (seen + _PRIOR_SHARED)
    return Agreement(np.clip(reliability, _RELIABILITY_MIN, 1.0), opinion, weight_of)


def _products(values: FloatArray, place: IntArray, size: int) -> FloatArray:
    """Sum the products of each two judges' values. Shape (size, size), indexed by their weights.

    The diagonal mixes judges of one weight and must not be used.
    """
    sums = np.zeros(size)
    np.add.at(sums, place, values)
    products: FloatArray = sums[:, None] * sums
    return products


def _verdicts(question: JudgedQuestion) -> tuple[list[int], IntArray, FloatArray]:
    """Return judges and verdicts of all compared pairs, one pair after another.

    The three values are the end of each pair's entries, the judges, shape (m,), and their mean verdicts in either
    order, shape (m, 2), NaN if none. A verdict is 1 for the lower answer and −1 for the higher one.
    """
    verdicts: dict[tuple[int, int], dict[int, tuple[list[float], list[float]]]] = {}
    for each in question.judgements:
        swapped = each.first > each.second
        pair = (each.second, each.first) if swapped else (each.first, each.second)
        value = 2.0 * each.preference / ONE - 1.0
        verdicts.setdefault(pair, {}).setdefault(each.judge, ([], []))[swapped].append(-value if swapped else value)
    ends = accumulate(map(len, verdicts.values()))
    judges = [judge for by_judge in verdicts.values() for judge in by_judge]
    means = [(_mean(forth), _mean(back)) for by_judge in verdicts.values() for forth, back in by_judge.values()]
    return list(ends), np.array(judges, dtype=np.int64), np.array(means).reshape(-1, 2)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
