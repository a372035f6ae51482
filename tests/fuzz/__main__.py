"""Fuzzing: `make fuzz`, or `python -P -m tests.fuzz [TARGET ...] --inputs N`. Exit code 1 where something was found.

Of each target's inputs nine in ten come from atheris, which is guided by coverage (by mutation alone where it is not
installed or cannot look, as into the live process), one in ten from hypothesis. What is found is saved, with the
command that repeats it.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.driver import ENGINES, Report, fuzz, repeat_command, run
from tests.fuzz.targets import TARGETS

ADDRESS_BYTES_MAX = 8 * 1024 * 1024 * 1024
"""bytes of addresses that the process may use: an allocation without a bound fails instead of taking the machine."""

STRUCTURED_SHARE = 0.1
"""of a target's inputs: hypothesis is slower by an order, and adds little after the first ten thousand."""


def main() -> int:
    """Fuzz the chosen targets one after another, or repeat what was saved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; none: all")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each target")
    parser.add_argument("--counts", nargs="+", default=[], help="TARGET=MUTATED,STRUCTURED instead of --inputs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["all", "guided", *ENGINES], default="all")
    parser.add_argument("--save", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--file", type=Path, nargs="+", help="repeat these inputs of one target instead")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    chosen.targets = chosen.targets or list(TARGETS)
    if chosen.file:
        (name,) = chosen.targets
        report = Report(name, "repeated")
        run(TARGETS[name], iter([path.read_bytes() for path in chosen.file]), report, chosen.save)
        print(report, *report.findings, sep="\n")
        return 1 if report.findings else 0
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES_MAX, ADDRESS_BYTES_MAX))
    failed = 0
    counted = dict(each.split("=") for each in chosen.counts)
    for name in chosen.targets:
        shares = zip(ENGINES, map(int, counted[name].split(",")), strict=True) if name in counted else None
        for engine, inputs in shares or _shares(name, chosen.engine, chosen.inputs):
            if engine == "guided":
                failed += _guided(name, inputs, chosen.seed, chosen.save)
                continue
            report = fuzz(TARGETS[name], engine, inputs, chosen.seed, chosen.save)
            print(report, *report.findings, sep="\n", flush=True)
            failed += len(report.findings)
    return 1 if failed else 0


def _shares(name: str, engine: str, count: int) -> list[tuple[str, int]]:
    if engine != "all":
        return [(engine, count)]
    drawn = round(STRUCTURED_SHARE * count)
    looks = TARGETS[name].guided and find_spec("atheris") is not None
    return [("guided" if looks else "mutated", count - drawn), ("structured", drawn)]


def _guided(name: str, inputs: int, seed: int, save: Path) -> int:
    """Atheris ends its process when it is done, so it gets one; 1 where it found something, or could not begin."""
    before = set(save.glob(f"{name}-*"))
    command = [sys.executable, "-P", "-m", "tests.fuzz.guided", name, str(inputs), str(seed), str(save)]
    began_s = time.perf_counter()
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": "."}, stderr=subprocess.PIPE, text=True, errors="replace", check=False
    )
    done = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    report = Report(name, "guided", int(done[1]) if done else 0, time.perf_counter() - began_s)
    if ended.returncode:
        saved = sorted(map(str, set(save.glob(f"{name}-*")) - before))
        report.findings.append(f"{ended.stderr[-3_000:]}\n  {repeat_command(name, saved)}")
    print(report, *report.findings, sep="\n", flush=True)
    return len(report.findings)


if __name__ == "__main__":
    sys.exit(main())
