"""Nodes of this user that run on this machine: each keeps a note of its address, by which `strand ui` finds it."""

import errno
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
from node.files import writing

NOTES_MAX: Final = 256
"""Notes that are read: many times the nodes that a machine runs. Those of killed nodes are removed by readers."""

NOTE_BYTES_MAX: Final = 4_096
"""Largest note in bytes: an address, a name and two numbers."""

FILES_TRIED_MAX: Final = 16
"""Files that a node begins for its note before it goes without: a reader takes one for a killed node's only if it looks
within the microseconds before its lock."""

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

    Its file is locked as long as the process lives, however that ends.
    """
    _notes()  # whoever reads removes the notes of killed nodes, and may never come
    with writing(notes_folder()):
        notes_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        path, file = _locked_file()
    try:
        with writing(path):
            os.write(file, msgspec.json.encode(node))
        yield
    finally:
        with suppress(OSError):  # a disk that has become read-only keeps it, as it does a killed node's
            path.unlink(missing_ok=True)
        os.close(file)


def _locked_file() -> tuple[Path, int]:
    """Create a file that this process has locked. Raises OSError."""
    for _ in range(FILES_TRIED_MAX):
        path = notes_folder() / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return path, file
        os.close(file)  # a reader was first, took it for a killed node's, and removed it
    raise BlockingIOError(errno.EAGAIN, "readers removed every file")


def running_nodes(besides: str = "") -> list[RunningNode]:
    """Return the nodes that run, by the time of their start; of a swarm only the first, which its launcher asks.

    `besides`: URL of a node that is left out.
    """
    firsts: dict[int | str, RunningNode] = {}
    for node in sorted(_notes(), key=lambda node: node.started_ms):
        firsts.setdefault(node.url if node.launcher is None else node.launcher, node)
    return [node for node in firsts.values() if node.url != besides]


def only_running(nodes: Sequence[RunningNode]) -> RunningNode | None:
    """Return the one node of these; None if there is none. Raises CliError, which names them, if there are several."""
    if len(nodes) > 1:
        raise CliError(f"several nodes of yours run; choose one: {choices_of(nodes)}", Exit.USAGE)
    return nodes[0] if nodes else None


def choices_of(nodes: Sequence[RunningNode]) -> str:
    """Return what to type for each of these nodes."""
    listed = ", or ".join(f"--url {node.url} ({node.name})" for node in nodes[:LISTED_MAX])
    return listed + (f", and {len(nodes) - LISTED_MAX} more" if len(nodes) > LISTED_MAX else "")


def _notes() -> list[RunningNode]:
    """Return what the notes say, and remove those of killed nodes."""
    paths: list[Path] = []
    with suppress(OSError):
        paths = sorted(path for path in notes_folder().glob("*.json") if path.is_file())[:NOTES_MAX]
    return list(filter(None, map(_read, paths)))


def _read(path: Path) -> RunningNode | None:
    """Return what a note says; None, and the file is removed, if the process that wrote it has ended."""
    # O_NONBLOCK: a pipe that takes the note's place meanwhile must not hang whoever looks.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError, msgspec.DecodeError), os.fdopen(os.open(path, flags), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return msgspec.json.decode(file.read(NOTE_BYTES_MAX), type=RunningNode)
        path.unlink(missing_ok=True)
    return None
