"""Lets users of sandboxes reach folders that lie in a home which only root may enter, such as /root/.rustup.

Root's home keeps its mode. In a mount namespace of its own, an empty folder covers the home, in which only the wanted
folders appear, read-only, at their usual paths. Nothing is copied, and the namespace goes with the last descriptor.
This module is also the program that makes it.
"""

import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_NEW_MOUNTS: Final = 0x0002_0000
_READ_ONLY: Final = 1
_NO_SETUID: Final = 2
_NO_DEVICES: Final = 4
_REMOUNT: Final = 32
_BIND: Final = 4096
_RECURSIVE: Final = 16384
_SLAVE: Final = 1 << 19

MAKING_S_MAX: Final = 20.0
"""Seconds in which the namespace must be there: it takes a start of Python and a few calls."""


class NotExposedError(Exception):
    """The namespace could not be made. The message is a clause that says why."""


def hidden_by(path: Path) -> Path | None:
    """Return the outermost folder above `path` that others than its owner may not enter; None if there is none."""
    for folder in reversed(path.parents):
        try:
            mode = folder.stat().st_mode
        except OSError:
            return folder
        if not mode & stat.S_IXOTH:
            return folder
    return None


def expose(paths: Iterable[Path]) -> int:
    """Return a descriptor of a mount namespace in which every user reaches these paths. Raises NotExposedError.

    The paths are real ones, without links, under folders that `hidden_by` names.
    """
    program = [sys.executable, "-I", str(Path(__file__).resolve()), *map(str, paths)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}
    ) as maker:
        assert maker.stdout is not None
        told = maker.stdout.readline()
        try:
            if told == b"ready\n":
                return os.open(f"/proc/{maker.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _, error = maker.communicate(timeout=MAKING_S_MAX)
    lines = error.decode(errors="replace").splitlines()
    raise NotExposedError(lines[-1] if lines else "the program that makes it ended")


def _make(paths: Iterable[Path]) -> None:
    """Make the namespace for this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
        if libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot mount {target}: {os.strerror(number)}")

    if libc.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "root may not make a mount namespace here (no CAP_SYS_ADMIN)")
    # What others mount still appears here, and nothing of this appears there.
    mount("none", Path("/"), "none", _RECURSIVE | _SLAVE)
    opened = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC), path.is_dir()) for path in paths]
    for home in {home for path, *_ in opened if (home := hidden_by(path)) is not None}:
        mount("tmpfs", home, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=0755,size=64k")
    for path, descriptor, is_folder in opened:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            path.mkdir()
        else:
            path.touch()
        mount(f"/proc/self/fd/{descriptor}", path, "none", _BIND)
        mount("none", path, "none", _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES)


def _main() -> None:
    """Make the namespace and hold it until stdin ends."""
    os.umask(0o022)
    try:
        _make(map(Path, sys.argv[1:]))
    except OSError as error:
        sys.exit(error.strerror)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main()
