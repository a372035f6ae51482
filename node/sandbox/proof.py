"""Tries a sandbox before it is trusted: what must not be possible is attempted, within bounds, and must fail."""

import os
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import trio

from node.sandbox.ports import Command, Ending, Finished, Limits, Sandbox
from node.sandbox.toolchain import Toolchain

_MIB: Final = 1 << 20

_COMPILING: Final = Limits(
    cpu_s=60, wall_s=60, memory_bytes=2048 * _MIB, processes=64, file_bytes=64 * _MIB, output_bytes=65_536
)
"""Limits of compiling the probe: half a second's work."""

_PROBING: Final = Limits(
    cpu_s=10, wall_s=10, memory_bytes=64 * _MIB, processes=16, file_bytes=16 * _MIB, output_bytes=65_536
)
"""Limits of a probe."""

_PROGRAM_BYTES_MAX: Final = 32 * _MIB
"""Bytes of the compiled probe: 4 MB, and more where the standard library keeps its symbols."""

_NONE_OF: Final = ("reads", "lists", "writes", "connects", "binds", "inherits")
"""Attempts of the probe that must all fail."""

_BEYOND: Final = 8
"""Threads, or MiB, that the probe tries beyond a limit."""


_VARIABLE: Final = "STRAND_SANDBOX_PROOF"
"""A variable of the node's environment while the probe looks for it."""

_Probe: TypeAlias = Callable[..., Awaitable[Finished]]


class NotProvenError(Exception):
    """The sandbox does not hold, or does not work. The message is a clause that says what was seen."""


async def prove(sandbox: Sandbox, toolchain: Toolchain) -> bool:
    """Compile a probe in the sandbox, and try with it what a hostile program would try: about a second.

    Returns whether each of two sandboxes at a time has a limit of processes of its own; if not, only one may run.
    Raises NotProvenError.
    """
    program = await _compile(sandbox, toolchain)

    async def probe(*arguments: str, limits: Limits = _PROBING) -> Finished:
        command = Command(("/w/probe", *arguments), files={"probe": program}, executable=frozenset({"probe"}))
        return _started(await sandbox.run(command, limits))

    await _require_closed(probe)
    _require(await probe("sleep", limits=replace(_PROBING, wall_s=0.2)), Ending.OUT_OF_TIME, "a limit of time")
    memory = _PROBING.memory_bytes // _MIB + 16 * _BEYOND
    _require(await probe("fill", str(memory)), Ending.OUT_OF_MEMORY, "a limit of memory")
    _require(await probe("flood", str(_BEYOND)), Ending.TOO_MUCH_OUTPUT, "a limit of output")
    return await _has_own_processes(probe)


async def _compile(sandbox: Sandbox, toolchain: Toolchain) -> bytes:
    source = Path(__file__).with_name("probe.rs").read_bytes()
    options = ("--edition", "2021", "-C", f"linker={toolchain.linker}", "-C", "debuginfo=0", "-o", "probe")
    command = Command(
        (toolchain.rustc, *options, "probe.rs"),
        files={"probe.rs": source},
        readable=toolchain.readable,
        environment=toolchain.environment,
        collect={"probe": _PROGRAM_BYTES_MAX},
    )
    finished = _started(await sandbox.run(command, _COMPILING))
    if "probe" not in finished.files:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        raise NotProvenError(
            f"rustc {toolchain.version} does not compile in it: {said[0] if said else finished.ending}"
        )
    return finished.files["probe"]


async def _require_closed(probe: _Probe) -> None:
    """Let the probe look for a file, a folder and a server of this machine that every user reaches."""
    with _canary() as canary, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        os.environ[_VARIABLE] = "set"
        try:
            finished = await probe("look", str(canary), str(canary.parent), "{}:{}".format(*server.getsockname()))
        finally:
            del os.environ[_VARIABLE]
    told = dict(line.split("=", 1) for line in finished.stdout.decode(errors="replace").split())
    if finished.ending is not Ending.EXITED or told.get("works") != "yes":
        raise NotProvenError(f"a plain program does not run in it ({finished.ending} {finished.code})")
    if bad := [name for name in _NONE_OF if told.get(name) != "no"]:
        raise NotProvenError(f"a program in it {bad[0]} what lies outside")


@contextmanager
def _canary() -> Iterator[Path]:
    """Make a file that every user of this machine may read and write, in a folder that they may, too."""
    with tempfile.TemporaryDirectory(prefix="strand-proof-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o777)
        canary = Path(folder, "canary")
        canary.write_text(secrets.token_hex(16))
        canary.chmod(0o666)
        yield canary


async def _has_own_processes(probe: _Probe) -> bool:
    wanted = _PROBING.processes - 1

    async def count() -> int:
        finished = await probe("multiply", str(_PROBING.processes + _BEYOND))
        found = finished.stdout.removeprefix(b"started=").strip()
        return int(found) if finished.ending is Ending.EXITED and found.isdigit() else -1

    alone = await count()
    if alone != wanted:
        raise NotProvenError(f"a program in it started {alone} threads where {wanted} are allowed")
    both: list[int] = []

    async def note() -> None:
        both.append(await count())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(note)
        nursery.start_soon(note)
    return both == [wanted, wanted]


def _started(finished: Finished) -> Finished:
    if finished.ending is Ending.NOT_STARTED:
        raise NotProvenError(f"it does not start: {finished.detail}")
    return finished


def _require(finished: Finished, ending: Ending, what: str) -> None:
    if finished.ending is not ending:
        raise NotProvenError(f"{what} does not hold in it ({finished.ending} {finished.code})")
