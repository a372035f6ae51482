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
from contextlib import nullcontext
from importlib import resources

from protocol.params import NetworkParams
from protocol.recall import forgetting
from simnet.aggregate import run_aggregate
from simnet.oracle import presets_from
from simnet.plan import Plan
from simnet.scenario import scenario_from
from simnet.world import run_world

SIZES = {25: 25, 100: 50, 1000: 50}
"""Nodes -> nodes of a shard."""
ROUNDS_PER_SHARD = 5
REPEATS = 3


def world(nodes: int, *, recall: bool = True, layer: str = "network", rounds: int | None = None) -> dict[str, float]:
    """Simulate one world in this process."""
    configs = resources.files("configs")
    presets = presets_from(tomllib.loads(configs.joinpath("presets.toml").read_text()))
    params = NetworkParams.from_mapping(tomllib.loads(configs.joinpath("params/devnet.toml").read_text()))
    shards = -(-nodes // SIZES[nodes])
    rounds = rounds or ROUNDS_PER_SHARD * shards
    scenario = scenario_from({"nodes": nodes, "shard_nodes": SIZES[nodes], "rounds": rounds, "layer": layer})
    plan = Plan(scenario, presets[scenario.preset], params)
    before = time.perf_counter()
    with nullcontext() if recall else forgetting():
        run = run_world(plan) if layer == "network" else run_aggregate(plan)
    took = time.perf_counter() - before
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rounds": rounds, "events": run.events, "seconds": took, "peak_mib": peak_kib / 1024}


def in_process(nodes: int, **options: object) -> dict[str, float]:
    """The same in a process of its own."""
    call = f"import json; from tests.bench.bench_sim import world; print(json.dumps(world({nodes}, **{options!r})))"
    done = subprocess.run([sys.executable, "-P", "-c", call], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log value over log size, least squares."""
    fit = statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values])
    return fit.slope


def main() -> None:
    """Print the tables."""
    found: dict[int, list[dict[str, float]]] = {nodes: [] for nodes in SIZES}
    for _ in range(REPEATS):
        for nodes, runs in found.items():
            runs.append(in_process(nodes))
    print(f"{'nodes':>6} {'shards':>6} {'rounds':>6} {'rounds/s':>9} {'events/s':>9} {'s/round':>8} {'peak MiB':>9}")
    medians, peaks = [], []
    for nodes, runs in found.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        peak = statistics.median(run["peak_mib"] for run in runs)
        rounds, events = runs[0]["rounds"], runs[0]["events"]
        medians.append(seconds)
        peaks.append(peak)
        print(
            f"{nodes:>6} {-(-nodes // SIZES[nodes]):>6} {rounds:>6.0f} {rounds / seconds:>9.1f}"
            f" {events / seconds:>9.0f} {seconds / rounds:>8.3f} {peak:>9.0f}"
        )
    sizes = list(SIZES)
    print(f"growth of time with nodes, every shard asking {ROUNDS_PER_SHARD}: exponent {exponent(sizes, medians):.2f}")
    least = in_process(sizes[0], rounds=1)["peak_mib"]
    each_kib = (peaks[-1] - least) / sizes[-1] * 1024
    print(f"memory beyond the {least:.0f} MiB of one round: {each_kib:.0f} KiB a node at {sizes[-1]} nodes")
    shared, alone = (
        statistics.median(in_process(sizes[0], recall=recall)["seconds"] for _ in range(REPEATS))
        for recall in (True, False)
    )
    print(f"{sizes[0]} nodes without recalled results: {alone / shared:.1f} times as long")
    aggregate = in_process(sizes[0], layer="aggregate", rounds=100)
    print(f"{sizes[0]} nodes, aggregate layer: {aggregate['rounds'] / aggregate['seconds']:.1f} rounds/s")
    print(f"on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {REPEATS}, one process at a time")


if __name__ == "__main__":
    main()
