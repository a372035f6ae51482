"""The real sandbox with this machine's compiler; tests skip where either is missing."""

from pathlib import Path

import pytest

from node.findings.harness_build import ready_harness
from node.findings.rust_sandbox import RustSandbox
from node.sandbox.bubblewrap import UnusableError, open_bubblewrap
from node.sandbox.ports import Ceilings
from node.sandbox.toolchain import ToolchainMissing, find_toolchain

CEILINGS = Ceilings(places=2, memory_bytes=4 << 30, cpu_s=300)


async def open_rust_sandbox(cache: Path) -> RustSandbox:
    """Return a sandbox for Rust whose harness is built in `cache`; skip the test if this machine cannot have one."""
    toolchain = find_toolchain(None)
    if isinstance(toolchain, ToolchainMissing):
        pytest.skip(f"{toolchain.reason}: {toolchain.remedy}")
    try:
        sandbox = open_bubblewrap(CEILINGS)
    except UnusableError as error:
        pytest.skip(str(error))
    return RustSandbox(sandbox, toolchain, await ready_harness(sandbox, toolchain, cache))
