"""What all benchmarks share: their options, their figures, and the one table of aims.

A benchmark is a module `tests.bench.bench_NAME` with a `BENCH`. By itself, `python -P -m tests.bench.bench_NAME`, it
prints its own tables and then its figures; each field of its settings is an option. `python -P -m tests.bench` runs
all of them, each in a process of its own.
"""

import argparse
import dataclasses
import datetime
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

Settings = TypeVar("Settings")
"""A frozen dataclass of numbers, words, yes or no, and tuples of these."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured number, and what it is measured against."""

    name: str
    value: float | None
    """None: not measured here; `note` says why."""
    unit: str = ""
    anchor: str = ""
    """What the number is compared with, as it came out in the same run where it is measured too."""
    at_most: float | None = None
    at_least: float | None = None
    """The aim; a figure has one at most, and may have none."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the aim is met."""
        if self.value is None:
            return "not measured"
        if self.at_most is None and self.at_least is None:
            return ""
        met = self.value <= self.at_most if self.at_most is not None else self.value >= (self.at_least or 0)
        return "met" if met else "**missed**"

    @property
    def aim(self) -> str:
        """The aim in words."""
        if self.at_most is not None:
            return f"at most {_number(self.at_most)}{self.unit}"
        return "" if self.at_least is None else f"at least {_number(self.at_least)}{self.unit}"


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run of one benchmark."""

    name: str
    figures: tuple[Figure, ...]
    seconds: float
    """of wall time"""
    load_before: float
    load_after: float
    """Processes that wanted a core, averaged over a minute, as Linux tells it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All benchmarks that ran."""

    date: str
    commit: str
    cores: int
    benches: tuple[BenchReport, ...]
    failed: tuple[str, ...] = ()
    """Names of benchmarks that ended with an error, or too late."""


@dataclass(frozen=True, slots=True)
class Bench(Generic[Settings]):
    """One benchmark."""

    name: str
    measure: Callable[[Settings], Iterable[Figure]]
    """Runs it, printing its own tables."""
    whole: Settings
    """What `make bench` measures."""
    smallest: Settings
    """As little as shows that it still runs, for `make test`: its figures mean nothing."""

    def run(self, settings: Settings) -> BenchReport:
        """Measure."""
        load_before, began_s = os.getloadavg()[0], time.monotonic()
        figures = tuple(self.measure(settings))
        return BenchReport(
            name=self.name,
            figures=figures,
            seconds=time.monotonic() - began_s,
            load_before=load_before,
            load_after=os.getloadavg()[0],
        )

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run it as its options say, print its figures, and write them where `--json` says."""
        options = vars(self._parser().parse_args(arguments))
        json_path = options.pop("json")
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        report = self.run(dataclasses.replace(self.whole, **given))  # type: ignore[type-var]
        print("\n" + table([report]))
        if json_path is not None:
            json_path.write_bytes(msgspec.json.encode(report))

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"bench_{self.name}")
        parser.add_argument("--json", type=Path, help="file to which the figures are written")
        for each in dataclasses.fields(self.whole):  # type: ignore[arg-type]
            value: Any = getattr(self.whole, each.name)
            option: dict[str, Any] = {"default": value, "help": f"default: {value}"}
            if isinstance(value, bool):
                option["action"] = argparse.BooleanOptionalAction
            elif isinstance(value, tuple):
                option |= {"nargs": "*", "type": type(value[0])}
            else:
                option["type"] = type(value)
            parser.add_argument(f"--{each.name.replace('_', '-')}", **option)
        return parser


def table(reports: Iterable[BenchReport]) -> str:
    """One row a figure, as Markdown that can be read on a terminal too."""
    rows = [("bench", "figure", "measured", "compared with", "aim", "")]
    for report in reports:
        for each in report.figures:
            measured = each.note if each.value is None else f"{_number(each.value)}{each.unit}"
            rows.append((report.name, each.name, measured, each.anchor, each.aim, each.verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def markdown(report: Report) -> str:
    """The table, and under it when, where and how long."""
    seconds = ", ".join(f"{each.name} {each.seconds:.0f} s" for each in report.benches)
    loads = [load for each in report.benches for load in (each.load_before, each.load_after)]
    lines = [
        table(report.benches),
        "",
        f"`make bench`, {report.date}, commit {report.commit}, {report.cores} cores,",
        f"load {min(loads, default=0):.1f} to {max(loads, default=0):.1f} (the benchmark's own processes included).",
        f"It took {sum(each.seconds for each in report.benches) / 60:.1f} min: {seconds}.",
    ]
    if report.failed:
        lines.append(f"Failed: {', '.join(report.failed)}.")
    return "\n".join(lines) + "\n"


def new_report(benches: Sequence[BenchReport], failed: Sequence[str]) -> Report:
    """What was measured, with today's date and this tree's commit."""
    described = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return Report(
        date=datetime.date.today().isoformat(),
        commit=described.stdout.strip() or "unknown",
        cores=os.cpu_count() or 1,
        benches=tuple(benches),
        failed=tuple(failed),
    )


def _number(value: float) -> str:
    """Three digits that say something, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# -- CPU time of other processes ---------------------------------------------------------------------------------------


def cpu_ms(pid: int) -> float:
    """Milliseconds of CPU that a process has used, by its clock, whose id clock_getcpuclockid(3) makes of the pid."""
    return 1000 * time.clock_gettime(~pid << 3 | 2)


def tree_cpu_s(pid: int) -> float:
    """Seconds of CPU of a process and all its living descendants (fields 4, 14, 15 of proc(5)'s stat)."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for each, fields in _processes():
        ticks[each] = int(fields[11]) + int(fields[12])
        children.setdefault(int(fields[1]), []).append(each)
    total, left = 0, [pid]
    while left:
        each = left.pop()
        total += ticks.get(each, 0)
        left += children.get(each, ())
    return total / os.sysconf("SC_CLK_TCK")


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            yield int(folder.name), stat.rpartition(")")[2].split()
