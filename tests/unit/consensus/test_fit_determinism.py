"""The same bits in other processes: hash seeds, NumPy CPU features. Run as a script, this file is the child process."""

import ast
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from consensus.ranking import bradley_terry, certainty, exact_math, judges, pairing
from consensus.ranking.bradley_terry import Comparison, Item, PriorParameters
from consensus.ranking.judges import JudgedComparison, JudgePrior
from protocol.types import ONE
from tests.support import reference_fit
from tests.support.effort import cases

ROOT = Path(__file__).parents[3]

CASES = cases(200, fast=50, soak=1_000)

PINNED_DIGEST = "5701be4324194d9aaffabb32f199b142"
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
        bench = [
            JudgePrior(
                rng.randint(-2 * ONE, 2 * ONE), rng.choice((None, k)), (4 * ONE, rng.randint(1, ONE), ONE, ONE // 2)
            )
            for k in range(count)
        ]
        told = [
            JudgedComparison(k % count, c.first, c.second, rng.choice((0, ONE, c.preference)))
            for k, c in enumerate(comparisons)
        ]
        fitted = judges.posterior(items, bench, told, model)
        state.update(fitted.theta.tobytes() + repr(bradley_terry.quantise(fitted)).encode())
        calibration = rng.randint(-2 * ONE, 2 * ONE), rng.randrange(3 * ONE)
        sure = [certainty.p_correct(each, *calibration) for each in bradley_terry.quantise(fitted).p_best]
        state.update(repr(sure).encode())
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
        fitted = judges.posterior(case.items, case.bench, rng.sample(case.told, len(case.told)), case.model)
        state.update(fitted.theta.tobytes() + repr(bradley_terry.quantise(fitted)).encode())
    return state.hexdigest()


def enabled_features() -> list[str]:
    return [name for name in __cpu_dispatch__ if __cpu_features__[name]]


def disabled_sets() -> list[tuple[str, ...]]:
    """Each dispatched feature of this CPU alone, then all of them."""
    enabled = enabled_features()
    return [*((name,) for name in enabled), tuple(enabled)] if enabled else []


def child(hash_seed: int, disabled: tuple[str, ...] = (), *arguments: str) -> dict[str, object]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NPY_")}
    environment |= {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    if disabled:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(disabled)
    command = [sys.executable, "-W", "error", __file__, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_digest_is_the_pinned_one():
    assert digest_of_many_fits() == PINNED_DIGEST


@pytest.mark.parametrize("hash_seed", [0, 1, 4_294_967_295])
def test_same_bits_under_any_hash_seed(hash_seed: int):
    assert child(hash_seed)["digest"] == PINNED_DIGEST


@pytest.mark.skipif(not enabled_features(), reason="NumPy dispatches to no CPU feature here: none to switch off")
@pytest.mark.parametrize("disabled", disabled_sets(), ids="+".join)
def test_same_bits_without_cpu_features(disabled: tuple[str, ...]):
    told = child(0, disabled)
    assert told["enabled"] == [name for name in enabled_features() if name not in disabled], "nothing was switched off"
    assert told["digest"] == PINNED_DIGEST


def test_many_cases_have_the_same_bits_in_a_process_unlike_this_one():
    told = child(7, tuple(enabled_features()), "cases")
    assert told["cases"] == digest_of_cases(1)


def test_float_code_uses_only_operations_with_fixed_bits():
    """A new numpy function in the aggregator needs a reason why its bits are fixed; then it joins this list."""
    element_wise = {"abs", "clip", "copysign", "frexp", "maximum", "minimum", "rint", "sqrt"}  # IEEE 754 defines them
    choose_or_move = {
        "any",
        "argmax",
        "array",
        "concatenate",
        "diagonal",
        "fill_diagonal",
        "frombuffer",
        "max",
        "where",
    }
    ordered_or_integer = {"add.accumulate", "add.at", "bincount", "zeros"}
    types = {"float64", "int64", "uint64"}
    used = set()
    for module in (exact_math, bradley_terry, judges, certainty):
        source = Path(str(module.__file__)).read_text()
        used |= {
            name.removeprefix("np.") for name in re.findall(r"\b(?:np|math)\.[a-z0-9_.]+[a-z0-9]", code_of(source))
        }
        assert not any(isinstance(node, ast.MatMult) for node in ast.walk(ast.parse(source)))
    assert used == element_wise | choose_or_move | ordered_or_integer | types | {"math.sqrt"}


def code_of(source: str) -> str:
    """The source without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return ast.unparse(tree)


if __name__ == "__main__":
    found: dict[str, object] = {"enabled": enabled_features()}
    found |= {"cases": digest_of_cases(2)} if sys.argv[1:] == ["cases"] else {"digest": digest_of_many_fits()}
    print(json.dumps(found))
