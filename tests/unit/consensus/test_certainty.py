"""P(correct): Platt's curve in exact arithmetic."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.ranking.certainty import UNCALIBRATED, log_odds, p_correct
from consensus.ranking.exact_math import DRAWS
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

shares = st.integers(0, ONE)
intercepts = st.integers(-WEIGHT_MAX, WEIGHT_MAX)
slopes = st.integers(0, WEIGHT_MAX)


@given(shares, intercepts, slopes)
def test_a_plain_reference_finds_the_same(p_best: int, intercept: int, slope: int) -> None:
    share = min(max(p_best / ONE, 0.5 / DRAWS), 1 - 0.5 / DRAWS)
    odds = intercept / ONE + slope / ONE * math.log(share / (1 - share))
    assert abs(p_correct(p_best, (intercept, slope, 0)) - ONE / (1 + math.exp(-odds))) <= 0.5 + 1e-6


@given(shares, shares, intercepts, slopes)
def test_it_grows_with_p_best_and_stays_a_probability(one: int, other: int, intercept: int, slope: int) -> None:
    low, high = (p_correct(each, (intercept, slope, 0)) for each in sorted((one, other)))
    assert 0 <= low <= high <= ONE


@given(st.integers(1, DRAWS - 1))
def test_without_calibration_it_is_p_best(draws: int) -> None:
    p_best = draws * ONE // DRAWS
    assert p_correct(p_best, UNCALIBRATED) == p_best


@pytest.mark.parametrize(("p_best", "taken_as"), [(0, ONE // DRAWS // 2), (ONE, ONE - ONE // DRAWS // 2)])
def test_all_draws_or_none_are_half_a_draw_from_certainty(p_best: int, taken_as: int) -> None:
    assert p_correct(p_best, UNCALIBRATED) == taken_as
    assert log_odds(p_best) == log_odds(taken_as)


@given(intercepts)
def test_a_slope_of_zero_says_the_same_of_every_round(intercept: int) -> None:
    assert p_correct(0, (intercept, 0, 0)) == p_correct(ONE, (intercept, 0, 0))
