"""The node's verifier of programs: its toolbox, whether or not that is open yet."""

from collections.abc import Sequence

from node.gold.ports import Inspection, Observed
from node.gold.verifying import UNSEEN, SandboxVerifier
from node.work.toolbox import Toolbox


class ToolboxVerifier:
    """A `Verifier` that is ready while the toolbox has a tester."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    @property
    def is_ready(self) -> bool:
        """Whether there is a toolchain and a safe sandbox now."""
        return bool(self._toolbox.tool_versions)

    async def inspect(self, inspection: Inspection, programs: Sequence[str]) -> Sequence[Observed]:
        """Return what is seen of the programs; nothing of each if the tools are gone. See `Verifier`."""
        tester = self._toolbox.tester
        if tester is None:
            return [UNSEEN] * len(programs)
        return await SandboxVerifier(tester).inspect(inspection, programs)
