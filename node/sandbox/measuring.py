"""Measures memory and CPU time of a process and all its descendants, as the kernel counts them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VISITED_MAX: Final = 4_096
"""Threads looked at in one measurement: far more than any limit of processes allows. A tree beyond it is cut there."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

# Fields of /proc/PID/stat, counted from the one behind the program's name, which may itself hold spaces and brackets.
_CPU_TIMES: Final = slice(11, 15)
_RESIDENT: Final = 21


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory that a tree of processes uses now, and CPU time that it has used."""

    cpu_s: float
    """CPU seconds of all that live, and of those of their children that they waited for."""
    memory_bytes: int
    """Resident bytes of all together. Pages that several share count for each: it is at least what they take."""


def can_measure() -> bool:
    """Whether this kernel tells the children of a process."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def usage(root: int) -> Usage:
    """Return what a process and its descendants use. Those that end meanwhile are left out."""
    cpu_ticks = pages = visited = 0
    waiting = [root]
    while waiting and visited < VISITED_MAX:
        pid = waiting.pop()
        try:
            fields = _stat(pid)
            for thread in Path(f"/proc/{pid}/task").iterdir():
                visited += 1
                waiting += map(int, (thread / "children").read_bytes().split())
        except OSError:
            # It has ended.
            continue
        cpu_ticks += sum(map(int, fields[_CPU_TIMES]))
        pages += int(fields[_RESIDENT])
    return Usage(cpu_ticks / _TICKS_PER_S, pages * _PAGE_BYTES)


def _stat(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started; 0 if it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(b"oom_kill ")), 0)
