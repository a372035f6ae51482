"""Mutants of all tasks of the corpus through the real sandbox: how many are made, and how many are certainly wrong.

It holds if each right program passes and shows a behaviour here, and if most tasks have wrong programs.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import trio

from node.findings.tester import RustTester
from node.gold.corpus import CodeTask, corpus
from node.gold.mutation import Operator, mutants
from node.gold.ports import Visibility
from node.gold.program_testing import SandboxProgramTester
from node.gold.selection import Selection, select
from node.gold.variation import varied
from tests.support.rust_sandbox import open_rust_sandbox

WITH_WRONG_MIN = 0.9
"""Least share of tasks of which a wrong program is kept."""


@dataclass
class Found:
    """What came of all tasks."""

    made: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    selections: dict[str, Selection] = field(default_factory=dict)
    operators: Counter[Operator] = field(default_factory=Counter)


async def measure_task(tester: SandboxProgramTester, task: CodeTask, seed: int, tried: int, found: Found) -> None:
    """Make and test the mutants of one fresh exercise."""
    random = Random(f"{seed} {task.name}")
    exercise = varied(task, random)
    candidates = mutants(exercise.program, random)
    began_s = time.monotonic()
    selection = await select(tester, exercise, candidates[:tried], random.randbytes(32), wanted=tried)
    found.made.append(len(candidates))
    found.seconds.append(time.monotonic() - began_s)
    found.selections[task.name] = selection
    found.operators.update(wrong.operator for wrong in selection.wrong)
    kept = Counter(wrong.visibility for wrong in selection.wrong)
    print(
        f"{task.name}: {len(candidates)} made, {selection.tried} tried, {selection.compiled} compile, "
        f"{selection.differing} differ, {len(selection.wrong)} kept ({dict(kept)}), {found.seconds[-1]:.1f} s",
        flush=True,
    )


def told(found: Found) -> bool:
    """Print the figures; whether they hold."""
    each = found.selections.values()
    tried, compiled, differing = (
        sum(getattr(one, name) for one in each) for name in ("tried", "compiled", "differing")
    )
    kept = [wrong for one in each for wrong in one.wrong]
    shares = Counter(wrong.visibility for wrong in kept)
    print(
        f"{len(found.made)} tasks, {sum(found.made)} mutants made, {statistics.median(found.made):.0f} a task (median)"
    )
    print(f"{tried} tried: {compiled} compile, {differing} of these differ, {len(kept)} of these fail a test")
    print("kept by visibility:", ", ".join(f"{level.value} {shares[level]}" for level in Visibility))
    print("kept by operator:", ", ".join(f"{name.value} {count}" for name, count in found.operators.most_common()))
    print(f"seconds a task: median {statistics.median(found.seconds):.1f}, longest {max(found.seconds):.1f}")
    none = [name for name, one in found.selections.items() if not one.wrong]
    unusable = [name for name, one in found.selections.items() if not one.tried]
    print(f"without a wrong program: {none}; right program unusable here: {unusable}")
    return not unusable and len(none) <= (1 - WITH_WRONG_MIN) * len(found.made)


async def measure(names: Sequence[str], tried: int, seed: int, cache: Path) -> bool:
    """Go through the corpus, or the tasks that are named."""
    tester = SandboxProgramTester(RustTester(await open_rust_sandbox(cache)))
    found = Found()
    for task in corpus():
        if names and task.name not in names:
            continue
        await measure_task(tester, task, seed, tried, found)
    return told(found)


def main() -> int:
    """Measure the whole corpus, or some tasks of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of tasks; default: all")
    parser.add_argument("--tried", type=int, default=12, help="mutants of each task")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder of a harness that is built already")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        held = trio.run(measure, arguments.names, arguments.tried, arguments.seed, arguments.cache or Path(folder))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
