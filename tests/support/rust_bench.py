"""A workbench with the real sandbox and this machine's toolchain; tests skip where either is missing."""

from pathlib import Path

import pytest

from node.findings.kit import ready_kit
from node.findings.workbench import Workbench
from node.sandbox.bubblewrap import UnusableError, open_bubblewrap
from node.sandbox.ports import Ceilings
from node.sandbox.toolchain import ToolchainMissing, find_toolchain

CEILINGS = Ceilings(places=2, memory_bytes=4 << 30, cpu_s=300)


async def open_bench(cache: Path) -> Workbench:
    """Return a workbench whose harness is built in `cache`; skip the test if this machine cannot have one."""
    toolchain = find_toolchain(None)
    if isinstance(toolchain, ToolchainMissing):
        pytest.skip(f"{toolchain.reason}: {toolchain.remedy}")
    try:
        sandbox = open_bubblewrap(CEILINGS)
    except UnusableError as error:
        pytest.skip(str(error))
    return Workbench(sandbox, toolchain, await ready_kit(sandbox, toolchain, cache))
