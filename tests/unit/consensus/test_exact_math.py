import math
import random

import numpy as np
import pytest
from scipy import special, stats

from consensus.ranking import exact_math


def ulps(value: np.ndarray, oracle: np.ndarray) -> float:
    return float(np.max(np.abs(value - oracle) / np.spacing(np.abs(oracle))))


def test_exp_is_within_two_ulps_of_libm():
    x = np.concatenate((np.linspace(-707.9, 707.9, 20_001), np.linspace(-3, 3, 20_001), 10.0 ** np.arange(-300, 1)))
    assert ulps(exact_math.exp(x), np.array([math.exp(value) for value in x.tolist()])) <= 2


def test_exp_stays_finite_and_positive_beyond_its_domain():
    ends = exact_math.exp(np.array([-1e300, -708.0, 708.0, 1e300]))
    assert ends[0] == ends[1] > 0
    assert ends[2] == ends[3] < math.inf


def test_log_is_within_two_ulps_of_libm():
    x = np.concatenate((10.0 ** np.linspace(-300, 300, 20_001), np.linspace(0.4, 2.5, 20_001)))
    assert ulps(exact_math.log(x), np.array([math.log(value) for value in x.tolist()])) <= 2


def test_logistic_is_within_four_ulps_of_scipy():
    x = np.concatenate((np.linspace(-700, 700, 20_001), np.linspace(-3, 3, 20_001)))
    assert ulps(exact_math.logistic(x), special.expit(x)) <= 4


def test_values_known_exactly():
    assert exact_math.exp(np.array([0.0, -0.0])).tolist() == [1.0, 1.0]
    assert exact_math.log(np.array([1.0])).tolist() == [0.0]
    assert exact_math.logistic(np.array([0.0])).tolist() == [0.5]
    assert exact_math.inverse_normal_cdf(np.array([0.5])).tolist() == [0.0]
    assert exact_math.log(exact_math.exp(np.array(1.0))) == 1.0, "a 0-d array is an array too"


def test_inverse_normal_agrees_with_scipy_in_all_three_ranges():
    p = np.concatenate(
        (np.linspace(0.001, 0.999, 9_999), 10.0 ** np.linspace(-300, -3, 10_001), 1 - 2.0 ** -np.arange(4, 54))
    )
    oracle = special.ndtri(p)
    value = exact_math.inverse_normal_cdf(p)
    assert np.all(np.abs(value - oracle) <= 4e-15 * np.abs(oracle) + 1e-16)


def test_inverse_normal_is_odd_about_one_half():
    p = np.arange(1, 4096) / 4096
    assert np.array_equal(exact_math.inverse_normal_cdf(p), -exact_math.inverse_normal_cdf(1 - p))


@pytest.mark.parametrize("shape", [(1,), (257,), (100, 100), (33, 5, 3)])
def test_ordered_sum_has_the_bits_of_a_loop(shape: tuple[int, ...]):
    rng = random.Random(7)
    # Magnitudes from 1e-8 to 1e8: another order of additions gives other bits.
    rows = np.array([rng.gauss(0, 1) * 10.0 ** rng.randint(-8, 8) for _ in range(math.prod(shape))]).reshape(shape)
    columns = rows.reshape(shape[0], -1).T.tolist()
    expected = []
    for column in columns:
        total = column[0]
        for value in column[1:]:
            total = total + value
        expected.append(total)
    assert exact_math.ordered_sum(rows).reshape(-1).tolist() == expected
    if shape[0] > 1:
        assert exact_math.ordered_sum(rows[::-1]).reshape(-1).tolist() != expected, "the data must tell orders apart"


def test_draws_do_not_depend_on_the_size_of_the_table():
    table = exact_math.normal_draws(40)
    assert table.shape == (40, exact_math.DRAWS)
    assert np.array_equal(exact_math.normal_draws(7), table[:7])
    assert np.array_equal(exact_math.normal_draws(40, 13), table[:, :13])


def test_draws_are_standard_normal_and_independent():
    table = exact_math.normal_draws(64)
    assert stats.kstest(table.reshape(-1), "norm").pvalue > 0.01
    correlation = np.corrcoef(table) - np.eye(64)
    assert np.max(np.abs(correlation)) < 5 / math.sqrt(exact_math.DRAWS)


def test_draws_are_read_only_because_they_are_shared():
    with pytest.raises(ValueError, match="read-only"):
        exact_math.normal_draws(3)[0, 0] = 0.0
