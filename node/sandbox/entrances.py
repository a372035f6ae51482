"""Keeps the ways to folders that only root reaches, for all commands that read them."""

import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import trio

from node.sandbox.exposing import NotExposedError, expose, hidden_by

ENTRANCES_MAX: Final = 8
"""Sets of hidden folders that are kept open: one for each toolchain and its parts."""


class Entrances:
    """The namespaces that this process holds open, and the way into them."""

    def __init__(self, nsenter: Path) -> None:
        """Hold none yet. `nsenter`: the program that enters one."""
        self._nsenter = nsenter
        self._opened: dict[frozenset[Path], int] = {}
        self._opening = trio.Lock()
        weakref.finalize(self, _close, self._opened)

    async def leading_to(self, paths: Iterable[Path]) -> list[str]:
        """Return the beginning of a command line that lets every user reach these paths; nothing if they can anyway.

        Raises NotExposedError.
        """
        real = {path.resolve() for path in paths}
        hidden = {path for path in real if hidden_by(path) is not None}
        outermost = frozenset(path for path in hidden if not any(map(path.is_relative_to, hidden - {path})))
        if not outermost:
            return []
        async with self._opening:
            if outermost not in self._opened:
                if len(self._opened) >= ENTRANCES_MAX:
                    raise NotExposedError(f"more than {ENTRANCES_MAX} sets of folders that only root reaches")
                self._opened[outermost] = await trio.to_thread.run_sync(expose, outermost)
        # By our own number, not by an inherited one: nothing inside may hold it.
        return [str(self._nsenter), f"--mount=/proc/{os.getpid()}/fd/{self._opened[outermost]}"]


def _close(opened: dict[frozenset[Path], int]) -> None:
    for descriptor in opened.values():
        os.close(descriptor)
