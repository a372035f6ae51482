"""Hostile programs, the machine around them, and what must be unchanged after they ran."""

import contextlib
import os
import re
import resource
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from node.sandbox.ports import Command, Finished, Limits, Sandbox
from node.sandbox.toolchain import Toolchain
from node.sandbox.users import UIDS
from tests.support.effort import EFFORT, Effort

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "hostile"
PRELUDE = (FOLDER / "prelude.rs").read_bytes()

WHOLE = EFFORT is Effort.SOAK
"""Whether all attacks are tried, also those that are slow by nature, and all of them again as an ordinary user."""

MIB = 1 << 20
LIMITS = Limits(cpu_s=4, wall_s=8, memory_bytes=256 * MIB, processes=16, file_bytes=16 * MIB, output_bytes=65_536)
"""Limits of a hostile program that is run, unless it names its own."""
COMPILING = Limits(cpu_s=10, wall_s=20, memory_bytes=1024 * MIB, processes=64, file_bytes=64 * MIB, output_bytes=65_536)
"""Limits of rustc, likewise."""

SECRET = "xyzzy-0e1f-secret"
"""What stands in the secret file and in the node's environment."""


@dataclass(frozen=True)
class Hostile:
    """A program of tests/fixtures/hostile."""

    name: str
    source: bytes
    endings: tuple[str, ...]
    """How it may end."""
    limits: dict[str, float] = field(default_factory=dict)

    def limited(self, limits: Limits) -> Limits:
        return replace(limits, **self.limits)


def hostile_programs(kind: str) -> list[Hostile]:
    """Return those to "run" or to "compile", in a soak also those that say that they are slow."""
    paths = sorted(FOLDER.glob(f"{kind}_*.rs"))
    return [_read(path) for path in paths if WHOLE or "//! slow by nature\n" not in path.read_text()]


def _read(path: Path) -> Hostile:
    text = path.read_text()
    expects = re.search(r"^//! expects: (\S+)$", text, re.MULTILINE)
    assert expects is not None, path
    limits = {name: float(value) for name, value in re.findall(r"^//! limit: (\w+)=([\d.]+)$", text, re.MULTILINE)}
    source = text.replace("//! ", "// ").encode()
    return Hostile(path.stem.partition("_")[2], source, tuple(expects[1].split("|")), limits)


@dataclass(frozen=True)
class Outside:
    """Things of this machine that every user reaches."""

    secret: Path
    writable: Path
    socket_name: str
    server: socket.socket
    abstract: socket.socket
    bystander: subprocess.Popen[bytes]

    def told(self) -> bytes:
        """What hostile programs are told of it, on their standard input."""
        port = self.server.getsockname()[1]
        folder = self.writable.parent
        lines = (self.secret, self.writable, folder, self.socket_name, port, self.bystander.pid)
        return "".join(f"{line}\n" for line in lines).encode()

    def require_untouched(self) -> None:
        """Fail if anything was changed, reached or left."""
        assert self.secret.read_text() == SECRET
        assert self.writable.read_text() == "as before"
        assert sorted(each.name for each in self.writable.parent.iterdir()) == ["secret", "writable"]
        assert self.bystander.poll() is None
        for listening in (self.server, self.abstract):
            with contextlib.suppress(BlockingIOError):
                listening.accept()
                raise AssertionError("a program reached a server of this machine")
        assert not (left := sandboxed_processes()), left
        assert not (mounted := sandbox_mounts()), mounted


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Make such things, in a folder."""
    open_folder = folder / "open"
    open_folder.mkdir()
    secret, writable = open_folder / "secret", open_folder / "writable"
    secret.write_text(SECRET)
    writable.write_text("as before")
    for path, mode in ((open_folder, 0o777), (secret, 0o666), (writable, 0o666)):
        path.chmod(mode)
    name = f"strand-hostile-{os.getpid()}"
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        abstract = held.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        for listening in (server, abstract):
            listening.listen(8)
            listening.setblocking(False)
        bystander = held.enter_context(subprocess.Popen(["sleep", "3600"]))
        held.callback(bystander.kill)
        os.environ["STRAND_SECRET"] = SECRET
        held.callback(os.environ.pop, "STRAND_SECRET")
        yield Outside(secret, writable, name, server, abstract, bystander)


def sandboxed_processes() -> list[int]:
    """Processes of sandboxes that descend from this process, or from nobody any more; not those of other nodes.

    Of orphans that have ended, which the machine's first process reaps in its own time, nothing is told.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = _line(int(entry.name))
                is_orphan = any(map(_begins_sandbox, line)) and _begins_sandbox(line[-1]) and not _has_ended(line[0])
                if is_orphan or (os.getpid() in line and any(map(_begins_sandbox, line))):
                    found.append(line[0])
    return found


def _begins_sandbox(pid: int) -> bool:
    if os.geteuid() == 0:
        return Path(f"/proc/{pid}").stat().st_uid in UIDS
    return Path(f"/proc/{pid}/comm").read_text().strip() == "bwrap"


def _has_ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _line(pid: int) -> list[int]:
    """Return a process and its ancestors, without the first of all."""
    line = []
    while pid > 1:
        line.append(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return line


def sandbox_mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if "newroot" in line or "bindfile" in line]


def descriptors() -> set[str]:
    """Open files of this process, as the kernel names them."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{entry.name} {entry.readlink()}")
    return found


async def compiled(sandbox: Sandbox, toolchain: Toolchain, source: bytes, limits: Limits = COMPILING) -> Finished:
    """Compile a program to the file `candidate`."""
    options = (
        "--edition",
        "2021",
        "-C",
        f"linker={toolchain.linker}",
        "-C",
        "debuginfo=0",
        "--cap-lints",
        "allow",
        "-o",
        "candidate",
    )
    command = Command(
        (toolchain.rustc, *options, "candidate.rs"),
        files={"candidate.rs": source, "prelude.rs": PRELUDE},
        readable=toolchain.readable,
        environment=toolchain.environment,
        collect={"candidate": 32 * MIB},
    )
    return await sandbox.run(command, limits)


def running(program: bytes, told: bytes, collect: dict[str, int] | None = None) -> Command:
    """Return the command that runs a program."""
    return Command(
        ("/w/candidate",),
        files={"candidate": program},
        executable=frozenset({"candidate"}),
        stdin=told,
        collect=collect or {},
    )


@contextlib.contextmanager
def belt(processes: int) -> Iterator[None]:
    """Bound the processes that this process and its children can have, whatever the sandbox does.

    As root by a group of processes (cgroup) of our own. Raises OSError if there can be none.
    """
    if os.geteuid() != 0:
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
        return
    own = Path("/proc/self/cgroup").read_text().splitlines()
    hierarchy, top = next(
        ((line.split(":")[2], root) for line in own for root in _roots(line)),
        (None, None),
    )
    if hierarchy is None or top is None:
        raise OSError("no group of processes can be limited here")
    group = top / f"strand-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "pids.max").write_text(str(processes))
        (group / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (top / hierarchy.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


def _roots(line: str) -> list[Path]:
    number, controllers, _ = line.split(":", 2)
    first, second = Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")
    if "pids" in controllers.split(",") and (first / "cgroup.procs").exists():
        return [first]
    control = second / "cgroup.subtree_control"
    if number == "0" and control.exists() and "pids" in control.read_text().split():
        return [second]
    return []
