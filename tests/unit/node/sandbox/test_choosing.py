from pathlib import Path

import psutil  # type: ignore[import-untyped]

from node.sandbox.choosing import PLACES_DEFAULT_MAX, SandboxOff, choose_sandbox, places
from node.sandbox.config import SandboxConfig
from node.sandbox.ports import Ceilings, Limits


async def test_off_is_off_and_says_how_to_turn_it_on() -> None:
    assert await choose_sandbox(SandboxConfig(enabled="off")) == SandboxOff(
        "sandbox.enabled is off", 'set sandbox.enabled = "auto"', chosen=True
    )


async def test_without_a_compiler_there_is_no_sandbox(tmp_path: Path) -> None:
    found = await choose_sandbox(SandboxConfig(rustc=tmp_path / "rustc"))
    assert isinstance(found, SandboxOff)
    assert str(tmp_path) in found.reason


def test_places_fit_into_cores_and_memory() -> None:
    assert places(SandboxConfig(places=5)) == 5
    assert 1 <= places(SandboxConfig()) <= PLACES_DEFAULT_MAX
    assert places(SandboxConfig(memory_bytes_max=psutil.virtual_memory().total)) == 1


def test_ceilings_lower_limits_and_raise_none() -> None:
    limits = Limits(cpu_s=5, wall_s=9, memory_bytes=500, processes=3, file_bytes=7, output_bytes=8)
    capped = Ceilings(places=1, memory_bytes=100, cpu_s=10).cap(limits)
    assert capped == Limits(cpu_s=5, wall_s=9, memory_bytes=100, processes=3, file_bytes=7, output_bytes=8)
