"""Hostile programs in the sandbox: none reads or changes anything outside, outlives its limit, or disturbs another."""

import os
import platform
import re

import pytest
import trio

from node.sandbox.choosing import ProvenSandbox
from node.sandbox.ports import Ending, Finished, Limits
from tests.support.hostile import (
    COMPILING,
    LIMITS,
    MIB,
    SECRET,
    Hostile,
    Outside,
    belt,
    compiled,
    descriptors,
    hostile_programs,
    running,
)

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the programs name system calls of x86-64")

GRACE_S = 3.0
"""Seconds after its wall time in which a sandbox on a busy machine must be gone."""

COLLECTED = {
    "link": MIB,
    "near": MIB,
    "folder": MIB,
    "pipe": MIB,
    "sparse": MIB,
    "closed": MIB,
    "plain": MIB,
    "hard": MIB,
}


def told_possible(finished: Finished) -> list[str]:
    return re.findall(r"^(.*)=yes$", finished.stdout.decode(errors="replace"), re.MULTILINE)


def require_bounded(finished: Finished, limits: Limits) -> None:
    assert finished.wall_s < limits.wall_s + GRACE_S
    assert len(finished.stdout) <= limits.output_bytes
    assert len(finished.stderr) <= limits.output_bytes


async def beside_honest(
    proven: ProvenSandbox, honest: bytes, program: bytes, told: bytes, limits: Limits
) -> tuple[Finished, Finished]:
    """Run a hostile and an honest program at the same time."""
    results: dict[str, Finished] = {}

    async def run(name: str, content: bytes, collect: dict[str, int]) -> None:
        results[name] = await proven.run(running(content, told, collect), limits if name == "hostile" else LIMITS)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, "hostile", program, COLLECTED)
        nursery.start_soon(run, "honest", honest, {"out": 100})
    return results["hostile"], results["honest"]


@pytest.mark.parametrize("hostile", hostile_programs("run"), ids=lambda each: each.name)
async def test_a_hostile_program_finds_nothing_and_leaves_nothing(
    proven: ProvenSandbox, honest: bytes, around: Outside, hostile: Hostile
) -> None:
    built = await compiled(proven.sandbox, proven.toolchain, hostile.source)
    assert built.ending is Ending.EXITED and not built.code, built.stderr.decode(errors="replace")
    limits = hostile.limited(LIMITS)
    before = descriptors()

    # Nothing here relies on the sandbox: a bomb that it would let loose stops at this group's limit.
    try:
        with belt(1_000 if os.geteuid() == 0 else 4_000):
            ended, other = await beside_honest(proven, honest, built.files["candidate"], around.told(), limits)
    except OSError as error:
        pytest.skip(f"no belt for a bomb: {error}")

    assert not told_possible(ended)
    assert ended.ending in hostile.endings, ended
    if ended.ending is Ending.EXITED and b'println!("done")' in hostile.source:
        assert ended.stdout.rstrip().endswith(b"done"), ended
    require_bounded(ended, limits)
    assert not [name for name in ended.files if name in {"link", "near", "folder", "pipe", "sparse"}]
    assert (other.ending, other.code, other.stdout) == (Ending.EXITED, 7, b"[0, 499500, 999000, 1498500]\n"), other
    assert other.files == {"out": b"[0, 499500, 999000, 1498500]"}
    around.require_untouched()
    assert descriptors() == before


@pytest.mark.parametrize("hostile", hostile_programs("compile"), ids=lambda each: each.name)
async def test_a_hostile_source_leaks_nothing_at_compile_time(
    proven: ProvenSandbox, around: Outside, hostile: Hostile
) -> None:
    limits = hostile.limited(COMPILING)
    source = hostile.source.replace(b"@SECRET@", str(around.secret).encode())
    before = descriptors()

    ended = await compiled(proven.sandbox, proven.toolchain, source, limits)

    assert ended.ending in hostile.endings, ended
    require_bounded(ended, limits)
    for content in (ended.stdout, ended.stderr, *ended.files.values()):
        assert SECRET.encode() not in content
        assert b"root:x:" not in content
        assert b"daemon:" not in content
    around.require_untouched()
    assert descriptors() == before


async def test_brackets_without_end_crash_the_compiler_alone(proven: ProvenSandbox, around: Outside) -> None:
    source = b"fn main() { let _x = " + b"(" * 60_000 + b"1" + b")" * 60_000 + b"; }"

    ended = await compiled(proven.sandbox, proven.toolchain, source)

    assert ended.ending in {Ending.SIGNALLED, Ending.EXITED, Ending.OUT_OF_MEMORY}
    assert not ended.files
    around.require_untouched()
