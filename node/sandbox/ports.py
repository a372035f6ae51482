"""Port of sandboxes: they run one command with its files, under limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command with all its children."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    processes: int
    file_bytes: int
    """Bytes of all files that it may write, together."""
    output_bytes: int
    """Bytes of stdout and of stderr that are kept, each. More ends the command."""


class Urgency(IntEnum):
    """For whom a command runs, the most urgent first: who goes first where more commands wait than run at a time."""

    OWN = 0
    """This node's owner: rounds that the node asks."""
    KNOWN = 1
    """Rounds of requesters that the owner knows."""
    STRANGER = 2
    """Rounds of strangers, and all that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Paths that start with /w are in the working folder, which is empty but for `files`."""

    argv: tuple[str, ...]
    """The program's absolute path as the sandbox sees it, and its arguments."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files to place in the working folder, by plain name."""
    stdin: bytes = b""
    readable: Mapping[str, Path] = field(default_factory=dict)
    """Folders and files of this machine that it may read, by their absolute path inside."""
    executable: frozenset[str] = frozenset()
    """Names in `files` that are programs."""
    collect: Mapping[str, int] = field(default_factory=dict)
    """Files to return from the working folder, by plain name, with the most bytes of each. A link, a folder or anything
    else that is no plain file is not returned."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """All that it sees of an environment, besides PATH, HOME and TMPDIR."""
    urgency: Urgency = Urgency.OWN


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Bounds that the owner sets for all commands, whatever their limits say."""

    places: int
    """Commands at a time."""
    memory_bytes: int
    """Memory of one command."""
    cpu_s: float
    """CPU seconds of one command."""

    def cap(self, limits: Limits) -> Limits:
        """Return limits that are nowhere above these."""
        memory_bytes, cpu_s = min(limits.memory_bytes, self.memory_bytes), min(limits.cpu_s, self.cpu_s)
        return replace(limits, memory_bytes=memory_bytes, cpu_s=cpu_s)


class Ending(StrEnum):
    """End of a command."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    """Ended by a signal that no limit of ours sent."""
    OUT_OF_TIME = "out_of_time"
    """Ended because it used up its CPU or wall time."""
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MUCH_OUTPUT = "too_much_output"
    NOT_STARTED = "not_started"
    """The sandbox itself failed: it says nothing about the command."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Result of a command."""

    ending: Ending
    code: int
    """Exit code, or the signal's number; 0 where neither applies."""
    stdout: bytes
    stderr: bytes
    files: Mapping[str, bytes]
    """Files that could be collected, by name."""
    wall_s: float
    cpu_s: float
    """CPU seconds of the command and its children, as far as the kernel tells."""
    detail: str = ""
    """Reason why it did not start, for the owner; else empty."""


class Sandbox(Protocol):
    """A way to run commands in isolation. One object serves all runs of a node, several at a time within its bounds."""

    @property
    def name(self) -> str:
        """The backend and its version, for the owner: "bubblewrap 0.11.0"."""
        ...

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run a command to its end. Waits for a free place first, behind those that are more urgent.

        Cancelling kills it with all its children.

        Never raises for anything that the command does.
        """
        ...
