"""The tester that this node has: found, proven and built while the node starts, so that nothing waits for it."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import platformdirs
import structlog

from node.findings.harness_build import HarnessError
from node.findings.ports import AnswerTester
from node.sandbox.choosing import SandboxOff, choose_sandbox
from node.sandbox.config import SandboxConfig
from node.signals import Signal
from node.work.spare_time import SpareTime

NO_TOOLS: Final = "this node has no sandbox or no compiler"
RUST_PACKAGES: Final = "pip install 'strand-swarm[rust]'"

log = structlog.get_logger()


class NodeTesterState(StrEnum):
    """Whether this node can test answers."""

    OPENING = "opening"
    """The node still looks for a sandbox and a compiler."""
    READY = "ready"
    OFF = "off"


class NodeTester:
    """The tester of this node, once there is one, or the reason why there is none."""

    def __init__(self, tester: AnswerTester | None = None, why_off: str = "", remedy: str = "") -> None:
        """Create a node tester: ready with a tester, off with a reason, else opening."""
        self.tester = tester
        self.why_off = why_off
        """Why it cannot test, in one clause; empty unless it is off."""
        self.remedy = remedy
        """Remedy, in one clause; empty unless it is off."""
        self.spare_time = SpareTime()
        """For tests that no round waits for."""
        self.changed = Signal()
        """Fires after the tool versions of the offer have changed."""

    @property
    def state(self) -> NodeTesterState:
        """Whether this node can test answers now."""
        if self.tester is not None:
            return NodeTesterState.READY
        return NodeTesterState.OFF if self.why_off else NodeTesterState.OPENING

    @property
    def tool_versions(self) -> str:
        """Versions that the offer states; empty: cannot test."""
        return "" if self.tester is None else self.tester.tool_versions

    async def open(self, find: Callable[[], Awaitable[AnswerTester | SandboxOff]]) -> None:
        """Find a tester, and tell the log and those who wait what came of it."""
        found = await find()
        if self.why_off:
            # It was closed meanwhile.
            return
        if isinstance(found, SandboxOff):
            self.why_off, self.remedy = found.reason, found.remedy
            if found.chosen:
                log.info("testing.off", reason=found.reason, remedy=found.remedy)
            else:
                log.warning("testing.off", reason=found.reason, remedy=found.remedy)
        else:
            self.tester = found
            log.info("testing.ready", versions=found.tool_versions)
        self.changed.fire()

    def close(self, why: str) -> None:
        """Test nothing any more, because of `why`."""
        self.tester, self.why_off = None, why
        self.changed.fire()


async def find_tester(config: SandboxConfig) -> AnswerTester | SandboxOff:
    """Find a sandbox that holds on this machine and a compiler, and build the harness unless the user's cache has it.

    It takes some seconds. A node that finds nothing takes part without testing.
    """
    sandbox = await choose_sandbox(config)
    if isinstance(sandbox, SandboxOff):
        return sandbox
    try:
        # Only here: a node without the packages of the extra `rust` starts, and takes part without testing.
        from node.findings.tester import open_tester
    except ModuleNotFoundError as error:
        return SandboxOff(f"the Python package {error.name} is missing", RUST_PACKAGES)
    try:
        cache = platformdirs.user_cache_path("strand") / "rust"
        return await open_tester(sandbox, sandbox.toolchain, cache, sandbox.places)
    except HarnessError as error:
        return SandboxOff(str(error), error.remedy)
