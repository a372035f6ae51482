"""Several hosts on one machine: network namespaces with a switch between them that loses, delays, reorders and parts.

Linux, as root. Hosts have no names and nothing outlives them: they end with the switch and the processes in them, also
when a test is killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trio

from node.inference.supervision import end_with_stdin
from tests.support.switch import address

START_S = 30.0
STOP_S = 5.0
LINE_BYTES_MAX = 4_096
CHUNK_BYTES = 65_536

_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class Link:
    """How packets travel between any two hosts, one way. Each has its own delay, so that jitter reorders them."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """More or less than that at most, uniformly."""
    loss: float = 0.0
    """Share of packets that never arrive."""


def why_not() -> str | None:
    """Why this machine cannot have hosts, and what helps; None if it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    for program in ("unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is missing: apt-get install util-linux"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is missing or not ours: run as root, after `modprobe tun`"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        return "network namespaces may not be made: run as root, in a container with --cap-add SYS_ADMIN,NET_ADMIN"
    return None


class Hosts:
    """Hosts that are up, and the switch between them."""

    def __init__(self, switch: trio.Process, namespaces: list[int], nursery: trio.Nursery) -> None:
        self._switch = switch
        self._namespaces = namespaces
        self._nursery = nursery

    def __len__(self) -> int:
        return len(self._namespaces)

    def address(self, host: int) -> str:
        """A host's IPv4 address."""
        return address(host)

    def command(self, host: int) -> tuple[str, ...]:
        """What to put before a command so that it runs on a host. The process stays the one that is started."""
        return ("nsenter", f"--net={self._namespace(host)}")

    async def set_link(self, link: Link) -> None:
        """Change how packets travel from now on."""
        await self._tell({"link": asdict(link)})

    async def part(self, away: Collection[int]) -> None:
        """Cut these hosts off from the others, not from each other; nobody for a whole network."""
        await self._tell({"groups": [int(host in away) for host in range(len(self))]})

    async def counts(self) -> dict[str, int]:
        """Packets so far: passed, lost, parted (between hosts that are cut off), overrun."""
        return await self._tell({})

    async def forward(self, host: int, url: str) -> str:
        """A URL here that leads to a URL on a host, until the hosts end."""
        target = urlsplit(url)
        assert target.hostname is not None and target.port is not None
        port = target.port

        async def serve(near: trio.SocketStream) -> None:
            with self._on(host):
                far_socket = trio.socket.from_stdlib_socket(socket.socket())
            try:
                await far_socket.connect(("127.0.0.1", port))
            except OSError:
                far_socket.close()
                await near.aclose()
                return
            async with near, trio.SocketStream(far_socket) as far, trio.open_nursery() as nursery:
                nursery.start_soon(_pump, near, far)
                await _pump(far, near)
                nursery.cancel_scope.cancel()

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self._nursery.start_soon(trio.serve_listeners, serve, listeners)
        return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

    def _namespace(self, host: int) -> Path:
        return Path(f"/proc/{self._switch.pid}/fd/{self._namespaces[host]}")

    @contextmanager
    def _on(self, host: int) -> Iterator[None]:
        """Make sockets on a host. Nothing may be awaited meanwhile: it is this thread that goes there."""
        here_path = Path("/proc/thread-self/ns/net")
        with here_path.open("rb") as here, self._namespace(host).open("rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    async def _tell(self, command: dict[str, object]) -> dict[str, int]:
        assert self._switch.stdin is not None
        await self._switch.stdin.send_all(json.dumps(command).encode() + b"\n")
        told = json.loads(await _line(self._switch))
        assert isinstance(told, dict)
        return told


@asynccontextmanager
async def open_hosts(count: int, seed: int = 0) -> AsyncIterator[Hosts]:
    """Make hosts; see `why_not`. They end with the context, or with this process."""
    switch = await trio.lowlevel.open_process(
        [sys.executable, "-P", "-m", "tests.support.switch", str(count), str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        with trio.fail_after(START_S):
            namespaces = json.loads(await _line(switch))
        async with trio.open_nursery() as nursery:
            yield Hosts(switch, namespaces, nursery)
            nursery.cancel_scope.cancel()
    finally:
        await end_with_stdin(switch, STOP_S)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


async def _line(process: trio.Process) -> bytes:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        part = await process.stdout.receive_some(LINE_BYTES_MAX)
        if not part or len(line) > LINE_BYTES_MAX:
            raise RuntimeError("the switch between the hosts has ended")
        line += part
    return line


async def _pump(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        while part := await source.receive_some(CHUNK_BYTES):
            await target.send_all(part)
        await target.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return
