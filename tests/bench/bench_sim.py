"""Simulated swarms of growing size: `python -P -m tests.bench.bench_sim`.

Every shard asks as many rounds in each size, so that time and memory should grow with the number of nodes to the power
of 1. Each world runs in a process of its own, whose peak memory is read at its end; sizes take turns. Beside the
smallest stands the same world without recalled results (protocol.recall), and what the aggregate layer takes.
"""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import resources

from protocol.params import NetworkParams
from protocol.recall import forgetting
from simnet.aggregate import run_aggregate
from simnet.plan import Plan
from simnet.preset import presets_from
from simnet.scenario import scenario_from
from simnet.world import run_world
from tests.bench.harness import Bench, Figure

SHARD_NODES_MAX = 50
ROUNDS_PER_S_LEAST = 5.0
"""of 25 nodes, one shard"""
LARGE = 1_000
LARGE_S_MAX = 120.0
"""for 100 rounds of 1,000 nodes in 20 shards"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The worlds, by their number of nodes, and how often each is run."""

    sizes: tuple[int, ...] = (25, 100, 1_000)
    rounds_per_shard: int = 5
    repeats: int = 3
    aggregate_rounds: int = 100


def shards(nodes: int) -> int:
    """How many there are."""
    return -(-nodes // SHARD_NODES_MAX)


def world(nodes: int, rounds: int, *, recall: bool = True, layer: str = "network") -> dict[str, float]:
    """Simulate one world in this process."""
    configs = resources.files("configs")
    presets = presets_from(tomllib.loads(configs.joinpath("presets.toml").read_text()))
    params = NetworkParams.from_mapping(tomllib.loads(configs.joinpath("params/devnet.toml").read_text()))
    shard_nodes = min(nodes, SHARD_NODES_MAX)
    scenario = scenario_from({"nodes": nodes, "shard_nodes": shard_nodes, "rounds": rounds, "layer": layer})
    plan = Plan(scenario, presets[scenario.preset], params)
    before = time.perf_counter()
    with nullcontext() if recall else forgetting():
        run = run_world(plan) if layer == "network" else run_aggregate(plan)
    took = time.perf_counter() - before
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rounds": rounds, "events": run.events, "seconds": took, "peak_mib": peak_kib / 1024}


def in_process(nodes: int, rounds: int, **options: object) -> dict[str, float]:
    """The same in a process of its own."""
    run = f"world({nodes}, {rounds}, **{options!r})"
    call = f"import json; from tests.bench.bench_sim import world; print(json.dumps({run}))"
    done = subprocess.run([sys.executable, "-P", "-c", call], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Slope of log value over log size, least squares."""
    fit = statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values])
    return fit.slope


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the tables."""
    sizes = settings.sizes
    found: dict[int, list[dict[str, float]]] = {nodes: [] for nodes in sizes}
    for _ in range(settings.repeats):
        for nodes, runs in found.items():
            runs.append(in_process(nodes, settings.rounds_per_shard * shards(nodes)))
    print(f"{'nodes':>6} {'shards':>6} {'rounds':>6} {'rounds/s':>9} {'events/s':>9} {'s/round':>8} {'peak MiB':>9}")
    medians, peaks = [], []
    for nodes, runs in found.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        peak = statistics.median(run["peak_mib"] for run in runs)
        rounds, events = runs[0]["rounds"], runs[0]["events"]
        medians.append(seconds)
        peaks.append(peak)
        print(
            f"{nodes:>6} {shards(nodes):>6} {rounds:>6.0f} {rounds / seconds:>9.1f}"
            f" {events / seconds:>9.0f} {seconds / rounds:>8.3f} {peak:>9.0f}"
        )
        if nodes == LARGE:
            name = f"{rounds:.0f} rounds of {nodes} nodes in {shards(nodes)} shards"
            yield Figure(name=name, value=seconds, unit=" s", anchor=f"peak memory {peak:.0f} MiB", at_most=LARGE_S_MAX)
        elif nodes == sizes[0]:
            yield Figure(
                name=f"rounds of {nodes} nodes", value=rounds / seconds, unit="/s", at_least=ROUNDS_PER_S_LEAST
            )
    yield Figure(
        name=f"growth of time with nodes, every shard asking {settings.rounds_per_shard}: power",
        value=exponent(sizes, medians),
        anchor="1: the same work a node",
    )
    yield from _small(settings, peaks[-1])
    print(f"on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {settings.repeats}, one at a time")


def _small(settings: Settings, peak_mib: float) -> Iterator[Figure]:
    """What is measured beside the smallest world."""
    smallest, largest = settings.sizes[0], settings.sizes[-1]
    least = in_process(smallest, 1)["peak_mib"]
    each_kib = (peak_mib - least) / largest * 1024
    yield Figure(
        name=f"memory a node, {largest} nodes", value=each_kib, unit=" KiB", anchor=f"one round {least:.0f} MiB"
    )
    shared, alone = (
        statistics.median(
            in_process(smallest, settings.rounds_per_shard, recall=recall)["seconds"] for _ in range(settings.repeats)
        )
        for recall in (True, False)
    )
    yield Figure(
        name=f"{smallest} nodes without recalled results", value=alone / shared, unit=" x", anchor="with them 1 x"
    )
    aggregate = in_process(smallest, settings.aggregate_rounds, layer="aggregate")
    yield Figure(
        name=f"rounds of {smallest} nodes, aggregate layer", value=aggregate["rounds"] / aggregate["seconds"], unit="/s"
    )


BENCH = Bench("sim", measure, Settings(), Settings((3, 6), rounds_per_shard=1, repeats=1, aggregate_rounds=1))

if __name__ == "__main__":
    BENCH.main()
