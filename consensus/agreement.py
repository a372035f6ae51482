"""What judgements tell about their judges without any truth: do they repeat themselves, and with whom do they agree?

A judge that sees a pair in both orders gives two verdicts v, v' in [−1, 1] on the same thing. What repeats is its
opinion, what does not is chance and position: E[v v'] is the variance of its opinion, and the reliability
r = E[v v'] / E[(v² + v'²) / 2] is the share of its verdicts' variance that is opinion (test-retest reliability,
Spearman 1904). The same products across two judges give the covariance of their opinions, free of the position bias
that judges share. Consistency is not correctness, so weights from it are bounded; gold overrules them (`learning`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consensus.dataset import Dataset, Question
from protocol.types import ONE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PRIOR_PAIRS = 4.0
"""Pairs seen in both orders that a prior reliability of one half counts as."""

_PRIOR_SHARED = 5.0
"""Pairs seen by both judges that a prior covariance of zero counts as."""

_HIDDEN_ERROR = 0.25
"""Variance of what a judge gets wrong again and again, which repeating cannot show, as a share of its verdicts'. It
bounds a weight at 4, six times that of a judge with reliability one half, however consistent the judge is."""


_RELIABILITY_MIN = 0.05
"""A judge that never repeats itself may still be learned on gold."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Statistics of the judges, from all questions; K weights. Judges who share one count as so many typical ones."""

    reliability: FloatArray
    """Shape (K,), above 0, at most 1."""
    opinion: FloatArray
    """Shape (K, K): covariance of the opinions, symmetric; sampling noise may leave it indefinite."""
    weight_of: IntArray
    """Shape (judges,): the index of each judge's weight."""

    def default_weights(self) -> FloatArray:
        """Shape (K,), mean over all judges 1: opinion to noise, r / (1 − r + hidden error); equal where nobody repeats
        anything."""
        weights: FloatArray = self.reliability / (1.0 - self.reliability + _HIDDEN_ERROR)
        return weights / weights[self.weight_of].mean() if len(weights) else weights

    def spread(self) -> FloatArray:
        """Shape (K, K): a square root S with S Sᵀ the prior covariance of the judges' weights about their defaults.

        D½ (D½ G D½)½ D½ with G the covariance of the opinions and D the reliabilities: weights vary along directions
        in which opinions do, less so where they do less, and little for judges who mostly toss a coin. Under a
        spherical prior a few gold items must find out alone which of many judges are alike.
        """
        reliability = np.sqrt(self.reliability)
        values, vectors = np.linalg.eigh(self.opinion * reliability[:, None] * reliability)
        root: FloatArray = reliability[:, None] * vectors * np.clip(values, 0.0, None) ** 0.25
        return root


def measure(dataset: Dataset) -> Agreement:
    """Reliability and covariance of all judges. A judge's constant lean to one position is neither opinion nor chance:
    it cancels over both orders, so it is taken out. Of judges who share a weight, each is compared with itself and with
    others, never with the mean of all: that would repeat itself better than any of them."""
    weight_of = np.array(dataset.weight_of or range(len(dataset.judges)), dtype=np.int64)
    count = int(weight_of.max(initial=-1)) + 1
    product, square, lean, both_orders = np.zeros((4, count))
    agreed, by_chance, seen = np.zeros((3, count, count))
    for question in dataset.questions:
        for judges, verdicts in _pairs(question):
            of_judge = weight_of[judges]
            both = ~np.isnan(verdicts).any(axis=1)
            forth, back = verdicts[both].T
            np.add.at(product, of_judge[both], forth * back)
            np.add.at(square, of_judge[both], (forth * forth + back * back) / 2.0)
            chance = np.where(both, (verdicts[:, 0] - verdicts[:, 1]) / 2.0, 0.0)
            np.add.at(lean, of_judge, chance)
            np.add.at(both_orders, of_judge, both)
            mean = np.nanmean(verdicts, axis=1)
            weights, place = np.unique(of_judge, return_inverse=True)
            block = np.ix_(weights, weights)
            agreed[block] += _products(mean, place, len(weights))
            by_chance[block] += _products(chance, place, len(weights))
            seen[block] += _products(np.ones(len(place)), place, len(weights))
    lean /= np.maximum(both_orders, 1.0)
    constant = both_orders * lean * lean
    reliability = (product + constant + _PRIOR_PAIRS / 2.0) / (square - constant + _PRIOR_PAIRS)
    by_chance -= np.minimum(both_orders[:, None], both_orders) * lean[:, None] * lean
    opinion = (agreed - by_chance) / (seen + _PRIOR_SHARED)
    return Agreement(np.clip(reliability, _RELIABILITY_MIN, 1.0), opinion, weight_of)


def _products(values: FloatArray, place: IntArray, size: int) -> FloatArray:
    """Shape (size, size): sums of products of values, shape (k,), over pairs of judges, at the places of their weights;
    on the diagonal of each judge with itself."""
    sums, squares = np.zeros((2, size))
    np.add.at(sums, place, values)
    np.add.at(squares, place, values * values)
    products: FloatArray = sums[:, None] * sums
    np.fill_diagonal(products, squares)
    return products


def _pairs(question: Question) -> Iterator[tuple[npt.NDArray[np.int64], FloatArray]]:
    """Per compared pair: its judges, shape (k,), and their mean verdict in either order, shape (k, 2), NaN if none.

    A verdict is 1 for the lower answer and −1 for the higher one.
    """
    verdicts: dict[tuple[int, int], dict[int, tuple[list[float], list[float]]]] = {}
    for each in question.judgements:
        swapped = each.first > each.second
        pair = (each.second, each.first) if swapped else (each.first, each.second)
        value = 2.0 * each.preference / ONE - 1.0
        verdicts.setdefault(pair, {}).setdefault(each.judge, ([], []))[swapped].append(-value if swapped else value)
    for by_judge in verdicts.values():
        means = [(_mean(forth), _mean(back)) for forth, back in by_judge.values()]
        yield np.array(list(by_judge), dtype=np.int64), np.array(means)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
