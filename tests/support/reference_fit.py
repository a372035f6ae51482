"""The aggregator once more, in plain Python: one number at a time, no numpy. Slow, and the same to the last bit.

It follows consensus/README.md as judges.py and bradley_terry.py in consensus/ranking do. Shared with them on purpose:
the constants, among them exact_math's coefficients and number of draws, and the records that go in and come out
(`Item`, `JudgedComparison`, `Fit`). The code is independent: floats are Python's, which round `+ - * /` and the square
root as IEEE 754 says and nothing else.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import numpy as np

from consensus.ranking import exact_math, judges
from consensus.ranking.bradley_terry import STRENGTH_ONE, Fit, Item, PriorParameters
from consensus.ranking.judges import COIN, HONEST, INVERSE, LOYALTY, PARTISAN, JudgedComparison, JudgePrior
from protocol.types import ONE

Vector = list[float]
Matrix = list[Vector]


@dataclass(frozen=True)
class Case:
    """The arguments of one fit."""

    items: list[Item]
    judge_priors: list[JudgePrior]
    told: list[JudgedComparison]
    model: PriorParameters


def cases(count: int) -> Iterator[Case]:
    """Random rounds of 1 to 8 answers, every hundredth of up to 35; judges of all kinds, any preferences."""
    rng = random.Random(21)
    for number in range(count):
        size = rng.randint(9, 35) if number % 100 == 99 else rng.randint(1, 8)
        clusters = rng.randint(1, size)
        names = [*range(clusters), *(rng.randrange(clusters) for _ in range(size - clusters))]
        items = [Item(name, rng.choice((0, ONE, rng.randrange(2 * ONE))), rng.randint(-ONE, ONE)) for name in names]
        judge_priors = [
            JudgePrior(
                rng.choice((ONE, rng.randint(-2 * ONE, 2 * ONE))),
                rng.choice((None, judge)),
                rng.choice((judges.FRESH, (rng.randint(1, 9 * ONE), ONE, rng.randint(1, ONE), rng.randint(1, ONE)))),
            )
            for judge in range(size)
        ]
        told = [
            JudgedComparison(
                rng.randrange(size), *rng.sample(range(size), 2), rng.choice((0, ONE, ONE // 2, rng.randint(0, ONE)))
            )
            for _ in range(rng.randint(0, 3 * size) if size > 1 else 0)
        ]
        model = rng.choice(
            (
                PriorParameters(),
                PriorParameters(beta=0.0),
                PriorParameters(3.0, 0.3, 0.4),
                PriorParameters(0.7, 4.0, 1 / 16),
            )
        )
        yield Case(items, judge_priors, told, model)


# Elementary functions.


def exp(x: float) -> float:
    x = min(max(x, -exact_math._EXP_ARGUMENT_MAX), exact_math._EXP_ARGUMENT_MAX)
    k = round(x * exact_math._LOG2_E)
    high, low = x - k * exact_math._LN2_HIGH, k * exact_math._LN2_LOW
    r = high - low
    square = r * r
    c = r - square * polynomial(exact_math._EXP, square)
    return math.ldexp(1.0 - ((low - (r * c) / (2.0 - c)) - high), k)


def log(x: float) -> float:
    fraction, k = math.frexp(x)
    if fraction < exact_math._SQRT_HALF:
        fraction, k = fraction + fraction, k - 1
    f = fraction - 1.0
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    remainder = z * polynomial(exact_math._LOG, z)
    return k * exact_math._LN2_HIGH - ((half_square - (s * (half_square + remainder) + k * exact_math._LN2_LOW)) - f)


def logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))


def polynomial(coefficients: Sequence[float], x: float) -> float:
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def inverse_normal_cdf(p: float) -> float:
    q = p - 0.5
    if abs(q) <= 0.425:
        numerator, denominator = exact_math._CENTRE
        x = 0.180625 - q * q
        return q * (polynomial(numerator, x) / polynomial(denominator, x))
    root = math.sqrt(-log(min(p, 1.0 - p)))
    (numerator, denominator), x = (exact_math._TAIL, root - 1.6) if root <= 5.0 else (exact_math._FAR_TAIL, root - 5.0)
    return math.copysign(polynomial(numerator, x) / polynomial(denominator, x), q)


@cache
def normal(item: int, draw: int) -> float:
    """One cell of the table of draws."""
    digest = blake2b(b"strand/draws/1" + item.to_bytes(4, "big") + (draw // 8).to_bytes(4, "big")).digest()
    word = int.from_bytes(digest[8 * (draw % 8) : 8 * (draw % 8) + 8], "big")
    return inverse_normal_cdf(((word >> 12) + 0.5) * 2.0**-52)


# The prior, the mode and the cluster strengths.


class Prior:
    def __init__(self, items: Sequence[Item], model: PriorParameters, votes: Sequence[int]) -> None:
        self.cluster = [item.cluster for item in items]
        count = len(votes)
        logs = [log(vote / ONE + 2.0 / count) for vote in votes]
        middle = total(logs) / count
        self.cluster_mean = [model.beta * (value - middle) for value in logs]
        self.mean = [self.cluster_mean[item.cluster] + item.author_weight / ONE for item in items]
        sizes = [self.cluster.count(cluster) for cluster in range(count)]
        u, v = model.tau_u * model.tau_u, model.tau_v * model.tau_v
        self.shrinkage = [u / (v + size * u) for size in sizes]
        self.known = [
            mean + sum(item.author_weight for item in items if item.cluster == cluster) / ONE / sizes[cluster]
            for cluster, mean in enumerate(self.cluster_mean)
        ]
        self.precision = [
            [
                (1.0 - self.shrinkage[one.cluster]) / v
                if i == j
                else -self.shrinkage[one.cluster] / v
                if one.cluster == other.cluster
                else 0.0
                for j, other in enumerate(items)
            ]
            for i, one in enumerate(items)
        ]

    def cluster_strengths(self, theta: Vector) -> Vector:
        sums = [0.0] * len(self.cluster_mean)
        for item, cluster in enumerate(self.cluster):
            sums[cluster] += theta[item] - self.mean[item]
        return [known + f * value for known, f, value in zip(self.known, self.shrinkage, sums, strict=True)]


def total(values: Sequence[float]) -> float:
    """In order. The built-in sum compensates its rounding errors from Python 3.12 on."""
    value = values[0]
    for term in values[1:]:
        value += term
    return value


def mode(prior: Prior, losses: Matrix, start: Vector, done: float) -> tuple[Vector, Matrix]:
    size = len(start)
    every = range(size)
    games = [[losses[i][j] + losses[j][i] for j in every] for i in every]
    theta = start
    while True:
        win = [[logistic(theta[j] - theta[i]) for j in every] for i in every]
        off = [theta[i] - prior.mean[i] for i in every]
        slope = [
            total([losses[i][j] - games[i][j] * win[i][j] - prior.precision[i][j] * off[i] for i in every])
            for j in every
        ]
        curvature = [[games[i][j] * (win[i][j] * win[j][i]) for j in every] for i in every]
        matrix = [[prior.precision[i][j] - curvature[i][j] for j in every] for i in every]
        for j in every:
            matrix[j][j] += total([curvature[i][j] for i in every])
        factor = cholesky(matrix, slope)
        step = back_substitute(factor, [row[size] for row in factor])
        apart = max([0.0, *(abs(step[j] - step[i]) for i in every for j in every if games[i][j] > 0.0)])
        if apart > 1.5:
            step = [value * (1.5 / apart) for value in step]
        theta = [value + move for value, move in zip(theta, step, strict=True)]
        if max(abs(move) for move in step) < done:
            return theta, factor


def cholesky(matrix: Matrix, vector: Vector) -> Matrix:
    """Rows of R, each with its element of R⁻ᵀ vector at the end."""
    size = len(vector)
    work = [[*row, value] for row, value in zip(matrix, vector, strict=True)]
    for k in range(size):
        root = math.sqrt(work[k][k])
        for j in range(k, size + 1):
            work[k][j] /= root
        for i in range(k + 1, size):
            for j in range(k + 1, size + 1):
                work[i][j] -= work[k][i] * work[k][j]
    return work


def back_substitute(upper: Matrix, vector: Vector) -> Vector:
    solution = list(vector)
    for k in reversed(range(len(vector))):
        solution[k] /= upper[k][k]
        for i in range(k):
            solution[i] -= upper[i][k] * solution[k]
    return solution


# Judges.


def posterior(case: Case) -> tuple[Prior, Vector, Matrix]:
    """The prior of the last step, the mode, and R there."""
    answer_groups = [None if judge.answer is None else case.items[judge.answer].cluster for judge in case.judge_priors]
    shares = [_shares(_log_prior([*judge.counts])) for judge in case.judge_priors]
    clusters = max(item.cluster for item in case.items) + 1
    votes = [sum(item.vote_weight for item in case.items if item.cluster == cluster) for cluster in range(clusters)]
    prior = Prior(case.items, case.model, votes)
    theta, factor = mode(prior, _losses(case, answer_groups, shares), prior.mean, 0.05)
    for step in range(1, 4):
        shares = [
            _shares(
                [
                    before + after
                    for before, after in zip(
                        _log_prior(_with_camp(judge, case.judge_priors, answer_groups, shares)),
                        _log_likelihood(case, judge, answer_groups, theta),
                        strict=True,
                    )
                ]
            )
            for judge in range(len(case.judge_priors))
        ]
        prior = Prior(case.items, case.model, _votes(case, shares, clusters))
        theta, factor = mode(prior, _losses(case, answer_groups, shares), theta, 1e-7 if step == 3 else 0.05)
    return prior, theta, factor


def _log_prior(counts: list[int]) -> Vector:
    whole = log(float(sum(counts)))
    return [log(float(count)) - whole for count in counts]


def _with_camp(
    judge: int, judge_priors: Sequence[JudgePrior], answer_groups: Sequence[int | None], shares: list[list[int]]
) -> list[int]:
    alike = [
        other for other in range(len(judge_priors)) if other != judge and answer_groups[other] == answer_groups[judge]
    ]
    friends = [other for other in alike if judge_priors[other].weight]
    return [
        count + sum(shares[friend][character] for friend in friends)
        for character, count in enumerate(judge_priors[judge].counts)
    ]


def _own(case: Case, answer_groups: Sequence[int | None], each: JudgedComparison) -> int:
    answer_group = answer_groups[each.judge]
    return (case.items[each.first].cluster == answer_group) - (case.items[each.second].cluster == answer_group)


def _said(case: Case, each: JudgedComparison) -> int:
    return ONE - each.preference if case.judge_priors[each.judge].weight < 0 else each.preference


def _log_likelihood(case: Case, judge: int, answer_groups: Sequence[int | None], theta: Vector) -> Vector:
    sums = [0, 0, 0, 0]
    true, false = log(LOYALTY / ONE), log(1.0 - LOYALTY / ONE)
    for each in case.told:
        if each.judge != judge:
            continue
        apart = theta[each.first] - theta[each.second]
        win, loss = log(logistic(apart)), log(logistic(-apart))
        said, own = _said(case, each) / ONE, _own(case, answer_groups, each)
        loyal = said if own > 0 else 1.0 - said
        honest = said * win + (1.0 - said) * loss
        logs = {
            HONEST: honest,
            INVERSE: (1.0 - said) * win + said * loss,
            COIN: log(0.5),
            PARTISAN: loyal * true + (1.0 - loyal) * false if own else honest,
        }
        for character, value in logs.items():
            sums[character] += round(value * ONE)
    return [value / ONE for value in sums]


def _shares(logs: Vector) -> list[int]:
    sizes = [exp(value - max(logs)) for value in logs]
    return [round(size / total(sizes) * ONE) for size in sizes]


def _losses(case: Case, answer_groups: Sequence[int | None], shares: list[list[int]]) -> Matrix:
    size = len(case.items)
    sums = [[0] * size for _ in range(size)]
    for each in case.told:
        own, weight, said = shares[each.judge], abs(case.judge_priors[each.judge].weight), _said(case, each)
        honest = own[HONEST] + (own[PARTISAN] if _own(case, answer_groups, each) == 0 else 0)
        for preference, worth in ((said, weight * honest // ONE), (ONE - said, weight * own[INVERSE] // ONE)):
            sums[each.second][each.first] += worth * preference
            sums[each.first][each.second] += worth * (ONE - preference)
    return [[value * 2.0**-32 for value in row] for row in sums]


def _votes(case: Case, shares: list[list[int]], clusters: int) -> list[int]:
    honest = [ONE] * len(case.items)
    for judge, share in zip(case.judge_priors, shares, strict=True):
        if judge.answer is not None:
            honest[judge.answer] -= share[PARTISAN]
    votes = [0] * clusters
    for item, share in zip(case.items, honest, strict=True):
        votes[item.cluster] += item.vote_weight * share // ONE
    return votes


# What is stated.


def stated(case: Case) -> tuple[Vector, Fit]:
    """The mode, and what a tally states of it."""
    prior, theta, factor = posterior(case)
    size = len(theta)
    sampled = []
    for draw in range(exact_math.DRAWS):
        apart = back_substitute(factor, [normal(item, draw) for item in range(size)])
        sampled.append(prior.cluster_strengths([value + move for value, move in zip(theta, apart, strict=True)]))
    orders = [sorted(range(len(strengths)), key=lambda c: (-strengths[c], c)) for strengths in sampled]
    best = [order[0] for order in orders]
    clusters = len(prior.cluster_mean)
    return theta, Fit(
        strengths=tuple(round(value * STRENGTH_ONE) for value in theta),
        cluster_strengths=tuple(round(value * STRENGTH_ONE) for value in prior.cluster_strengths(theta)),
        p_best=tuple(best.count(cluster) * (ONE // exact_math.DRAWS) for cluster in range(clusters)),
        duels=() if clusters == 1 else tuple(_duels(best, orders)),
        sampled=np.array([[round(each[c] * STRENGTH_ONE) for each in sampled] for c in range(clusters)]),
        intervals=(),
    )


def _duels(best: list[int], orders: list[list[int]]) -> Iterator[tuple[int, int]]:
    following = [*best, *best]
    for draw, leader in enumerate(best):
        later = [other for other in following[draw:] if other != leader]
        yield leader, later[0] if later else orders[draw][1]
