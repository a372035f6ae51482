"""A short run of every target: `make fuzz` is the long one.

In a process of its own, whose memory is therefore its own, with the same seed each time. Counts follow speed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.driver import CORPUS, Report, mutated, run
from tests.fuzz.mutate import Mutator
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
TIME_LIMIT_S = 300
"""seconds: fifteen times what it takes on a machine that does nothing else (measured: 20)."""

MUTATED = {
    "envelope": 12_000,
    "certificate": 500,
    "pubsub": 12_500,
    "multistream": 14_000,
    "yamux": 700,
    "streams": 3_000,
    "replies": 6_000,
    "http_json": 500,
}
STRUCTURED = dict.fromkeys(MUTATED, 100)
HTTP_INPUTS = 2_500


def fuzz(save: Path, *arguments: str) -> str:
    """Run the command; what it prints names what was found, and how to repeat it."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "tests.fuzz", *arguments, "--save", str(save)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_target_has_its_share() -> None:
    assert {*MUTATED, "http"} == set(TARGETS)
    assert sum(MUTATED.values()) + sum(STRUCTURED.values()) == 50_000


def test_hostile_bytes(tmp_path: Path) -> None:
    counts = [f"{name}={MUTATED[name]},{STRUCTURED[name]}" for name in MUTATED]
    told = fuzz(tmp_path, *MUTATED, "--counts", *counts)
    done = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) inputs", told)]
    assert sum(done) == 50_000, told


def test_hostile_requests_to_a_live_node(tmp_path: Path) -> None:
    told = fuzz(tmp_path, "http", "--counts", f"http={HTTP_INPUTS - 500},500")
    assert sum(int(count.replace(",", "")) for count in re.findall(r"([\d,]+) inputs", told)) == HTTP_INPUTS


def test_the_same_seed_gives_the_same_inputs() -> None:
    def some(seed: int) -> list[bytes]:
        mutator = Mutator(seed, [b"abc", b"xyz" * 9], [b"!"])
        return [mutator.next() for _ in range(300)]

    assert some(1) == some(1) != some(2)


class _Picky:
    """Cannot take a 0x21."""

    async def __aenter__(self) -> _Picky:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def __call__(self, data: bytes) -> None:
        if b"!" in data:
            raise KeyError("what the target was not made for")


def test_a_finding_is_saved_and_can_be_repeated(tmp_path: Path) -> None:
    known = TARGETS["envelope"]
    target = Target("picky", _Picky, lambda: [b"abc"], [b"!"], known.structured)
    report = Report("picky", "mutated")
    run(target, mutated(target, 1), report, tmp_path)
    (finding,) = report.findings
    assert "KeyError" in finding and "--file" in finding
    saved = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert b"!" in saved[-1] and not any(b"!" in each for each in saved[:-1])
    again = Report("picky", "repeated")
    run(target, iter(saved), again, tmp_path)
    assert len(again.findings) == 1


@pytest.mark.parametrize("folder", sorted(CORPUS.iterdir()), ids=lambda folder: folder.name)
def test_the_corpus_is_small(folder: Path) -> None:
    assert folder.name in TARGETS
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 200_000
