"""Checking, linting and testing an answer in the sandbox, beside bare rustc: `python -P -m tests.bench.bench_sandbox`.

The ways take turns within each repetition, so that a busy machine disturbs them alike; medians of wall and CPU time are
printed. A test is compiled in one sandbox and run in another, as a tester does.
"""

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from node.sandbox.choosing import ProvenSandbox, SandboxOff, choose_sandbox
from node.sandbox.config import SandboxConfig
from node.sandbox.ports import Command, Ending, Limits
from node.sandbox.toolchain import Toolchain
from tests.bench.harness import Bench, Figure

CHECK_MOST = 1.5
TEST_MOST = 2.0
"""Aims: how many times as long as bare rustc a check, and compiling and running a test, may take."""

MIB = 1 << 20
LIMITS = Limits(cpu_s=60, wall_s=60, memory_bytes=2048 * MIB, processes=64, file_bytes=64 * MIB, output_bytes=65_536)

ANSWER = b"""
/// The n-th Fibonacci number.
pub fn fibonacci(n: u32) -> u64 {
    let (mut a, mut b) = (0, 1);
    for _ in 0..n {
        (a, b) = (b, a + b);
    }
    a
}

pub fn words(text: &str) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small() {
        assert_eq!(fibonacci(10), 55);
        assert_eq!(words("a b A")["a"], 2);
    }
}
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """How often, and how many answers at once for the throughput."""

    repetitions: int = 15
    answers: int = 24


@dataclass(frozen=True, slots=True)
class Taken:
    """What one way took once."""

    wall_s: float
    cpu_s: float


def check(toolchain: Toolchain) -> Sequence[str]:
    return (
        toolchain.rustc,
        "--edition",
        "2021",
        "--crate-type",
        "lib",
        "--emit=metadata",
        "answer.rs",
        "-o",
        "answer.meta",
    )


def lint(toolchain: Toolchain) -> Sequence[str]:
    assert toolchain.clippy is not None
    return (toolchain.clippy, *check(toolchain)[1:])


def build(toolchain: Toolchain) -> Sequence[str]:
    return (
        *(toolchain.rustc, "--edition", "2021", "--test", "-C", f"linker={toolchain.linker}", "-C", "debuginfo=0"),
        *("answer.rs", "-o", "answer"),
    )


def bare(toolchain: Toolchain, argv: Sequence[str], folder: Path) -> None:
    """Run a compiler's command outside, with the same compiler."""
    inside = toolchain.readable
    program = next(
        (str(path / argv[0].rpartition("/")[2]) for place, path in inside.items() if argv[0].startswith(f"{place}/")),
        argv[0],
    )
    environment = {**os.environ, "SYSROOT": str(Path(program).parent.parent)}
    subprocess.run([program, *argv[1:]], cwd=folder, check=True, capture_output=True, env=environment)


def bare_run(toolchain: Toolchain, folder: Path) -> None:
    bare(toolchain, build(toolchain), folder)
    subprocess.run([folder / "answer"], cwd=folder, check=True, capture_output=True)


async def boxed(sandbox: ProvenSandbox, argv: Sequence[str], collect: str = "") -> bytes:
    command = Command(
        tuple(argv),
        files={"answer.rs": ANSWER},
        readable=sandbox.toolchain.readable,
        environment=sandbox.toolchain.environment,
        collect={collect: 32 * MIB} if collect else {},
    )
    finished = await sandbox.run(command, LIMITS)
    assert (finished.ending, finished.code) == (Ending.EXITED, 0), finished
    return finished.files.get(collect, b"")


async def boxed_test(sandbox: ProvenSandbox) -> None:
    program = await boxed(sandbox, build(sandbox.toolchain), "answer")
    command = Command(("/w/answer",), files={"answer": program}, executable=frozenset({"answer"}))
    finished = await sandbox.run(command, LIMITS)
    assert (finished.ending, finished.code) == (Ending.EXITED, 0), finished


def ways(sandbox: ProvenSandbox, folder: Path) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return all ways of doing it."""
    toolchain = sandbox.toolchain

    async def bare_check() -> None:
        bare(toolchain, check(toolchain), folder)

    async def boxed_check() -> None:
        await boxed(sandbox, check(toolchain))

    async def bare_lint() -> None:
        bare(toolchain, lint(toolchain), folder)

    async def boxed_lint() -> None:
        await boxed(sandbox, lint(toolchain))

    async def bare_test() -> None:
        bare_run(toolchain, folder)

    found = {"check, bare": bare_check, "check, sandbox": boxed_check}
    if toolchain.clippy is not None:
        found |= {"lint, bare": bare_lint, "lint, sandbox": boxed_lint}
    return found | {"test, bare": bare_test, "test, sandbox": lambda: boxed_test(sandbox)}


async def timed(run: Callable[[], Awaitable[None]]) -> Taken:
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    await run()
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(wall_s, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


async def measured(sandbox: ProvenSandbox, repetitions: int) -> dict[str, Taken]:
    """Print and return the medians of each way."""
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as name:
        folder = Path(name)
        (folder / "answer.rs").write_bytes(ANSWER)
        taken: dict[str, list[Taken]] = {}
        for _ in range(repetitions):
            for way, run in ways(sandbox, folder).items():
                taken.setdefault(way, []).append(await timed(run))
    found = {}
    print(f"{'':<16}{'wall ms':>10}{'least':>8}{'most':>8}{'CPU ms':>10}")
    for way, each in taken.items():
        walls = sorted(1000 * one.wall_s for one in each)
        found[way] = Taken(statistics.median(walls) / 1000, statistics.median(one.cpu_s for one in each))
        print(
            f"{way:<16}{1000 * found[way].wall_s:10.0f}{walls[0]:8.0f}{walls[-1]:8.0f}{1000 * found[way].cpu_s:10.0f}"
        )
    return found


async def answers_a_second(sandbox: ProvenSandbox, answers: int) -> float:
    """Check, compile and test so many answers, as many at once as the sandbox takes."""
    began = time.perf_counter()

    async def one() -> None:
        await boxed(sandbox, check(sandbox.toolchain))
        await boxed_test(sandbox)

    async with trio.open_nursery() as nursery:
        for _ in range(answers):
            nursery.start_soon(one)
    return answers / (time.perf_counter() - began)


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the tables."""
    chosen = trio.run(choose_sandbox, SandboxConfig())
    if isinstance(chosen, SandboxOff):
        yield Figure(name="check beside bare rustc", value=None, note=chosen.reason)
        return
    print(f"{chosen.name}, rustc {chosen.toolchain.version}, {chosen.places} at a time")
    found = trio.run(measured, chosen, settings.repetitions)
    for what, most in (("check", CHECK_MOST), ("lint", None), ("test", TEST_MOST)):
        if f"{what}, bare" in found:
            outside, inside = found[f"{what}, bare"], found[f"{what}, sandbox"]
            yield Figure(
                name=f"{what} in the sandbox beside bare rustc, wall time",
                value=inside.wall_s / outside.wall_s,
                anchor=f"{1000 * inside.wall_s:.0f} ms, bare {1000 * outside.wall_s:.0f} ms",
                at_most=most,
            )
            yield Figure(
                name=f"{what} in the sandbox beside bare rustc, CPU time",
                value=inside.cpu_s / outside.cpu_s,
                anchor=f"{1000 * inside.cpu_s:.0f} ms, bare {1000 * outside.cpu_s:.0f} ms",
            )
    rate = trio.run(answers_a_second, chosen, settings.answers)
    yield Figure(name="answers checked, compiled and tested", value=rate, unit="/s", anchor=f"{os.cpu_count()} cores")


BENCH = Bench("sandbox", measure, Settings(), Settings(repetitions=1, answers=1))

if __name__ == "__main__":
    BENCH.main()
