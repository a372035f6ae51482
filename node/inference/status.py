"""The state of a model server of ours, for observers and for waiting tasks."""

from collections.abc import Callable
from enum import StrEnum

import structlog
import trio

from node.signals import Signal

_log = structlog.get_logger(__name__)


class EngineStage(StrEnum):
    """Stage in the life of a server."""

    STARTING = "starting"
    LOADING = "loading weights"
    COMPILING = "compiling"
    READY = "ready"
    PAUSING = "ended, to be started again"
    DOWN = "down"
    """It failed too often and is not started again."""


class ServerStatus:
    """The state of a server of ours, for observers and for waiting tasks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stage = EngineStage.STARTING
        self.progress = ""
        """Progress within the stage, in the server's words; empty if unknown."""
        self.served_s = 0.0
        """Seconds that the present or last run served before it ended; 0 while it serves."""
        self.lives = 0
        """How often it became ready."""
        self.starts = 0
        self.pid: int | None = None
        """Process id of our child, while it runs: llama.cpp's server itself, or the guard of vLLM's processes."""
        self.trouble = ""
        """Why it last ended; empty before that."""
        self._since_s = trio.current_time()
        self._changed = Signal()

    @property
    def stage_s(self) -> float:
        """Seconds in the present stage."""
        return trio.current_time() - self._since_s

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.stage is EngineStage.READY

    @property
    def restarts(self) -> int:
        """Number of restarts."""
        return max(self.starts - 1, 0)

    def become(self, stage: EngineStage, progress: str = "") -> None:
        """Move to a stage."""
        if (stage, progress) == (self.stage, self.progress):
            return
        if stage is not self.stage:
            _log.info("engine.stage_changed", server=self.name, stage=stage.value, after_s=round(self.stage_s, 1))
            if self.ready:
                self.served_s = self.stage_s
            elif stage is EngineStage.STARTING:
                self.served_s = 0.0
            self._since_s = trio.current_time()
        if stage is EngineStage.READY and not self.ready:
            self.lives += 1
        self.stage, self.progress = stage, progress
        self._changed.fire()

    async def wait_ready(self) -> None:
        """Wait until it serves."""
        await self.wait_until(lambda: self.ready)

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on this status holds; it is checked again at every change."""
        await self._changed.wait_until(holds)

    def __str__(self) -> str:
        """Return one line for the user."""
        how = f"{self.name} is {self.stage.value}" + (f" ({self.progress})" if self.progress else "")
        return f"{how}; it ended before: {self.trouble}" if self.trouble and not self.ready else how
