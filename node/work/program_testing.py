"""The tester of programs for gold that a node has, whether or not its `NodeTester` is ready."""

from collections.abc import Sequence
from functools import partial

from node.gold.ports import ProgramFindings, ProgramTest
from node.gold.program_testing import NO_FINDINGS, SandboxProgramTester
from node.work.node_tester import NodeTester
from node.work.spare_time import SpareUse


class NodeProgramTester:
    """A `ProgramTester` that is ready while the node has a tester, and works in the time that no round needs."""

    def __init__(self, node_tester: NodeTester, use: SpareUse) -> None:
        """Create a tester of programs. `use`: what it works for."""
        self._node_tester = node_tester
        self._use = use

    @property
    def is_ready(self) -> bool:
        """Whether there is a toolchain and a safe sandbox now."""
        return bool(self._node_tester.tool_versions)

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        """Return the findings about the programs: `NO_FINDINGS` of each without a tester, or if rounds left no time.

        Either all of them are tested on a machine that tests nothing else, or none. See `ProgramTester`.
        """
        findings = await self._node_tester.spare_time.spend(self._use, partial(self._test, test, programs))
        return [NO_FINDINGS] * len(programs) if findings is None else findings

    async def _test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings] | None:
        tester = self._node_tester.tester
        return None if tester is None else await SandboxProgramTester(tester).test(test, programs)
