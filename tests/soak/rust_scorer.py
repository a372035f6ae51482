"""The scorer on all public Rust tasks, and its speed beside bare rustc in the same run.

Right programs must pass and buggy ones must fail; a grade that is unknown counts as wrong.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.rust_sandbox import RustSandbox
from tests.support.rust_data import SETS, Task, missing
from tests.support.rust_sandbox import open_rust_sandbox
from tests.support.rust_scoring import Grade, score

BARE_EACH = 8
"""Of so many tasks one is also compiled and run by bare rustc."""


def tests_of(task: Task) -> AskerTests:
    """The tests of a task, which are sound."""
    tests = read_tests(task.tests)
    assert isinstance(tests, AskerTests), tests
    return tests


def bare(rustc: Path, task: Task, folder: Path, *, run: bool) -> float:
    """Seconds of bare rustc for a check, or for building and running the tests."""
    path = folder / "bare.rs"
    path.write_text(task.source + "\n" + task.tests if run else task.source)
    kind = ["--test", "-o", folder / "bare"] if run else ["--crate-type=lib", "--emit=metadata", "--out-dir", folder]
    began_s = time.monotonic()
    subprocess.run([rustc, f"--edition={task.edition}", "-Awarnings", *kind, path], check=True, capture_output=True)
    if run:
        # Some published tests wait by the clock for threads, and fail on a busy machine: their time counts as well.
        subprocess.run([folder / "bare"], check=False, capture_output=True)
    return time.monotonic() - began_s


async def compare(rust: RustSandbox, tasks: Sequence[Task], *, run: bool) -> None:
    """Print our seconds beside those of bare rustc, one program at a time."""
    rustc = next(path for place, path in rust.toolchain.readable.items() if place.endswith("bin")) / "rustc"
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for task in tasks:
            began_s = time.monotonic()
            if run:
                await score(rust, task.source, tests_of(task), edition=task.edition)
            else:
                await rust.check(task.source, lint=False, edition=task.edition)
            ours.append(time.monotonic() - began_s)
            theirs.append(bare(rustc, task, Path(folder), run=run))
    if ours:
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        word = "build and run" if run else "check"
        medians = f"median {statistics.median(ours):.3f} s, bare {statistics.median(theirs):.3f} s"
        print(f"  {word}: {medians}, median ratio {ratio:.2f} ({len(ours)} tasks)", flush=True)


async def grade(rust: RustSandbox, task: Task, wrong: list[str], places: trio.CapacityLimiter) -> None:
    """Score one task; note it if the grade is not what it should be."""
    async with places:
        scored = await score(rust, task.source, tests_of(task), edition=task.edition, files=task.files)
        if scored.grade is not (Grade.RIGHT if task.right else Grade.WRONG):
            wrong.append(f"{task.name}: {scored.grade.value} {scored.counts}")


async def measure(name: str, cache: Path, limit: int) -> bool:
    """Score one set, print what came of it, and say whether it held."""
    rust = await open_rust_sandbox(cache)
    tasks = list(SETS[name]())[:limit]
    wrong: list[str] = []
    places = trio.CapacityLimiter(2)
    began_s = time.monotonic()
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(grade, rust, task, wrong, places)
    took_s = time.monotonic() - began_s
    print(f"{name}: {len(tasks) - len(wrong)} of {len(tasks)} as they should be, {len(tasks) / took_s:.1f} a second")
    print(*(f"  {line}" for line in wrong), sep="\n", flush=True)
    right = [task for task in tasks if task.right][::BARE_EACH]
    await compare(rust, right, run=False)
    # What names its crate cannot stand in one file with it.
    await compare(rust, [task for task in right if task.edition == "2021"], run=True)
    return not wrong


def main() -> int:
    """Score the sets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help=f"{', '.join(SETS)}; all, if none is named")
    parser.add_argument("--cache", type=Path, help="folder of a harness that is built already")
    parser.add_argument("--tasks", type=int, default=10_000, help="of each set, the first ones")
    arguments = parser.parse_args()
    if reason := missing():
        print(reason)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder)
        held = [trio.run(measure, name, cache, arguments.tasks) for name in arguments.sets or SETS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
