"""The real sandbox with this machine's compiler; tests are skipped where either is missing."""

from pathlib import Path

from node.findings.harness_build import ready_harness
from node.findings.rust_sandbox import RustSandbox
from node.sandbox.bubblewrap import UnusableError, open_bubblewrap
from node.sandbox.ports import Ceilings
from node.sandbox.toolchain import ToolchainMissing, find_toolchain
from tests.support.rust_required import skip_without_rust

CEILINGS = Ceilings(places=2, memory_bytes=4 << 30, cpu_s=300)


async def open_rust_sandbox(cache: Path) -> RustSandbox:
    """Return a sandbox for Rust whose harness is built in `cache`; skip the test if this machine cannot have one."""
    toolchain = find_toolchain(None)
    if isinstance(toolchain, ToolchainMissing):
        skip_without_rust(f"{toolchain.reason}: {toolchain.remedy}")
    try:
        sandbox = open_bubblewrap(CEILINGS)
    except UnusableError as error:
        skip_without_rust(str(error))
    return RustSandbox(sandbox, toolchain, await ready_harness(sandbox, toolchain, cache))
