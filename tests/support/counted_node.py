"""`strand` whose living objects can be counted: `python -P -m tests.support.counted_node FILE run ...`.

On SIGUSR1 a line of JSON is appended to FILE: objects by type, descriptors, resident memory. Tests only: the daemon
has nothing of the kind.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from node.cli.main import run

TYPES_MAX = 400
"""types in a line: the rest are few of each"""


def count(file: Path) -> None:
    """Append what lives now. Cycles that nobody refers to are collected first, so that figures can be compared."""
    gc.collect()
    objects = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    told = {
        "objects": dict(objects.most_common(TYPES_MAX)),
        "total": sum(objects.values()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "rss_mib": rss_mib(os.getpid()),
    }
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(told) + "\n")


def rss_mib(pid: int) -> float:
    """Resident memory of a process, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: count(Path(sys.argv[1])))
    sys.exit(run(sys.argv[2:]))
