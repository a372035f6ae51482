"""The scorer on all public Rust tasks, and its speed beside bare rustc in the same run.

Right programs must pass and buggy ones must fail; a grade that is unknown counts as wrong.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from node.findings.assembly import read_tests
from node.findings.scoring import Grade, score
from node.findings.workbench import Workbench
from tests.support.rust_bench import open_bench
from tests.support.rust_data import SETS, Task, missing

BARE_EACH = 8
"""Of so many tasks one is also compiled and run by bare rustc, at once before and after."""


def bare(rustc: Path, task: Task, folder: Path, *, run: bool) -> float:
    """Seconds of bare rustc for a check, or for building and running the tests."""
    path = folder / "bare.rs"
    path.write_text(task.source + "\n" + task.tests)
    began_s = time.monotonic()
    kind = ["--test", "-o", str(folder / "bare")] if run else ["--crate-type=lib", "--emit=metadata"]
    command = [rustc, f"--edition={task.edition}", "-Awarnings", *kind, path, "--out-dir", folder]
    subprocess.run(command[: None if not run else -2], check=run, capture_output=True)
    if run:
        subprocess.run([folder / "bare"], capture_output=True)
    return time.monotonic() - began_s


async def grade(bench: Workbench, task: Task, wrong: list[str], places: trio.CapacityLimiter) -> None:
    """Score one task; note it if the grade is not what it should be."""
    async with places:
        scored = await score(bench, task.source, read_tests(task.tests), edition=task.edition)
        if scored.grade is not (Grade.RIGHT if task.right else Grade.WRONG):
            wrong.append(f"{task.name}: {scored.grade.value} {scored.counts}")


async def measure(name: str, cache: Path, limit: int) -> bool:
    """Score one set, print what came of it, and say whether it held."""
    bench = await open_bench(cache)
    tasks = list(SETS[name]())[:limit]
    wrong: list[str] = []
    places = trio.CapacityLimiter(2)
    began_s = time.monotonic()
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(grade, bench, task, wrong, places)
    took_s = time.monotonic() - began_s
    print(f"{name}: {len(tasks) - len(wrong)} of {len(tasks)} as they should be, {len(tasks) / took_s:.1f} a second")
    for line in wrong:
        print(f"  {line}")
    rustc = (
        bench.toolchain.readable["/toolchain/bin"] / "rustc"
        if "/toolchain/bin" in bench.toolchain.readable
        else Path("rustc")
    )
    ratios: dict[str, list[float]] = {"check": [], "run": []}
    seconds: dict[str, list[float]] = {"check": [], "bare check": [], "run": [], "bare run": []}
    with tempfile.TemporaryDirectory() as folder:
        for task in [task for task in tasks if task.right][::BARE_EACH]:
            for kind in ("check", "run"):
                began_s = time.monotonic()
                if kind == "check":
                    await bench.check(task.source, lint=False, edition=task.edition)
                else:
                    await score(bench, task.source, read_tests(task.tests), edition=task.edition)
                ours_s = time.monotonic() - began_s
                bare_s = bare(rustc, task, Path(folder), run=kind == "run") if "use " not in task.tests[:4] else None
                if bare_s is not None:
                    ratios[kind].append(ours_s / bare_s)
                    seconds[kind].append(ours_s)
                    seconds[f"bare {kind}"].append(bare_s)
    for kind, found in ratios.items():
        if found:
            ours, other = statistics.median(seconds[kind]), statistics.median(seconds[f"bare {kind}"])
            print(
                f"  {kind}: median {ours:.3f} s, bare {other:.3f} s, ratio {statistics.median(found):.2f} ({len(found)} tasks)"
            )
    return not wrong


def main() -> int:
    """Score the sets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="all, if none is named")
    parser.add_argument("--cache", type=Path, help="folder of a harness that is built already")
    parser.add_argument("--tasks", type=int, default=10_000, help="of each set")
    arguments = parser.parse_args()
    if missing():
        print(missing())
        return 1
    with tempfile.TemporaryDirectory() as folder:
        held = [
            trio.run(measure, name, arguments.cache or Path(folder), arguments.tasks) for name in arguments.sets or SETS
        ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
