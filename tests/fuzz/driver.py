"""Gives inputs to a target, one after another, and keeps what it cannot take."""

from __future__ import annotations

import hashlib
import itertools
import logging
import resource
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import structlog
import trio
from hypothesis import Phase, given, settings
from trio.testing import MockClock

from tests.fuzz.mutate import Mutator
from tests.fuzz.target import One, Target

CORPUS = Path(__file__).with_name("corpus")

INPUT_S = 20.0
"""seconds of the target's own clock for one input: all timeouts below it are shorter than this, or the clock is real
and the input hangs."""

GROWTH_BYTES_MAX = 256 * 1024 * 1024
"""bytes by which the process may grow while inputs come (the bound on growth under any attack)."""

LOOK_EVERY = 500
"""inputs between two looks at memory."""

WARM = 50
"""inputs after which growth counts: what is made once and kept is none of the inputs' doing."""

GENERATED = 100
"""inputs that hypothesis draws in a row."""

KEPT = 3
"""inputs that are saved with a finding: what is noticed now may have come of the one before."""


@dataclass(slots=True)
class Report:
    """What came of a target's inputs."""

    target: str
    engine: str
    inputs: int = 0
    seconds: float = 0.0
    grown_bytes: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0.0
        return (
            f"{self.target:<12} {self.engine:<10} {self.inputs:>9,} inputs {self.seconds:>8.1f} s {rate:>9,.0f}/s "
            f"{self.grown_bytes / 1e6:>+7.1f} MB  {len(self.findings)} findings"
        )


def seeds(target: Target) -> list[bytes]:
    """The target's own, and the corpus in the repository, in the order of their names."""
    folder = CORPUS / target.name
    kept = sorted(folder.iterdir()) if folder.is_dir() else []
    return [*target.seeds(), *(each.read_bytes() for each in kept)]


def mutated(target: Target, seed: int) -> Iterator[bytes]:
    """First the seeds as they are, then what mutation makes of them, without an end."""
    known = seeds(target)
    mutator = Mutator(seed, known, target.tokens)
    return itertools.chain(known, iter(mutator.next, None))


def structured(target: Target, seed: int) -> Iterator[bytes]:
    """What hypothesis draws, without an end; a chunk at a time, each from a seed of its own."""
    for chunk in itertools.count(seed * 1_000_000):
        yield from _drawn(target, chunk)


def _drawn(target: Target, chunk: int) -> list[bytes]:
    drawn: list[bytes] = []

    @hypothesis.seed(chunk)
    @settings(
        max_examples=GENERATED,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @given(target.structured)
    def draw(data: bytes) -> None:
        drawn.append(data)

    draw()
    return drawn


ENGINES = {"mutated": mutated, "structured": structured}


def fuzz(target: Target, engine: str, count: int, seed: int, save: Path) -> Report:
    """Run `count` inputs of an engine."""
    report = Report(target.name, engine)
    inputs = itertools.islice(ENGINES[engine](target, seed), count)
    run(target, inputs, report, save)
    return report


def run(target: Target, inputs: Iterator[bytes], report: Report, save: Path) -> None:
    """Run these inputs, within limits on memory and time."""
    quiet()
    clock = MockClock(autojump_threshold=0) if target.mock_clock else None
    trio.run(_run, target, inputs, report, save, clock=clock)


async def _run(target: Target, inputs: Iterator[bytes], report: Report, save: Path) -> None:
    recent: deque[bytes] = deque(maxlen=KEPT)
    try:
        async with target.open() as one:
            began_bytes, began_s = 0, time.perf_counter()
            for data in inputs:
                recent.append(data)
                await _give(one, data, report, save, recent)
                if len(report.findings) >= target.findings_max:
                    break
                if report.inputs == WARM:
                    began_bytes = resident_bytes()
                if report.inputs % LOOK_EVERY == 0:
                    report.grown_bytes = max(report.grown_bytes, resident_bytes() - began_bytes)
                    assert report.grown_bytes <= GROWTH_BYTES_MAX, f"{report.grown_bytes} bytes more than before"
            report.seconds = time.perf_counter() - began_s
    except Exception as fault:  # the target has ended, or does not end well: the run is over, and says so
        report.findings.append(_keep(report, fault, save, recent))


async def _give(one: One, data: bytes, report: Report, save: Path, recent: deque[bytes]) -> None:
    report.inputs += 1
    try:
        with trio.fail_after(INPUT_S):
            await one(data)
    except Exception as fault:  # whatever it is, it is a finding
        report.findings.append(_keep(report, fault, save, recent))


def _keep(report: Report, fault: Exception, save: Path, recent: deque[bytes]) -> str:
    """Write down the inputs, and say how to repeat them."""
    save.mkdir(parents=True, exist_ok=True)
    stem = hashlib.blake2b(b"".join(recent), digest_size=6).hexdigest()
    paths = [save / f"{report.target}-{stem}-{index}" for index in range(len(recent))]
    for path, data in zip(paths, recent, strict=True):
        path.write_bytes(data)
    told = f"{report.target}: {_innermost(fault)!r} after {report.inputs:,} inputs"
    return f"{told}\n  {repeat_command(report.target, list(map(str, paths)))}"


def repeat_command(target: str, paths: list[str]) -> str:
    """What to type to see a finding again."""
    return f"PYTHONPATH=. .venv/bin/python -P -m tests.fuzz {target} --file {' '.join(paths)}"


def _innermost(fault: BaseException) -> BaseException:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


def resident_bytes() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def quiet() -> None:
    """Nothing is logged: a hundred thousand refusals say nothing more than one."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
