"""The aggregator: one hierarchical Bradley-Terry fit of all judgements of a round.

P(first beats second) = σ(θ_first − θ_second) with θ_i = u_c(i) + v_i: a strength for the cluster of equal answers and a
small one for the single answer. The prior means carry the vote and the author's record:

    u_c ~ N(m_c, τu²)   m_c = β · centred log((n_c + 2/C) / (Σn + 2)), n_c the vote weight in cluster c of C
    v_i ~ N(a_i, τv²)   a_i the author weight of item i

A judgement of preference y and weight w adds w · [y log σ(d) + (1 − y) log σ(−d)], d = θ_first − θ_second.

The posterior is strictly concave, so there is one mode for any set of comparisons: items without a win, items that
nobody compared and disconnected graphs are ordinary cases. consensus/README.md derives the steps; every float operation
follows the rules of exact_math, so equal arguments give equal bits everywhere.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from consensus.ranking import exact_math
from consensus.ranking.exact_math import FloatArray
from protocol import limits as wire
from protocol.limits import MEMBERS_MAX, PAIRS_MAX, WAVES_MAX, WEIGHT_MAX
from protocol.types import ONE

IntArray = npt.NDArray[np.int64]

STRENGTH_ONE = 10**6
"""The integer that represents a strength of 1 (log-odds): far above the rounding error, far below any relevant
difference."""

ITEMS_MAX = 128
"""Items of a round's fit: twice the seats of a roster, for studies. Time grows with the cube."""

COMPARISONS_MAX = MEMBERS_MAX * PAIRS_MAX * WAVES_MAX
"""Comparisons of a round's fit: as many as a round can bring. Integer sums stay below 2^53, where float64 is still
exact."""

INTERVAL = 0.9
"""Share of the posterior draws of a strength that lie within its interval; as many lie below as above it."""

BETA_MAX = wire.BETA_MAX / ONE
SCALE_RANGE = (wire.TAU_MIN / ONE, wire.TAU_MAX / ONE)
"""Permitted β, τu and τv. With the limits above, the rounding noise of a step stays an order below _STEP_DONE."""

# Largest move of a strength that ends the iteration. Newton's error is then about the square of it times the root of
# the condition number: below 1e-10, a ten-thousandth of what STRENGTH_ONE resolves.
_STEP_DONE = 1e-7
_STEP_RANGE_MAX = 1.5  # log-odds by which one step may move two compared items apart; below 1.79 each step ascends
_STEPS_MAX = 250  # ordinary fits take 4 to 6; made to last, within the limits of a query, they took up to 393


class FitDidNotConverge(ArithmeticError):
    """The iteration ran out of steps.

    Only a query with weights made for this purpose causes it: all at their limits and of many sizes, so that the
    shortened steps serve one size after the other. `closings` turns it into a fault.
    """


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest size of one fit."""

    items: int
    comparisons: int


ROUND = Limits(ITEMS_MAX, COMPARISONS_MAX)
"""Limits for fits that members recompute: those of the wire."""

LOCAL = Limits(items=1024, comparisons=2_000_000)
"""Limits for a fit that nobody else recomputes: seconds a step and some 100 MB at 1,024 items. Integer sums stay below
2^57, exact in int64 and rounded once in the conversion to float64, so the order of comparisons still has no effect."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One judgement of two different items."""

    first: int
    second: int
    preference: int
    """Probability that the first is better, 0 to ONE."""
    weight: int
    """The judge's weight, 0 (no effect) to WEIGHT_MAX; ONE is 1."""


@dataclass(frozen=True, slots=True)
class Item:
    """One answer. The caller fixes the order of items by content; weights are in units of 1/ONE."""

    cluster: int
    """Index of its cluster; the clusters of all items are 0 to C−1 without a gap."""
    vote_weight: int = ONE
    """Weight that its author's vote adds to the cluster's prior, 0 to WEIGHT_MAX."""
    author_weight: int = 0
    """Prior mean of v_i from its author's history and from findings, −WEIGHT_MAX to WEIGHT_MAX."""


@dataclass(frozen=True, slots=True)
class PriorParameters:
    """The prior's parameters, equal for all members of a network."""

    beta: float = 0.7
    """Weight of the vote; 0 for open-ended tasks."""
    tau_u: float = 0.8
    """Standard deviation of cluster strengths (log-odds)."""
    tau_v: float = 0.4
    """Standard deviation of an answer's strength around its cluster's (log-odds)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The figures that a tally states, as integers."""

    strengths: tuple[int, ...]
    """Per item, round(θ · STRENGTH_ONE)."""
    cluster_strengths: tuple[int, ...]
    """Per cluster, round(û · STRENGTH_ONE)."""
    p_best: tuple[int, ...]
    """Per cluster, the probability that it is the strongest, in units of 1/ONE; the sum is ONE."""
    duels: tuple[tuple[int, int], ...]
    """Per draw of the posterior, two clusters that one more comparison should separate; () for a single cluster."""
    sampled: IntArray = field(compare=False, repr=False)
    """Shape (C, DRAWS): û · STRENGTH_ONE in each draw, rounded."""
    intervals: tuple[tuple[int, int], ...] = field(compare=False, repr=False)
    """Per item, the bounds of the interval of θ · STRENGTH_ONE, rounded. For people: no tally states it."""


@dataclass(frozen=True, slots=True, eq=False)
class StrengthPrior:
    """The joint normal prior of θ with the cluster strengths integrated out; N items, C clusters."""

    clusters: IntArray
    """Shape (N,): cluster of each item."""
    cluster_mean: FloatArray
    """Shape (C,): m_c."""
    mean: FloatArray
    """Shape (N,): m_c + a_i."""
    author_mean: FloatArray
    """Shape (N,): a_i."""
    cluster_record: FloatArray
    """Shape (C,): mean of a_i. An author's history predicts the content of its next answer, hence the cluster's
    strength."""
    shrinkage: FloatArray
    """Shape (C,): τu² / (τv² + k_c τu²) with k_c items in the cluster."""
    precision: FloatArray
    """Shape (N, N): inverse covariance."""

    def cluster_strengths(self, theta: FloatArray) -> FloatArray:
        """E[u | θ] and the mean record of the cluster's authors, for strengths of shape (N, ...); shape (C, ...)."""
        trailing = (1,) * (theta.ndim - 1)
        deviation = theta - self.mean.reshape(-1, *trailing)
        total = np.zeros((len(self.cluster_mean), *theta.shape[1:]))
        for item, cluster in enumerate(self.clusters.tolist()):
            total[cluster] += deviation[item]
        known = self.cluster_mean + self.cluster_record
        return known.reshape(-1, *trailing) + self.shrinkage.reshape(-1, *trailing) * total


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The Laplace approximation: θ is normal around the mode `theta` with precision RᵀR."""

    prior: StrengthPrior
    theta: FloatArray
    """Shape (N,): the maximum a posteriori."""
    factor: FloatArray
    """Shape (N, N): R, in the upper triangle; below the diagonal lie leftovers that no code reads."""

    def cluster_strengths(self) -> FloatArray:
        """Return the strengths û of the clusters, shape (C,)."""
        return self.prior.cluster_strengths(self.theta)

    def draws(self, count: int = exact_math.DRAWS) -> FloatArray:
        """Return the fixed sample of the posterior, shape (N, count)."""
        normals = exact_math.normal_draws(len(self.theta), count)
        return self.theta[:, None] + _back_substitute(self.factor, normals)


def fit(items: Sequence[Item], comparisons: Iterable[Comparison], model: PriorParameters) -> Fit:
    """Compute strengths, cluster strengths and P(best); the order of `comparisons` has no effect.

    Raises:
        ValueError: an argument breaks a documented bound. Callers validate input from outside, so it is a bug.
        FitDidNotConverge: the iteration ran out of steps.
    """
    return quantise(maximum_a_posteriori(items, comparisons, model))


def maximum_a_posteriori(
    items: Sequence[Item], comparisons: Iterable[Comparison], model: PriorParameters, limits: Limits = ROUND
) -> Posterior:
    """Return the mode of the posterior and the curvature there. Raises as `fit` does."""
    rows = [(c.first, c.second, c.preference, c.weight) for c in comparisons]
    if len(rows) > limits.comparisons:
        raise ValueError(f"a fit takes at most {limits.comparisons} comparisons, not {len(rows)}")
    return mode(prior_of(items, model, limits), losses_of(len(items), np.array(rows, dtype=np.int64).reshape(-1, 4)))


def quantise(posterior: Posterior) -> Fit:
    """Return the integers that a tally states of a posterior."""
    draws = posterior.draws()
    sampled = posterior.prior.cluster_strengths(draws)
    ordered = np.sort(draws, axis=1)
    outside = round(draws.shape[1] * (1 - INTERVAL) / 2)
    return Fit(
        strengths=_rounded(posterior.theta),
        cluster_strengths=_rounded(posterior.cluster_strengths()),
        p_best=_shares(np.argmax(sampled, axis=0), len(sampled)),
        duels=_duels(sampled),
        sampled=np.rint(sampled * STRENGTH_ONE).astype(np.int64),
        intervals=tuple(zip(_rounded(ordered[:, outside]), _rounded(ordered[:, -1 - outside]), strict=True)),
    )


def mode(
    prior: StrengthPrior, losses: FloatArray, start: FloatArray | None = None, done: float = _STEP_DONE
) -> Posterior:
    """Find the mode by Newton's method from `start` (default: the prior mean).

    It stops when a step moves no strength by `done` or more. A step is cut so that no two compared items move apart by
    more than _STEP_RANGE_MAX. Over a change b of the argument, the curvature of log σ changes by a factor of at most
    e^b, so that such a step always ascends (Sun and Tran-Dinh 2019, generalized self-concordant functions, order 2). So
    there is no line search, and steps are full near the mode.

    Raises:
        FitDidNotConverge: the iteration ran out of steps.
    """
    games = losses + losses.T
    theta = prior.mean if start is None else start
    for _ in range(_STEPS_MAX):
        # win[i, j] is the probability that j beats i, so that sums over rows are sums over opponents.
        win = exact_math.logistic(theta[None, :] - theta[:, None])
        slope = exact_math.ordered_sum(losses - games * win - prior.precision * (theta - prior.mean)[:, None])
        curvature = games * (win * win.T)
        precision = prior.precision - curvature
        np.fill_diagonal(precision, np.diagonal(precision) + exact_math.ordered_sum(curvature))
        factor, forward = _cholesky(precision, slope)
        step = _back_substitute(factor, forward)
        apart = float(np.max(np.where(games > 0.0, np.abs(step[None, :] - step[:, None]), 0.0)))
        if apart > _STEP_RANGE_MAX:
            step = step * (_STEP_RANGE_MAX / apart)
        theta = theta + step
        if float(np.max(np.abs(step))) < done:
            return Posterior(prior, theta, factor)
    raise FitDidNotConverge(f"no mode after {_STEPS_MAX} steps: {len(theta)} items")


def probability_best(posterior: Posterior) -> tuple[int, ...]:
    """Per cluster, the share of the fixed draws in which its û is the largest (ties: lowest index), in 1/ONE."""
    sampled = posterior.prior.cluster_strengths(posterior.draws())
    return _shares(np.argmax(sampled, axis=0), len(sampled))


def _shares(best: IntArray, clusters: int) -> tuple[int, ...]:
    wins = np.bincount(best, minlength=clusters)
    return tuple(count * (ONE // exact_math.DRAWS) for count in wins.tolist())


def _duels(sampled: FloatArray) -> tuple[tuple[int, int], ...]:
    """Return per draw of û, shape (C, draws), the best cluster and a rival.

    The rival is the best cluster of the next draw whose best one differs; the first draw follows the last. If all draws
    agree, the rival is the second of each draw. Top-two Thompson sampling (Russo 2016).
    """
    if len(sampled) == 1:
        return ()
    leaders = np.argmax(sampled, axis=0).tolist()
    first = leaders[0]
    others = [*range(first), *range(first + 1, len(sampled))]
    rivals = [others[place] for place in np.argmax(sampled[others], axis=0).tolist()]
    if len(set(leaders)) > 1:
        for draw in 2 * [*reversed(range(len(leaders)))]:
            after = (draw + 1) % len(leaders)
            rivals[draw] = rivals[after] if leaders[after] == leaders[draw] else leaders[after]
    return tuple(zip(leaders, rivals, strict=True))


def prior_of(items: Sequence[Item], model: PriorParameters, limits: Limits = ROUND) -> StrengthPrior:
    """Return the prior that the model gives to these items. Raises ValueError as `fit` does."""
    if not 1 <= len(items) <= limits.items:
        raise ValueError(f"a fit takes 1 to {limits.items} items, not {len(items)}")
    low, high = SCALE_RANGE
    if not (0.0 <= model.beta <= BETA_MAX and low <= model.tau_u <= high and low <= model.tau_v <= high):
        raise ValueError(f"parameters out of range: {model}")
    if any(not 0 <= item.vote_weight <= WEIGHT_MAX or abs(item.author_weight) > WEIGHT_MAX for item in items):
        raise ValueError("an item's weight is out of range")
    clusters = np.array([item.cluster for item in items], dtype=np.int64)
    count = int(np.max(clusters)) + 1
    if set(clusters.tolist()) != set(range(count)):
        raise ValueError("clusters must be numbered from 0 without a gap")

    votes = [0] * count
    sizes = [0] * count
    records = [0] * count
    for item in items:
        votes[item.cluster] += item.vote_weight
        sizes[item.cluster] += 1
        records[item.cluster] += item.author_weight
    cluster_mean = _cluster_mean(votes, model)
    author_mean = np.array([item.author_weight for item in items]) / ONE

    variance_u, variance_v = model.tau_u * model.tau_u, model.tau_v * model.tau_v
    shrinkage = variance_u / (variance_v + np.array(sizes) * variance_u)
    same = clusters[:, None] == clusters[None, :]
    precision = np.where(same, -shrinkage[clusters] / variance_v, 0.0)
    np.fill_diagonal(precision, (1.0 - shrinkage[clusters]) / variance_v)
    mean = cluster_mean[clusters] + author_mean
    return StrengthPrior(
        clusters, cluster_mean, mean, author_mean, np.array(records) / ONE / sizes, shrinkage, precision
    )


def with_votes(prior: StrengthPrior, votes: Sequence[int], model: PriorParameters) -> StrengthPrior:
    """Return the prior with other votes, one per cluster in units of 1/ONE."""
    cluster_mean = _cluster_mean(votes, model)
    return replace(prior, cluster_mean=cluster_mean, mean=cluster_mean[prior.clusters] + prior.author_mean)


def _cluster_mean(votes: Sequence[int], model: PriorParameters) -> FloatArray:
    log_shares = exact_math.log(np.array(votes) / ONE + 2.0 / len(votes))  # log(Σn + 2) is missing: centring removes it
    return model.beta * (log_shares - exact_math.ordered_sum(log_shares) / len(votes))


def losses_of(items: int, rows: IntArray) -> FloatArray:
    """Shape (items, items): the weight that row i lost to column j, summed as integers: any order gives the same bits.

    `rows` has shape (rows, 4): first, second, preference, weight as in Comparison. The weights of all rows together are
    at most LOCAL.comparisons · WEIGHT_MAX, or sums would overflow. Raises ValueError as `fit` does.
    """
    first, second, preference, weight = rows.T
    for column, limit in ((first, items - 1), (second, items - 1), (preference, ONE), (weight, WEIGHT_MAX)):
        if np.any((column < 0) | (column > limit)):
            raise ValueError("a comparison is out of range")
    if np.any(first == second):
        raise ValueError("a comparison of an item with itself")
    sums = np.zeros((items, items), dtype=np.int64)
    np.add.at(sums, (second, first), weight * preference)
    np.add.at(sums, (first, second), weight * (ONE - preference))
    return sums.astype(np.float64) * 2.0**-32


def _cholesky(matrix: FloatArray, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return upper R with RᵀR = matrix (symmetric, positive definite), and R⁻ᵀ vector.

    Right-looking: each row in turn updates all that follow, element by element, so no dot product has an order to
    choose. The vector is processed as one more column. Below the diagonal R is not cleared.
    """
    size = len(vector)
    work = np.concatenate((matrix, vector[:, None]), axis=1)
    for k in range(size):
        row = work[k, k:]
        row /= math.sqrt(row[0])
        # Not `work[...] -= ...`, which would store the whole rest a second time.
        rest = work[k + 1 :, k + 1 :]
        rest -= row[1:-1, None] * row[1:]
    return work[:, :size], work[:, size]


def _back_substitute(upper: FloatArray, vector: FloatArray) -> FloatArray:
    """Solve R x = vector for vectors of shape (N,) or (N, k), one column of R at a time."""
    solution = vector.copy()
    columns = upper.reshape(*upper.shape, *(1,) * (vector.ndim - 1))
    for k in range(len(solution) - 1, -1, -1):
        solution[k] /= upper[k, k]
        rest = solution[:k]
        rest -= columns[:k, k] * solution[k]
    return solution


def _rounded(strengths: FloatArray) -> tuple[int, ...]:
    return tuple(int(value) for value in np.rint(strengths * STRENGTH_ONE).tolist())
