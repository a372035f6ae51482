"""Digests over the bits of many fits. Run as a script, this file is a process that tells its own."""

import hashlib
import json
import random
import sys

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from consensus.ranking import bradley_terry, certainty, judges, pairing
from consensus.ranking.bradley_terry import Comparison, Item, PriorParameters
from consensus.ranking.judges import JudgedComparison, JudgePrior
from protocol.types import ONE
from tests.support import reference_fit
from tests.support.effort import cases

CASES = cases(200, fast=50, soak=1_000)

PINNED_DIGEST = "1e4ea2dc9823a2cfaab04ed2a0698b71"
"""Seen on x86-64 (Zen 4), NumPy 2.4. Another value means another aggregator: NetworkParams must name a new version."""


def digest_of_many_fits() -> str:
    """Over the bits of θ, the integers of the fit and the next assignment, for rounds of all sizes."""
    rng = random.Random(20)
    state = hashlib.blake2b(digest_size=16)
    for count in (*range(1, 21), 35, 64, 100):
        clusters = rng.randint(1, count)
        names = [*range(clusters), *(rng.randrange(clusters) for _ in range(count - clusters))]
        items = [Item(name, rng.randrange(2 * ONE), rng.randint(-ONE, ONE)) for name in names]
        pairs = [rng.sample(range(count), 2) for _ in range(3 * count if count > 1 else 0)]
        comparisons = [Comparison(i, j, rng.randint(0, ONE), rng.randrange(2 * ONE)) for i, j in pairs]
        model = PriorParameters(beta=rng.choice((0.0, 0.7)))
        state.update(bradley_terry.maximum_a_posteriori(items, comparisons, model).theta.tobytes())
        state.update(repr(bradley_terry.fit(items, comparisons, model)).encode())
        keys = [rng.randbytes(32) for _ in range(count)]
        judged = {keys[k % count]: [] for k in range(len(pairs))}
        for k, pair in enumerate(pairs):
            judged[keys[k % count]].append(pair)
        judge_priors = [
            JudgePrior(
                rng.randint(-2 * ONE, 2 * ONE), rng.choice((None, k)), (4 * ONE, rng.randint(1, ONE), ONE, ONE // 2)
            )
            for k in range(count)
        ]
        told = [
            JudgedComparison(k % count, c.first, c.second, rng.choice((0, ONE, c.preference)))
            for k, c in enumerate(comparisons)
        ]
        fitted = judges.posterior(items, judge_priors, told, model)
        state.update(fitted.theta.tobytes() + repr(bradley_terry.quantise(fitted)).encode())
        calibration = rng.randint(-2 * ONE, 2 * ONE), rng.randrange(3 * ONE), rng.randint(-ONE, ONE)
        score = rng.randint(-8 * ONE, 8 * ONE)
        sure = [certainty.p_correct(each, calibration, score) for each in bradley_terry.quantise(fitted).p_best]
        state.update(repr(sure).encode())
        state.update(bradley_terry.quantise(fitted).sampled.tobytes())
        assigned = pairing.assign_pairs(
            beacon=rng.randbytes(32),
            wave=rng.randrange(4),
            judges=keys,
            authors=keys,
            clusters=names,
            pairs_per_judge=3,
            judged=judged,
            duels=bradley_terry.quantise(fitted).duels,
        )
        state.update(repr(assigned).encode())
    return state.hexdigest()


def digest_of_cases(seed: int) -> str:
    """Over the cases that plain Python recomputes bit for bit (test_fit_reference), in any order."""
    rng = random.Random(seed)
    state = hashlib.blake2b(digest_size=16)
    for case in reference_fit.cases(CASES):
        fitted = judges.posterior(case.items, case.judge_priors, rng.sample(case.told, len(case.told)), case.model)
        state.update(fitted.theta.tobytes() + repr(bradley_terry.quantise(fitted)).encode())
    return state.hexdigest()


def enabled_features() -> list[str]:
    return [name for name in __cpu_dispatch__ if __cpu_features__[name]]


if __name__ == "__main__":
    found: dict[str, object] = {"enabled": enabled_features()}
    found |= {"cases": digest_of_cases(2)} if sys.argv[1:] == ["cases"] else {"digest": digest_of_many_fits()}
    print(json.dumps(found))
