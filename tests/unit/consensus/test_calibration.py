"""P(correct) on gold: intercept, slope, and what findings are worth beyond P(best)."""

from random import Random

import numpy as np
import pytest

from consensus.learning.calibration import WORTH_SPREAD, calibrate
from consensus.ranking import certainty
from consensus.ranking.finding_score import SCORE_MAX
from protocol.types import ONE

Claims = list[tuple[float, bool]]


def world(count: int, *, worth: float, seed: int = 1) -> tuple[Claims, list[int]]:
    """Claims at P(best) ½, right with log-odds of `worth` times their score, which is -2 or 2."""
    rng = Random(seed)
    scores = [rng.choice((-2, 2)) for _ in range(count)]
    claims = [(0.5, rng.random() < 1.0 / (1.0 + np.exp(-worth * score))) for score in scores]
    return claims, [score * ONE for score in scores]


def loss(claims: Claims, scores: list[int], coefficients: tuple[float, float, float]) -> float:
    """The negative log posterior, written down again."""
    intercept, slope, worth = coefficients
    total = (intercept**2 + (slope - 1.0) ** 2 + (worth / WORTH_SPREAD) ** 2) / 2.0
    for (p, true), score in zip(claims, scores, strict=True):
        found = max(-SCORE_MAX, min(score, SCORE_MAX)) / ONE
        odds = intercept + slope * certainty.log_odds(round(p * ONE)) + worth * found
        total += float(np.logaddexp(0.0, -odds if true else odds))
    return total


def test_without_gold_it_is_p_best() -> None:
    assert calibrate([]) == certainty.UNCALIBRATED


def test_scores_of_zero_change_no_bit() -> None:
    claims = [(0.9, True), (0.7, False), (1.0, True)] * 5
    assert calibrate(claims, [0] * len(claims)) == calibrate(claims)
    assert calibrate(claims)[2] == 0


def test_findings_are_worth_what_gold_shows() -> None:
    intercept, slope, worth = calibrate(*world(400, worth=0.8))
    assert worth / ONE == pytest.approx(0.8, abs=0.2)
    assert abs(intercept / ONE) < 0.3
    assert slope == ONE, "at even odds nothing is said of the slope"


def test_better_findings_never_mean_less() -> None:
    assert calibrate(*world(400, worth=-0.8))[2] == 0


def test_neither_certainty_nor_findings_that_mislead_count() -> None:
    claims = [(0.99, False), (0.1, True)] * 20
    _, slope, worth = calibrate(claims, [3 * ONE, -3 * ONE] * 20)
    assert (slope, worth) == (0, 0)


def test_one_gold_round_moves_little() -> None:
    _, _, worth = calibrate([(0.5, True)], [2 * ONE])
    assert 0 < worth / ONE < 0.3


def test_scores_beyond_the_largest_count_as_it() -> None:
    claims = world(50, worth=0.5)[0]
    highest = [SCORE_MAX if true else -SCORE_MAX for _, true in claims]
    assert calibrate(claims, highest) == calibrate(claims, [9 * each for each in highest])


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_best_of_all_permitted_coefficients(seed: int) -> None:
    """Against a grid around it: nothing with slope and worth of at least 0 has a higher posterior."""
    rng = Random(seed)
    right = rng.choice((0.2, 0.5, 0.8))
    claims = [(rng.randrange(257) / 256, rng.random() < right) for _ in range(rng.randint(1, 30))]
    scores = [rng.randint(-5 * ONE, 5 * ONE) for _ in claims]
    intercept, slope, worth = (each / ONE for each in calibrate(claims, scores))
    best = loss(claims, scores, (intercept, slope, worth))
    for steps in np.ndindex(5, 5, 5):
        moved = (np.array(steps) - 2) * 0.05 + (intercept, slope, worth)
        if min(moved[1:]) >= 0.0:
            assert loss(claims, scores, (moved[0], moved[1], moved[2])) >= best - 1e-4
