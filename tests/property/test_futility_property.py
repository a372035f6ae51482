"""R19 against brute force: what one more wave is expected to gain, with every wave that may come played out."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.ranking.bradley_terry import STRENGTH_ONE, Fit, FloatArray
from consensus.ranking.exact_math import DRAWS, normal_draws
from consensus.ranking.futility import decisiveness_of, expected_gain, information_of
from protocol.limits import MEMBERS_MAX, PAIRS_MAX, WEIGHT_MAX
from protocol.types import ONE
from tests.support.effort import cases


def fit_of(ahead: float, spread: float, share: float = 1.0) -> Fit:
    """Two clusters whose difference is normal, with this share of the duels between them; the rest with a third."""
    normals = np.sort(normal_draws(1, DRAWS)[0])
    normals = (normals - normals.mean()) / normals.std()
    sampled = np.zeros((3, DRAWS))
    sampled[0] = ahead + spread * normals
    sampled[2] = -50.0
    duels = round(share * DRAWS)
    strengths = (round(ahead * STRENGTH_ONE), 0, -50 * STRENGTH_ONE)
    return Fit(
        strengths=strengths,
        cluster_strengths=strengths,
        p_best=(ONE, 0, 0),
        duels=((0, 1),) * duels + ((1, 2),) * (DRAWS - duels),
        sampled=np.rint(sampled * STRENGTH_ONE).astype(np.int64),
        intervals=(),
    )


def gain(ahead: float, spread: float, judges: float, decisiveness: float = 1.0, share: float = 1.0) -> float:
    information = information_of([round(judges * ONE)], 1)
    return expected_gain(fit_of(ahead, spread, share), 0, information, round(decisiveness * ONE)) / ONE


def played_out(ahead: float, spread: float, comparisons: int, loudness: float = 1.0) -> float:
    """The expected gain over all outcomes of a wave: how many judges prefer the leader, and the posterior then.

    Each says ½ ± loudness/2, and is right with the probability of the Bradley-Terry model; the fit takes what it says
    as that share of a win. Posterior means on a grid.
    """
    grid = np.linspace(ahead - 7.0 * spread, ahead + 7.0 * spread, 2001)
    prior = np.exp(-0.5 * ((grid - ahead) / spread) ** 2)
    prior /= prior.sum()
    win = 1.0 / (1.0 + np.exp(-grid))
    total = 0.0
    for won in range(comparisons + 1):
        chance: FloatArray = math.comb(comparisons, won) * win**won * (1.0 - win) ** (comparisons - won)
        said = comparisons / 2.0 + loudness * (won - comparisons / 2.0)
        log_posterior = np.log(prior + 1e-300) + said * np.log(win) + (comparisons - said) * np.log(1.0 - win)
        posterior = np.exp(log_posterior - log_posterior.max())
        mean = float((posterior * grid).sum() / posterior.sum())
        total += float((prior * chance).sum()) * max(0.0, -mean)
    return total


@pytest.mark.parametrize("spread", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("ahead", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("comparisons", [3, 7, 20])
def test_the_gain_is_that_of_all_waves_played_out(ahead: float, spread: float, comparisons: int) -> None:
    """Nearly: a comparison brings a quarter only near even odds, and outcomes are discrete."""
    expected = played_out(ahead, spread, comparisons)
    assert gain(ahead, spread, comparisons) == pytest.approx(expected, abs=0.005, rel=0.15)


@pytest.mark.parametrize("loudness", [0.1, 0.5])
def test_judges_that_say_little_move_the_answer_as_little(loudness: float) -> None:
    """Preferences near one half: decisiveness is the square of how far they are from it."""
    expected = played_out(0.0, 0.6, 7, loudness)
    assert gain(0.0, 0.6, 7, decisiveness=loudness**2) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("ahead", [0.0, 0.2])
def test_the_gain_is_that_of_a_drawn_sample(ahead: float) -> None:
    """Preposterior means drawn one by one: a true difference, a noisy observation of it, the posterior mean."""
    rng = np.random.default_rng(7)
    spread, information = 0.7, 2.0
    true = rng.normal(ahead, spread, 400_000)
    seen = true + rng.normal(0.0, information**-0.5, 400_000)
    mean = (ahead / spread**2 + information * seen) / (1.0 / spread**2 + information)
    assert gain(ahead, spread, 4.0 * information) == pytest.approx(float(np.maximum(0.0, -mean).mean()), abs=0.01)


aheads = st.floats(0.0, 4.0)
spreads = st.floats(0.01, 4.0)
judges = st.floats(0.0, 16.0)
shares = st.floats(0.0, 1.0)


@given(aheads, spreads, judges, judges, shares, shares, shares, shares)
@settings(max_examples=cases(100, fast=30))
def test_more_information_is_never_worth_less(
    ahead: float, spread: float, one: float, other: float, loud: float, louder: float, share: float, more: float
) -> None:
    """Of information, of decisiveness, of duels; less certain leads gain more. Down to the last unit of 2^-16."""
    few, many = sorted((one, other))
    quiet, clear = sorted((loud, louder))
    some, most = sorted((share, more))
    least = gain(ahead, spread, few, quiet, some)
    assert 0.0 <= least <= gain(ahead, spread, many, clear, most)
    assert least >= gain(ahead + 0.5, spread, few, quiet, some)
    assert gain(ahead, spread, 0.0) == gain(ahead, spread, many, 0.0) == gain(ahead, spread, many, share=0.0) == 0.0


@given(aheads, spreads, judges)
@settings(max_examples=cases(100, fast=30))
def test_the_gain_is_at_most_that_of_certainty(ahead: float, spread: float, many: float) -> None:
    """Who knew every strength would gain E[max(0, -d)]."""
    fitted = fit_of(ahead, spread)
    known = float(np.maximum(0, fitted.sampled[1] - fitted.sampled[0]).mean()) / STRENGTH_ONE
    assert gain(ahead, spread, many) <= known + 2 / ONE


def test_the_largest_round_stays_within_integers() -> None:
    """64 clusters far apart, judged by everybody at the greatest weight, as often as is allowed."""
    rng = np.random.default_rng(3)
    sampled = rng.integers(-(10**3) * STRENGTH_ONE, 10**3 * STRENGTH_ONE, (MEMBERS_MAX, DRAWS))
    strengths = tuple(int(each) for each in rng.integers(-(10**3) * STRENGTH_ONE, 10**3 * STRENGTH_ONE, MEMBERS_MAX))
    leader = strengths.index(max(strengths))
    rivals = [pair for pair in combinations(range(MEMBERS_MAX), 2) if leader in pair]
    fitted = Fit(strengths, strengths, (0,) * MEMBERS_MAX, tuple((rivals * 5)[:DRAWS]), sampled, ())
    information = information_of([WEIGHT_MAX] * MEMBERS_MAX, PAIRS_MAX)
    found = expected_gain(fitted, leader, information, ONE)
    assert isinstance(found, int)
    assert found == pytest.approx(ONE * in_floats(fitted, leader, information / ONE), rel=1e-3)


def in_floats(fitted: Fit, leader: int, information: float) -> float:
    """R19 in plain floats, for decisive judges."""
    gains = []
    for rival, strength in enumerate(fitted.cluster_strengths):
        if rival != leader:
            mean = (fitted.cluster_strengths[leader] - strength) / STRENGTH_ONE
            ahead = (fitted.sampled[leader] - fitted.sampled[rival]) / STRENGTH_ONE
            narrowed = information * fitted.duels.count(tuple(sorted((leader, rival)))) / DRAWS * float(ahead.var())
            after = mean + (narrowed / (1.0 + narrowed)) ** 0.5 * (ahead - ahead.mean())
            gains.append(float(np.maximum(0.0, -after).mean()))
    return max(gains)


@given(st.lists(st.tuples(st.integers(0, WEIGHT_MAX), st.integers(0, ONE)), max_size=9))
def test_decisiveness_is_the_weighted_mean_of_squares(said: list[tuple[int, int]]) -> None:
    total = sum(weight for weight, _ in said)
    expected = sum(weight * (2 * preference / ONE - 1) ** 2 for weight, preference in said) / total if total else 0.0
    assert decisiveness_of(said) == pytest.approx(expected * ONE, abs=1)
    assert 0 <= decisiveness_of(said) <= ONE
