"""The tester of programs for gold that a node has, whether or not its `NodeTester` is ready."""

from collections.abc import Sequence

from node.gold.ports import ProgramFindings, ProgramTest
from node.gold.program_testing import NO_FINDINGS, SandboxProgramTester
from node.work.node_tester import NodeTester


class NodeProgramTester:
    """A `ProgramTester` that is ready while the node has a tester."""

    def __init__(self, node_tester: NodeTester) -> None:
        self._node_tester = node_tester

    @property
    def is_ready(self) -> bool:
        """Whether there is a toolchain and a safe sandbox now."""
        return bool(self._node_tester.tool_versions)

    async def test(self, test: ProgramTest, programs: Sequence[str]) -> Sequence[ProgramFindings]:
        """Return the findings about the programs: `NO_FINDINGS` of each without a tester. See `ProgramTester`."""
        tester = self._node_tester.tester
        if tester is None:
            return [NO_FINDINGS] * len(programs)
        return await SandboxProgramTester(tester).test(test, programs)
