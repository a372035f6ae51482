"""The steps of testing a program, each a command in the sandbox: check, build, run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from node.findings.assembly import Assembled
from node.findings.compiling import (
    BUILD_LIMITS,
    CHECK_LIMITS,
    EDITION,
    LIBRARY,
    MISSING_CRATE,
    Checked,
    build_command,
    check_command,
    error_lines,
    read_check,
)
from node.findings.harness_build import Harness
from node.findings.outcomes import Outcome
from node.findings.running import RUN_LIMITS, TRUSTED_LIMITS, Order, Work, read_run, run_command
from node.sandbox.ports import Command, Ending, Finished, Limits, Sandbox, Urgency
from node.sandbox.toolchain import Toolchain
from protocol.types import CompileStatus

_STOPPED: Final = frozenset({Ending.OUT_OF_TIME, Ending.OUT_OF_MEMORY, Ending.NOT_STARTED})
"""Ends of a check that it would only come to again."""


@dataclass(frozen=True, slots=True)
class Built:
    """Result of a build."""

    library: bytes | None
    status: CompileStatus
    """Reason why there is no library: the crate fails to compile, or nothing is known."""
    error_lines: frozenset[int]
    """Lines of the crate, from 1, that errors are about."""


@dataclass(frozen=True, slots=True)
class RustSandbox:
    """A sandbox with a toolchain and the harness built for it."""

    sandbox: Sandbox
    toolchain: Toolchain
    harness: Harness
    urgency: Urgency = Urgency.OWN
    """Of all its commands."""

    async def check(self, source: str, *, lint: bool, edition: str = EDITION) -> Checked:
        """Say whether a program compiles, and with `lint` its warnings, where the toolchain has clippy."""
        groups = self.harness.lint_groups if lint else None
        command = check_command(self.toolchain, source, lint=groups is not None, edition=edition)
        finished = await self._run(command, CHECK_LIMITS)
        checked = read_check(finished, groups)
        if checked.status is CompileStatus.UNKNOWN and groups is not None and finished.ending not in _STOPPED:
            # Clippy has crashed on programs that rustc compiles.
            return await self.check(source, lint=False, edition=edition)
        return checked

    async def build(self, assembled: Assembled, *, edition: str = EDITION) -> Built:
        """Build the library of a crate."""
        command = build_command(self.toolchain, assembled.text, self.harness.folder, edition=edition)
        self.harness.mark_used()
        finished = await self._run(command, BUILD_LIMITS)
        checked, lines = read_check(finished, None), error_lines(finished)
        status = checked.status
        if status is CompileStatus.FAILS and (
            not self.harness.is_whole or (checked.error == MISSING_CRATE and not lines)
        ):
            # The harness is gone: that says nothing about the answer.
            status = CompileStatus.UNKNOWN
        return Built(finished.files.get(LIBRARY), status, lines)

    async def run(
        self,
        library: bytes,
        orders: Sequence[Order],
        *,
        seed: bytes,
        pool: str = "",
        second: bool = False,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Mapping[Work, tuple[Outcome, ...]]:
        """Return what came of each order; what did not fit the limits was not run. `files`: what tests read."""
        trusted = any(order.work is Work.TRUSTED_TESTS for order in orders)
        limits = TRUSTED_LIMITS if trusted else RUN_LIMITS
        command = run_command(
            self.harness.folder, {**files, LIBRARY: library}, orders, seed=seed, pool=pool, second=second
        )
        return read_run(await self._run(command, limits), orders)

    async def _run(self, command: Command, limits: Limits) -> Finished:
        return await self.sandbox.run(replace(command, urgency=self.urgency), limits)
