"""Runs commands under sandlock (Landlock and seccomp) where namespaces are forbidden, as in most containers.

Only as root, and under a user id of its own for each command, because Landlock alone does not do enough: it lets a
program change modes and times of its own user's files anywhere, and has no process tree to end. As a user that owns
nothing a program can do neither, and all its processes are found by that id. There is no quota of the disk either: free
room is watched, and the command ended that takes too much of it.

Paths inside are paths of this machine: those of the command line and the environment are translated.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import trio

from node.sandbox.bubblewrap import (
    ADDRESSES_BYTES,
    FOLDER,
    OPEN_FILES_MAX,
    STACK_BYTES,
    UnusableError,
    require_plain,
    system_program,
)
from node.sandbox.collecting import collect
from node.sandbox.entrances import Entrances
from node.sandbox.exposing import NotExposedError
from node.sandbox.measuring import Usage, user_processes, user_usage
from node.sandbox.ports import Ceilings, Command, Ending, Finished, Limits
from node.sandbox.supervising import Ended, Supervised
from node.sandbox.users import NoUserError, sandbox_user

ABI_MIN: Final = 6
"""The first version of Landlock that keeps signals and abstract sockets in (Linux 6.12); sandlock asks for it, too."""

SPARE_BYTES: Final = 64 << 20
"""Bytes by which free room may fall for other reasons while a command runs."""

SPARE_ENTRIES: Final = 8_192
"""Files that others may make on the same disk meanwhile."""

SPARE_THREADS: Final = 16
"""Threads of sandlock itself, which the kernel counts to the command's user."""

KILLS_MAX: Final = 100
"""Rounds of killing: each ends all processes of the user that are there."""

_LANDLOCK_CREATE_RULESET: Final = 444
_VERSION_FLAG: Final = 1


class _Run(Supervised):
    """One command of one user id."""

    def __init__(
        self, argv: Sequence[str], task: dict[str, object], setpriv: Path, user: int, opened: ExitStack
    ) -> None:
        """Start it. `argv`: the program that runs the task; `user`: under which all of it runs. Raises OSError."""
        self._become, self._user = [str(setpriv), f"--reuid={user}", f"--regid={user}", "--clear-groups"], user
        self._folder = os.open(str(task["folder"]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, self._folder)
        self._before, self._bytes_max = os.fstatvfs(self._folder), int(str(task["file_bytes"]))
        self._status, status = os.pipe()
        opened.callback(os.close, self._status)
        os.set_blocking(self._status, False)
        told = os.memfd_create("strand-sandbox", os.MFD_CLOEXEC)
        with ExitStack() as ends:
            ends.callback(os.close, status)
            ends.callback(os.close, told)
            os.write(told, json.dumps({**task, "status": status}).encode())
            os.lseek(told, 0, os.SEEK_SET)
            super().__init__(argv, [status], told, opened)

    async def run(self, limits: Limits, wanted: Mapping[str, int]) -> Finished:
        """Return what came of the command. `wanted`: files, with the most bytes of each."""
        ended: Ended = await self._supervise(limits)
        never = self._told() is None or (ended.code == 127 and ended.stderr.startswith(b"sandlock child: exec"))
        if self._why is None and never:
            lines = ended.stderr.decode(errors="replace").splitlines()
            return _not_started(lines[-1] if lines else "sandlock ended without a word")
        files = collect(self._folder, wanted)
        return Finished(ended.ending, ended.code, ended.stdout, ended.stderr, files, ended.wall_s, ended.cpu_s)

    def kill(self) -> None:
        """End all processes of the user; each round takes all that are there at one moment."""
        for _ in range(KILLS_MAX):
            if not user_processes(self._user):
                return
            subprocess.run([*self._become, "/bin/sh", "-c", "kill -9 -1"], cwd="/", env={}, capture_output=True)

    def _told(self) -> tuple[int, int] | None:
        """Return exit code and signal of the command; None if there was none."""
        if self._said is None:
            try:
                self._said = os.read(self._status, 64)
            except BlockingIOError:
                self._said = b""
        code, _, number = self._said.partition(b" ")
        return (int(code), max(0, int(number))) if number else None

    _said: bytes | None = None

    def _code(self) -> int:
        code, number = self._told() or (0, 0)
        return 128 + number if number else code

    def _measure(self) -> Usage:
        return user_usage(self._user)

    def _has_too_many_files(self) -> bool:
        now = os.fstatvfs(self._folder)
        taken = (self._before.f_bfree - now.f_bfree) * now.f_frsize
        return taken > self._bytes_max + SPARE_BYTES or self._before.f_ffree - now.f_ffree > SPARE_ENTRIES

    def _is_full(self) -> bool:
        return not os.fstatvfs(self._folder).f_bavail


class Landlock:
    """The sandbox."""

    def __init__(self, setpriv: Path, nsenter: Path, ceilings: Ceilings) -> None:
        """Set up nothing yet."""
        self._setpriv = setpriv
        self._entrances = Entrances(nsenter)
        self._ceilings = ceilings
        self._places = trio.CapacityLimiter(ceilings.places)

    @property
    def name(self) -> str:
        """The backend and its version."""
        return f"sandlock {version('sandlock')}"

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run a command to its end. Waits for a free place first; cancelling kills it with all its children."""
        require_plain(command)
        limits = self._ceilings.cap(limits)
        async with self._places:
            with ExitStack() as opened:
                try:
                    user = opened.enter_context(sandbox_user())
                    place = opened.enter_context(_working_folder(command, user))
                    own = (Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent)
                    entrance = await self._entrances.leading_to((*own, *command.readable.values()))
                    argv = [*entrance, *_program(self._setpriv, user)]
                    started = _Run(argv, _task(command, limits, place), self._setpriv, user, opened)
                except (NoUserError, NotExposedError, OSError) as error:
                    return _not_started(str(error))
                try:
                    return await started.run(limits, command.collect)
                finally:
                    await started.end()


def _not_started(detail: str) -> Finished:
    return Finished(Ending.NOT_STARTED, 0, b"", b"", {}, 0.0, 0.0, detail)


def _program(setpriv: Path, user: int) -> Iterator[str]:
    yield from (str(setpriv), f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all")
    yield from ("--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL", "/usr/bin/env", "HOME=/nonexistent")
    yield from (sys.executable, "-I", str(Path(__file__).resolve().with_name("landlock_child.py")))


@contextmanager
def _working_folder(command: Command, user: int) -> Iterator[Path]:
    """Make a folder of the user with the command's files, and beside it the input."""
    place = Path(tempfile.mkdtemp(prefix="strand-sandbox-"))
    try:
        place.chmod(0o755)
        folder = place / "w"
        folder.mkdir(mode=0o700)
        for name, content in command.files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o755 if name in command.executable else 0o644)
            os.chown(folder / name, user, user)
        os.chown(folder, user, user)
        (place / "input").write_bytes(command.stdin)
        (place / "input").chmod(0o644)
        yield place
    finally:
        # Not by Python's own way, which gives up in folders deeper than its stack.
        subprocess.run(["/bin/rm", "-rf", "--", place], cwd="/", env={}, capture_output=True)


def _task(command: Command, limits: Limits, place: Path) -> dict[str, object]:
    folder = str(place / "w")
    moved = {FOLDER: folder, **{inside: str(path) for inside, path in command.readable.items()}}
    cpu_s = max(1, -int(-limits.cpu_s // 1))
    memory = limits.memory_bytes + ADDRESSES_BYTES
    told = {"PATH": "/usr/bin", "HOME": FOLDER, "TMPDIR": FOLDER, **command.environment}
    system = [path for path in ("/usr/lib", "/usr/lib64", "/lib", "/lib64") if Path(path).exists()]
    return {
        "argv": [_translated(each, moved) for each in command.argv],
        "environment": {name: _translated(value, moved) for name, value in told.items()},
        "folder": folder,
        "file_bytes": limits.file_bytes,
        "input": str(place / "input"),
        "readable": [*system, "/dev/urandom", *map(str, command.readable.values())],
        "limits": {
            "CPU": cpu_s,
            "AS": memory,
            "FSIZE": limits.file_bytes,
            "NOFILE": OPEN_FILES_MAX,
            "STACK": STACK_BYTES,
            "CORE": 0,
            "NPROC": limits.processes + SPARE_THREADS,
            "MEMLOCK": 0,
            "MSGQUEUE": 0,
        },
    }


def _translated(text: str, moved: Mapping[str, str]) -> str:
    """Replace the folders of the sandbox, where they begin a path, by those of this machine."""
    places = "|".join(re.escape(inside) for inside in sorted(moved, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])({places})(?![^/:])", lambda found: moved[found[1]], text)


def open_landlock(ceilings: Ceilings) -> Landlock:
    """Return the sandbox, untried. Raises UnusableError."""
    if os.geteuid() != 0:
        raise UnusableError("an ordinary user's program could change modes of the user's files: only root's is safe")
    if find_spec("sandlock") is None:
        raise UnusableError("sandlock is not installed: `pip install strand-swarm[rust]`")
    found = _landlock_abi()
    if found < ABI_MIN:
        raise UnusableError(f"the kernel's Landlock is version {found}, and {ABI_MIN} is needed (Linux 6.12)")
    return Landlock(system_program("setpriv"), system_program("nsenter"), ceilings)


def _landlock_abi() -> int:
    """Return the version of the kernel's Landlock, which has the same number everywhere; 0 if there is none."""
    import ctypes

    return max(0, int(ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _VERSION_FLAG)))
