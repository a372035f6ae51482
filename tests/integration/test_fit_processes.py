"""The same bits in other processes: hash seeds, NumPy CPU features."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import fit_digests
from tests.support.fit_digests import PINNED_DIGEST, digest_of_cases, enabled_features

ROOT = Path(__file__).parents[2]


def disabled_sets() -> list[tuple[str, ...]]:
    """Each dispatched feature of this CPU alone, then all of them."""
    enabled = enabled_features()
    return [*((name,) for name in enabled), tuple(enabled)] if enabled else []


def child(hash_seed: int, disabled: tuple[str, ...] = (), *arguments: str) -> dict[str, object]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NPY_")}
    environment |= {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    if disabled:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(disabled)
    command = [sys.executable, "-W", "error", fit_digests.__file__, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
