"""One seed, one run: in every process, and whether results are shared between nodes or not."""

import json
import os
import shlex
import subprocess
from typing import Any

import pytest

from protocol.recall import forgetting
from simnet.scenario import Scenario
from simnet.study import repeat_command
from tests.simulation.worlds import REQUESTERS, hostile, simulate
from tests.support.processes import STRAND


def mixed(seed: int) -> Scenario:
    """Two rounds in which everything goes wrong, with one dishonest node of most kinds."""
    kinds = ("equivocator", "flooder", "replayer", "late", "sleeper", "inverse", REQUESTERS[0])
    return hostile(seed, nodes=15, rounds=2, byzantine=dict.fromkeys(kinds, 0.07))


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """The summary of one run in this process, with `trace_digest`."""
    return simulate(mixed(7)).run.summary()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_sees_the_same(here: dict[str, Any], hash_seed: str) -> None:
    command = shlex.split(repeat_command(mixed(7)))
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([STRAND, *command[1:], "--json"], capture_output=True, env=environment, timeout=120)
    assert json.loads(done.stdout) == here, done.stderr.decode()


def test_another_seed_is_another_run(here: dict[str, Any]) -> None:
    assert simulate(mixed(8)).run.trace_digest != here["trace_digest"]


def test_shared_results_change_nothing(here: dict[str, Any]) -> None:
    with forgetting():
        assert simulate(mixed(7)).run.summary() == here
