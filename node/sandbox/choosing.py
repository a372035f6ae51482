"""Chooses the sandbox of this node: bubblewrap where it holds what it promises on this machine, or none."""

import os
from dataclasses import dataclass, replace
from typing import Final

import psutil  # type: ignore[import-untyped]
import trio

from node.sandbox.bubblewrap import UnusableError, open_bubblewrap
from node.sandbox.config import SandboxConfig
from node.sandbox.ports import Ceilings, Command, Finished, Limits, Sandbox
from node.sandbox.proof import NotProvenError, prove
from node.sandbox.toolchain import Toolchain, ToolchainMissing, find_toolchain

PLACES_DEFAULT_MAX: Final = 8
"""Most places unless the owner names more: beyond it a machine has engines that want its cores, too."""


REMEDY: Final = "`apt-get install bubblewrap util-linux`, and allow user namespaces (docs/how-to/sandbox.md)"
"""Usual remedy where isolation does not hold."""


@dataclass(frozen=True, slots=True)
class SandboxOff:
    """Reason why this node runs no answers, and the remedy."""

    reason: str
    """Why there is no sandbox, in one clause."""
    remedy: str
    """Remedy that turns it on, in one clause."""
    chosen: bool = False
    """Whether the owner wants it so."""


@dataclass(frozen=True, slots=True)
class ProvenSandbox:
    """A sandbox that held when it was tried, and the compiler that works in it. It is a `Sandbox` itself."""

    sandbox: Sandbox
    toolchain: Toolchain
    places: int
    """Commands at a time."""

    @property
    def name(self) -> str:
        """The backend and its version."""
        return self.sandbox.name

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run a command to its end, as `Sandbox.run`."""
        return await self.sandbox.run(command, limits)


async def choose_sandbox(config: SandboxConfig) -> ProvenSandbox | SandboxOff:
    """Find a compiler and a sandbox, and try it: about two seconds. What fails is a reason, never an exception."""
    if config.enabled == "off":
        return SandboxOff("sandbox.enabled is off", 'set sandbox.enabled = "auto"', chosen=True)
    toolchain = await trio.to_thread.run_sync(find_toolchain, config.rustc)
    if isinstance(toolchain, ToolchainMissing):
        return SandboxOff(toolchain.reason, toolchain.remedy)
    ceilings = Ceilings(places(config), config.memory_bytes_max, config.cpu_s_max)
    try:
        sandbox = open_bubblewrap(ceilings)
        if await prove(sandbox, toolchain) or ceilings.places == 1:
            return ProvenSandbox(sandbox, toolchain, ceilings.places)
        return ProvenSandbox(open_bubblewrap(replace(ceilings, places=1)), toolchain, 1)
    except (UnusableError, NotProvenError) as error:
        return SandboxOff(f"bubblewrap: {error}", REMEDY)


def places(config: SandboxConfig) -> int:
    """Return how many commands run at a time.

    One for each core that this process may use, because compiling is all CPU; and only as many as fill half of the
    memory, if each takes all that it may, because the engine's model wants the other half.
    """
    if config.places:
        return config.places
    fitting = psutil.virtual_memory().total // (2 * config.memory_bytes_max)
    return int(max(1, min(len(os.sched_getaffinity(0)), PLACES_DEFAULT_MAX, fitting)))
