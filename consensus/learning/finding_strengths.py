"""The strengths of findings in a query: defaults, and coarse factors on them that an asker's gold supports.

Findings enter the fit as prior means of answers, so to first order around the prior mean they move an answer by
H⁻¹ P x, with x its features and H = P + ¼ (Laplacian of the comparisons), beside what votes and judgements say
(`gold_fit`). Factors of two, applied to each strength by itself, are scored by the likelihood of the order of right and
wrong answers. Nobody recomputes this: the query carries the result as integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from consensus.learning.agreement import FloatArray
from consensus.learning.dataset import JudgedQuestion
from consensus.learning.gold_fit import discount
from consensus.ranking.bradley_terry import LOCAL, Item, PriorParameters, prior_of
from consensus.ranking.finding_score import WARNINGS_MAX, FindingFeatures
from protocol.types import ONE

FACTORS = (0.25, 0.5, 1.0, 2.0)
"""Choices for each strength, as factors of its default. Never zero: what gold of a few rounds does not show may still
be so; and at most two: a crowd that behaves alike must not outweigh everything else."""

FACTOR_COST = 1.0
"""Log-likelihood that each factor of two away from the default must gain, as for β and τu (`experience`)."""

NAMES = ("agreement", "compiles", "tests", "lint")
"""Strengths that are learned, in the order of the features' columns."""


@dataclass(frozen=True, slots=True)
class FindingStrengths:
    """Strengths of findings in a query (`FindingsPlan`), in log-odds, and the share of votes that ends a round."""

    agreement: float = 1.35
    """For each unit of vote weight that agrees: measured on 65 tasks, an answer alone is right in 62 %, one with which
    another agrees in 86 %, with two in 96 %."""
    compiles: float = 1.0
    tests: float = 2.0
    lint: float = 0.3
    agreed_share: float = 0.6
    """Answers that fewer than this share agrees with were right in 89 % instead of 97 %."""


@dataclass(frozen=True, slots=True)
class CheckedQuestion:
    """A gold question whose answers were tested."""

    question: JudgedQuestion
    """Its judges and authors are indices into the weights of `learn_strengths`."""
    features: tuple[FindingFeatures, ...]
    """One for each answer."""


def learn_strengths(
    tested: Sequence[CheckedQuestion],
    judges: Sequence[int],
    authors: Sequence[int],
    model: PriorParameters,
    default: FindingStrengths = FindingStrengths(),
) -> FindingStrengths:
    """Return the strengths that these questions support; the default without any.

    Args:
        tested: gold questions with findings.
        judges: each judge's weight, 2^-16.
        authors: each author's weight, 2^-16.
        model: the prior that the next queries carry.
        default: the strengths that apply without gold.
    """
    factors = np.array(list(product(FACTORS, repeat=len(NAMES))))
    strengths = factors * [getattr(default, name) for name in NAMES]
    score = -FACTOR_COST * np.abs(np.log2(factors)).sum(axis=1)
    for each in tested:
        score += _log_likelihoods(each, judges, authors, model, strengths)
    best = strengths[int(np.argmax(score))].tolist()
    return replace(default, **dict(zip(NAMES, best, strict=True)))


def _log_likelihoods(
    tested: CheckedQuestion,
    judges: Sequence[int],
    authors: Sequence[int],
    model: PriorParameters,
    strengths: FloatArray,
) -> FloatArray:
    """Return the log-likelihood of a question's true order under each row of strengths, shape (rows,)."""
    question = tested.question
    references = list(question.references())
    if not references:
        return np.zeros(len(strengths))
    votes = question.votes or (ONE,) * len(question.answers)
    items = [
        Item(cluster, vote, authors[author])
        for cluster, vote, author in zip(question.clusters, votes, question.authors, strict=True)
    ]
    prior = prior_of(items, model, LOCAL)
    wins, laplacian = _comparisons(question, judges)
    covariance = np.linalg.inv(prior.precision + laplacian / 4.0)
    known = covariance @ (prior.precision @ prior.mean + wins)
    effects = covariance @ prior.precision @ np.array([_row(each) for each in tested.features])

    def apart(values: FloatArray) -> FloatArray:
        return np.array([values[list(each.better)].mean(axis=0) - values[list(each.worse)].mean(axis=0)
                         for each in references])  # fmt: skip

    odds = apart(known)[:, None] + apart(effects) @ strengths.T
    total: FloatArray = -np.array([each.weight for each in references]) @ np.logaddexp(0.0, -odds)
    return total


def _row(features: FindingFeatures) -> tuple[float, ...]:
    """Return what one unit of each strength adds to an answer, in the order of NAMES (`finding_score.score_of`)."""
    return (
        features.agreeing / ONE,
        float(features.compiles),
        float(features.checks),
        -features.warnings / WARNINGS_MAX,
    )


def _comparisons(question: JudgedQuestion, judges: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Return wins beyond one half, shape (answers,), and the Laplacian of the comparisons, at the judges' weights."""
    weights = {each.judge: judges[each.judge] / ONE for each in question.judgements}
    scale = discount(question, weights)
    size = len(question.answers)
    wins, laplacian = np.zeros(size), np.zeros((size, size))
    for each in question.judgements:
        weight, ends = weights[each.judge] * scale, [each.first, each.second]
        gain = weight * (each.preference / ONE - 0.5)
        wins[ends] += (gain, -gain)
        laplacian[ends, ends] += abs(weight)
        laplacian[ends, ends[::-1]] -= abs(weight)
    return wins, laplacian
