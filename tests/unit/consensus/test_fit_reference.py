"""The aggregator against its reference in plain Python, bit for bit, whatever the order of judgements."""

import random

import numpy as np

from consensus.ranking import judges
from consensus.ranking.bradley_terry import quantise
from tests.support import reference_fit
from tests.support.effort import cases

CASES = cases(200, fast=50, soak=1_000)


def test_many_cases_have_the_bits_of_plain_python_in_any_order():
    rng = random.Random(1)
    for number, case in enumerate(reference_fit.cases(CASES)):
        shuffled = rng.sample(case.told, len(case.told))
        fitted = judges.posterior(case.items, case.judge_priors, shuffled, case.model)
        theta, expected = reference_fit.stated(case)
        assert fitted.theta.tolist() == theta, number
        assert quantise(fitted) == expected, number
        assert np.array_equal(quantise(fitted).sampled, expected.sampled), number
