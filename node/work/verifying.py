"""The node's verifier of programs: its toolbox, whether or not that is open yet."""

from collections.abc import Sequence
from functools import partial

from node.gold.ports import Inspection, Observed
from node.gold.verifying import UNSEEN, SandboxVerifier
from node.work.spare_time import SpareUse
from node.work.toolbox import Toolbox


class ToolboxVerifier:
    """A `Verifier` that is ready while the toolbox has a tester, and works in the time that no round needs."""

    def __init__(self, toolbox: Toolbox, use: SpareUse) -> None:
        """Create a verifier. `use`: what it works for."""
        self._toolbox = toolbox
        self._use = use

    @property
    def is_ready(self) -> bool:
        """Whether there is a toolchain and a safe sandbox now."""
        return bool(self._toolbox.tool_versions)

    async def inspect(self, inspection: Inspection, programs: Sequence[str]) -> Sequence[Observed]:
        """Return what is seen of the programs; nothing of each if the tools are gone, or rounds left no time.

        Either all of them are tested on a machine that tests nothing else, or none. See `Verifier`.
        """
        seen = await self._toolbox.spare_time.spend(self._use, partial(self._inspect, inspection, programs))
        return [UNSEEN] * len(programs) if seen is None else seen

    async def _inspect(self, inspection: Inspection, programs: Sequence[str]) -> Sequence[Observed] | None:
        tester = self._toolbox.tester
        return None if tester is None else await SandboxVerifier(tester).inspect(inspection, programs)
