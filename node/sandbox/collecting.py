"""Returns files from the working folder of a command that has ended."""

import os
import stat
from collections.abc import Mapping


def collect(folder: int, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the plain files of these names from a folder in which nothing runs any more.

    `folder`: a descriptor; `wanted`: the most bytes of each. What is missing, larger, a link or no plain file, is left
    out. Opening never waits, as for a pipe, and never follows a link out of the folder.
    """
    found = {}
    for name, bytes_max in wanted.items():
        content = _read(folder, name, bytes_max)
        if content is not None:
            found[name] = content
    return found


def _read(folder: int, name: str, bytes_max: int) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        return None
    try:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode) or told.st_size > bytes_max:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(bytes_max)
    finally:
        os.close(descriptor)
