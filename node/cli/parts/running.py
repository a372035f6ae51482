"""Nodes of this user that run on this machine: each keeps a note of its address, by which `strand ui` finds it."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from node.cli.parts.errors import CliError, Exit
from node.files import FileError, remove_if_broken, writing

NOTES_MAX: Final = 256
"""Notes that are read: many times the nodes that a machine runs. Those of killed nodes are removed by readers."""

NOTE_BYTES_MAX: Final = 4_096
"""Largest note in bytes: an address, a name and three numbers."""

LISTED_MAX: Final = 8
"""Nodes that a line lists."""


class RunningNode(msgspec.Struct, frozen=True):
    """What a running node's note says."""

    url: str
    """URL of its HTTP interface."""
    name: str
    """Its name for people."""
    started_ms: int
    """When it was ready, since the Unix epoch."""
    launcher: int | None = None
    """Process that started it as one of a swarm (`strand demo`, `strand local`); None for a node by itself."""


def notes_folder() -> Path:
    """Return the folder of the notes."""
    return platformdirs.user_state_path("strand") / "running"


@contextmanager
def noted(node: RunningNode) -> Iterator[None]:
    """Keep a note of a running node. Raises UnwritableError.

    Its file is locked as long as the process lives, however that ends, and appears only when it is locked and whole.
    """
    # Whoever reads removes the notes of killed nodes, and may never come.
    running_nodes()
    folder = notes_folder()
    name = f"{os.getpid()}-{secrets.token_hex(4)}.json"
    draft, path = folder / f".{name}", folder / name
    with writing(path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with writing(path), remove_if_broken(draft):
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file, msgspec.json.encode(node))
            draft.replace(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def running_nodes() -> list[RunningNode]:
    """Return the nodes that run, by the time of their start; of a swarm only the first, which its launcher asks."""
    found = sorted(filter(None, map(_read, _files())), key=lambda node: node.started_ms)
    launchers: set[int] = set()
    firsts = []
    for node in found:
        if node.launcher is None or node.launcher not in launchers:
            firsts.append(node)
        if node.launcher is not None:
            launchers.add(node.launcher)
    return firsts


def only_running(nodes: Sequence[RunningNode]) -> RunningNode | None:
    """Return the one node of these; None if there is none. Raises CliError, which names them, if there are several."""
    if len(nodes) > 1:
        listed = ", or ".join(f"--url {node.url} ({node.name})" for node in nodes[:LISTED_MAX])
        raise CliError(f"several nodes of yours run; choose one: {listed}", Exit.USAGE)
    return nodes[0] if nodes else None


def _files() -> list[Path]:
    with suppress(OSError):
        return sorted(notes_folder().glob("*.json"))[:NOTES_MAX]
    return []


def _read(path: Path) -> RunningNode | None:
    """Return what a note says; None, and the file is removed, if the process that wrote it has ended."""
    # Without O_NONBLOCK a pipe that nobody writes to would be waited for, without an end.
    with (
        suppress(OSError, FileError, msgspec.DecodeError),
        os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file,
    ):
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return msgspec.json.decode(file.read(NOTE_BYTES_MAX), type=RunningNode)
        path.unlink(missing_ok=True)
    return None
