"""A mixture of four characters for each judge, fitted together with the strengths.

Most judges prefer the better answer, more or less (`honest`). Some prefer the worse (`inverse`), some do not look
(`coin`), some prefer answers equal to their own, whatever they are worth (`partisan`). A round's few judgements show
little about one judge, but accomplices expose each other: judges with the same answer share a prior.

Expectation-maximisation (Dempster, Laird and Rubin 1977), each maximisation a fit of bradley_terry. All sums that pass
from one step to the next are of integers, so the order of judgements has no effect and equal arguments give equal bits.
consensus/README.md has the formulas and their measured effect.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking import exact_math
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking.bradley_terry import (
    ROUND,
    IntArray,
    Item,
    Limits,
    Posterior,
    PriorParameters,
    losses_of,
    mode,
    prior_of,
    with_votes,
)
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking.exact_math import FloatArray
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.limits import WEIGHT_MAX
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import ONE

CharacterCounts = tuple[int, int, int, int]

HONEST, INVERSE, COIN, PARTISAN = range(4)

FRESH: CharacterCounts = (4 * ONE, 3 * ONE // 10, ONE, 3 * ONE // 10)
"""Dirichlet prior of a judge without history: honest, inverse, coin, partisan; 2^-16."""

LOYALTY = 63_570
"""Probability, 2^-16, .97, with which a partisan prefers its own answer's cluster; below 1, because it may err."""

_STEPS = 3
_DONE_BETWEEN = 0.05
"""Log-odds by which intermediate strengths may be inexact (a generalised EM); the last ones are exact."""


def invert_counts(counts: CharacterCounts) -> CharacterCounts:
    """Return the counts of a judge whose preferences are inverted: honest and inverse are exchanged."""
    honest, inverse, coin, partisan = counts
    return inverse, honest, coin, partisan


@dataclass(frozen=True, slots=True)
class JudgePrior:
    """A judge as known before the round. Counts and weights in 2^-16."""

    weight: int = ONE
    """Weight of its judgements, −WEIGHT_MAX to WEIGHT_MAX; a negative weight inverts its preferences."""
    answer: int | None = None
    """Index of its own answer among the items."""
    counts: CharacterCounts = FRESH


@dataclass(frozen=True, slots=True)
class JudgedComparison:
    """One comparison of two different items by one judge."""

    judge: int
    first: int
    second: int
    preference: int
    """Probability that the first is better, 0 to ONE."""


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A round's judgements as arrays; J judges, M judgements."""

    judge: IntArray
    first: IntArray
    second: IntArray
    preference: IntArray
    """Shape (M,), inverted for judges of negative weight."""
    weight: IntArray
    """Shape (M,): absolute value of the judge's weight."""
    own: IntArray
    """Shape (M,): 1 if only the first is of the judge's own cluster, -1 if only the second is, else 0."""
    counts: IntArray
    """Shape (J, 4): prior counts."""
    heard: IntArray
    """Shape (J, 1): 1 for judges with weight, 0 for those without."""
    answer_group: IntArray
    """Shape (J,): the judge's answer group, which is the cluster of its own answer; a number that no cluster has if it
    has no answer."""


def posterior(
    items: Sequence[Item],
    judges: Sequence[JudgePrior],
    judgements: Iterable[JudgedComparison],
    model: PriorParameters,
    limits: Limits = ROUND,
) -> Posterior:
    """Compute the posterior of the strengths from all judgements; characters share each judge's weight.

    Raises:
        ValueError: an argument breaks a documented bound. Callers validate input from outside, so it is a bug.
        FitDidNotConverge: the fit in bradley_terry ran out of steps.
    """
    case = _case(items, judges, judgements, limits)
    shares = _shares(_log_prior(case, None))
    prior = prior_of(items, model, limits)
    fitted = mode(prior, _losses(len(items), case, shares), done=_DONE_BETWEEN)
    for step in range(1, _STEPS + 1):
        shares = _shares(_log_prior(case, shares) + _log_likelihood(case, fitted.theta))
        prior = with_votes(prior, _votes(items, judges, shares), model)
        last = {} if step == _STEPS else {"done": _DONE_BETWEEN}
        fitted = mode(prior, _losses(len(items), case, shares), fitted.theta, **last)
    return fitted


def characters(
    items: Sequence[Item], judges: Sequence[JudgePrior], judgements: Iterable[JudgedComparison], theta: FloatArray
) -> IntArray:
    """Shape (J, 4), 2^-16: each judge's character probabilities, given the items' strengths `theta`, shape (N,).

    Each judge is considered alone, without its answer group. Raises ValueError as `posterior` does.
    """
    case = _case(items, judges, judgements)
    return _shares(_log_prior(case, None) + _log_likelihood(case, theta))


def leaving_out(
    items: Sequence[Item],
    judges: Sequence[JudgePrior],
    judgements: Sequence[JudgedComparison],
    model: PriorParameters,
    fitted: Posterior,
) -> Iterator[FloatArray]:
    """Yield for each judge the cluster strengths, shape (C,), without its judgements and without its answer's vote.

    Characters stay as `fitted` leaves them; its mode is near, so one or two steps find the new one.
    """
    case = _case(items, judges, judgements)
    shares = _shares(_log_prior(case, None) + _log_likelihood(case, fitted.theta))
    for number, judge in enumerate(judges):
        others = replace(case, weight=np.where(case.judge == number, 0, case.weight))
        votes = _votes(items, judges, shares)
        if judge.answer is not None:
            item = items[judge.answer]
            votes[item.cluster] -= item.vote_weight * (ONE - int(shares[number, PARTISAN])) // ONE
        prior = with_votes(fitted.prior, votes, model)
        yield mode(prior, _losses(len(items), others, shares), fitted.theta, _DONE_BETWEEN).cluster_strengths()


def _case(
    items: Sequence[Item], judges: Sequence[JudgePrior], judgements: Iterable[JudgedComparison], limits: Limits = ROUND
) -> _Case:
    rows = [(each.judge, each.first, each.second, each.preference) for each in judgements]
    if len(rows) > limits.comparisons:
        raise ValueError(f"a fit takes at most {limits.comparisons} comparisons, not {len(rows)}")
    if any(abs(judge.weight) > WEIGHT_MAX or not 0 < min(judge.counts) <= max(judge.counts) for judge in judges):
        raise ValueError("a judge's weight or counts are out of range")
    clusters = np.array([item.cluster for item in items], dtype=np.int64)
    nowhere = len(items)
    answer_group = np.array(
        [nowhere if each.answer is None else items[each.answer].cluster for each in judges], dtype=np.int64
    )
    judge, first, second, preference = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    for column, limit in ((judge, len(judges) - 1), (first, len(items) - 1), (second, len(items) - 1)):
        if np.any((column < 0) | (column > limit)):
            raise ValueError("a judgement is out of range")
    weight = np.array([each.weight for each in judges], dtype=np.int64)[judge]
    return _Case(
        judge=judge,
        first=first,
        second=second,
        preference=np.where(weight < 0, ONE - preference, preference),
        weight=np.abs(weight),
        own=(clusters[first] == answer_group[judge]).astype(np.int64) - (clusters[second] == answer_group[judge]),
        counts=np.array([each.counts for each in judges], dtype=np.int64).reshape(-1, 4),
        heard=np.array([[int(each.weight != 0)] for each in judges], dtype=np.int64),
        answer_group=answer_group,
    )


def _log_prior(case: _Case, shares: IntArray | None) -> FloatArray:
    """Shape (J, 4): logarithms of the Dirichlet counts plus the shares of judges that gave the same answer.

    A judge's own share is left out, because it would count its own judgements a second time. So are the shares of
    judges without weight: identities are free, and a crowd of them must not shape how others with the same answer look.
    """
    counts = case.counts
    if shares is not None:
        heard = shares * case.heard
        answer_groups = np.zeros((int(np.max(case.answer_group)) + 1, 4), dtype=np.int64)
        np.add.at(answer_groups, case.answer_group, heard)
        counts = counts + answer_groups[case.answer_group] - heard
    total = exact_math.log(np.add.accumulate(counts, axis=1)[:, -1:].astype(np.float64))
    return exact_math.log(counts.astype(np.float64)) - total


def _log_likelihood(case: _Case, theta: FloatArray) -> FloatArray:
    """Shape (J, 4): log-likelihood of each judge's judgements under each character, summed as integers in 2^-16."""
    apart = theta[case.first] - theta[case.second]
    win, loss = exact_math.log(exact_math.logistic(apart)), exact_math.log(exact_math.logistic(-apart))
    said = case.preference / ONE
    honest = said * win + (1.0 - said) * loss
    inverse = (1.0 - said) * win + said * loss
    loyal = np.where(case.own > 0, said, 1.0 - said)
    true, false = _LOG_LOYAL
    partisan = np.where(case.own != 0, loyal * true + (1.0 - loyal) * false, honest)
    coin = np.zeros(len(said)) + _LOG_HALF
    sums = np.zeros((len(case.counts), 4), dtype=np.int64)
    for character, logs in enumerate((honest, inverse, coin, partisan)):
        np.add.at(sums[:, character], case.judge, np.rint(logs * ONE).astype(np.int64))
    return sums / ONE


_LOG_LOYAL = tuple(float(value) for value in exact_math.log(np.array([LOYALTY / ONE, 1.0 - LOYALTY / ONE])).tolist())
_LOG_HALF = float(exact_math.log(np.array(0.5)))


def _shares(logs: FloatArray) -> IntArray:
    """Shape (J, 4): probabilities in 2^-16 from their logarithms up to a constant."""
    sizes = exact_math.exp(logs - np.max(logs, axis=1)[:, None])
    total = np.add.accumulate(sizes, axis=1)[:, -1:]
    return np.rint(sizes / total * ONE).astype(np.int64)


def _losses(items: int, case: _Case, shares: IntArray) -> FloatArray:
    """Return the losses of bradley_terry.losses_of, with weights by character.

    Honest shares count as they are, inverse ones inverted, others not at all. A partisan is honest about answers that
    are not its own: that is how it hides.
    """
    shown = shares[case.judge]
    honest = shown[:, HONEST] + np.where(case.own == 0, shown[:, PARTISAN], 0)
    straight = (case.first, case.second, case.preference, case.weight * honest // ONE)
    turned = (case.first, case.second, ONE - case.preference, case.weight * shown[:, INVERSE] // ONE)
    return losses_of(items, np.concatenate((np.array(straight).T, np.array(turned).T)))


def _votes(items: Sequence[Item], judges: Sequence[JudgePrior], shares: IntArray) -> list[int]:
    """Return the votes per cluster. A partisan's vote counts as little as its judgements of its own answer."""
    honest = [ONE] * len(items)
    for judge, partisan in zip(judges, shares[:, PARTISAN].tolist(), strict=True):
        if judge.answer is not None:
            honest[judge.answer] -= partisan
    votes = [0] * (max(item.cluster for item in items) + 1)
    for item, share in zip(items, honest, strict=True):
        votes[item.cluster] += item.vote_weight * share // ONE
    return votes
