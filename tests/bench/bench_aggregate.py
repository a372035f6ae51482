"""Time and memory of `strand aggregate` on a made-up arena: `python -P -m tests.bench.bench_aggregate`.

33,000 rows, 13,000 judges, 250 models, in the three forms in which tests.support.arena_data writes them.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.harness import Bench, Figure
from tests.support.arena_data import arena_rows, judgement_rows, write_csv, write_lines

WALL_S_MAX = 60.0
"""A minute for an arena of this size."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The arena."""

    seed: int = 1
    rows: int = 33_000
    judges: int = 13_000
    models: int = 250


def measure(settings: Settings) -> Iterator[Figure]:
    """Print the table."""
    rows = list(arena_rows(settings.seed, settings.rows, settings.judges, settings.models))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = (
            write_lines(rows, folder / "arena.jsonl"),
            write_csv(rows, folder / "arena.csv"),
            write_lines(list(judgement_rows(rows)), folder / "judgements.jsonl"),
        )
        print(f"{'file':18}{'wall time (s)':>14}{'CPU time (s)':>14}{'peak memory (MiB)':>19}")
        for file in files:
            wall_s, cpu_s, peak_mib = aggregate(file)
            print(f"{file.name:18}{wall_s:14.1f}{cpu_s:14.1f}{peak_mib:19.0f}")
            yield Figure(
                name=f"{file.name}, {settings.rows:,} rows, wall time",
                value=wall_s,
                unit=" s",
                anchor=f"{cpu_s:.1f} s of CPU, {peak_mib:.0f} MiB at most",
                at_most=WALL_S_MAX,
            )


def aggregate(file: Path) -> tuple[float, float, float]:
    """Run `strand aggregate`: wall seconds, CPU seconds, MiB of memory at most."""
    command = [sys.executable, "-m", "node", "aggregate", str(file), "--json"]
    began_s = time.monotonic()
    with Path(os.devnull).open("wb") as nowhere:
        to_nowhere = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1), (os.POSIX_SPAWN_DUP2, nowhere.fileno(), 2)]
        child = os.posix_spawn(sys.executable, command, os.environ, file_actions=to_nowhere)
        _, status, used = os.wait4(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"strand aggregate {file.name} ended with {code}")
    return time.monotonic() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


BENCH = Bench("aggregate", measure, Settings(), Settings(rows=60, judges=20, models=5))

if __name__ == "__main__":
    BENCH.main()
