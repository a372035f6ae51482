"""One node of a swarm that only carries bytes: what a round would cost if deciding cost nothing.

`python -P -m tests.bench.skeleton_node MEMBERS [BOOTSTRAP...]` runs until its stdin is closed. Its first line on stdout
says its addresses; after that each line of JSON on stdin is a command, and each is answered with one line. It opens the
overlay as the daemon does, so the transport, its limits and the links between the nodes are the same. Nothing is signed
(but by libp2p), stored, fitted or decoded; the sizes of all messages come with the command.
"""

import json
import os
import secrets
import statistics
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from node import logs
from node.config import load_params
from node.overlay import Overlay, OverlayConfig, open_overlay
from node.rounds.inbound import CONTRIBUTE, PROTOCOLS
from protocol.errors import Verdict
from protocol.topics import topic

GOSSIP = struct.Struct(">QQI")
"""Serial number, sending time in ns, bytes that each member shall reply. Padding follows."""
REPLY = struct.Struct(">QQ")
"""Serial number, the gossip's delay in ns. Padding follows. Of serial number 0: what time is it at your place?"""
STAMP = struct.Struct(">Q")
"""A moment in ns of the clock that all processes of this machine share."""

REPLY_MS = 2_000
"""For one reply; the daemon gives a contribution as much."""
WAITING_MAX = 64
"""Gossip waiting to be replied to: the one that gossips waits for all replies, so there is one."""


@dataclass(slots=True)
class Replies:
    """What has come in answer to one gossip."""

    serial: int
    delays_ns: list[int] = field(default_factory=list)
    complete: trio.Event = field(default_factory=trio.Event)


class Skeleton:
    """The overlay's handlers, and the commands."""

    def __init__(self, members: int) -> None:
        self._members = members
        """How many reply to the one that gossips."""
        self._send, self.to_reply = trio.open_memory_channel[tuple[bytes, bytes]](WAITING_MAX)
        self._replies = Replies(0)
        self._padding = secrets.token_bytes(1 << 19)

    def on_gossip(self, _topic: str, source: bytes, data: bytes) -> Verdict:
        """Note when it came; a reply, if one is wanted, is sent from a task of its own, as the daemon's is."""
        serial, sent_ns, reply_bytes = GOSSIP.unpack_from(data)
        if reply_bytes:
            reply = REPLY.pack(serial, time.perf_counter_ns() - sent_ns)
            self._send.send_nowait((source, self._padded(reply, reply_bytes)))
        return Verdict.ACCEPT

    def on_peer(self, _peer: bytes, _connected: bool) -> None:
        """The replies to `settle` tell who is there."""

    async def on_request(self, _protocol: str, _source: bytes, payload: bytes) -> bytes:
        """A reply counts and is acknowledged with nothing; a question is answered with when it came."""
        serial, delay_ns = REPLY.unpack_from(payload)
        if not serial:
            return STAMP.pack(time.perf_counter_ns())
        if serial == self._replies.serial:
            self._replies.delays_ns.append(delay_ns)
            if len(self._replies.delays_ns) == self._members:
                self._replies.complete.set()
        return b""

    async def reply_to_all(self, overlay: Overlay) -> None:
        """Send the replies, each in its own task."""
        async with trio.open_nursery() as nursery:
            async for peer, reply in self.to_reply:
                nursery.start_soon(_reply, overlay, peer, reply)

    async def settle(self, overlay: Overlay, topic: str) -> dict[str, Any]:
        """Gossip until all members are connected, subscribed and reply."""
        while True:
            with trio.move_on_after(0.5):
                await self._phase(overlay, topic, GOSSIP.size, REPLY.size)
                return {}

    async def round(self, overlay: Overlay, topic: str, sizes: Sequence[Sequence[int]], notice: int) -> dict[str, Any]:
        """One round: each phase gossips and waits for all replies. ms from the start to the end of each phase."""
        began = trio.current_time()
        ends_ms = []
        for gossip_bytes, reply_bytes in sizes:
            await self._phase(overlay, topic, gossip_bytes, reply_bytes)
            ends_ms.append(1000 * (trio.current_time() - began))
        await overlay.publish(topic, self._gossip(notice, 0))
        return {"ends_ms": ends_ms}

    async def hop(self, overlay: Overlay, topic: str, gossip_bytes: int, stream_bytes: int) -> dict[str, Any]:
        """Delays of one gossip at all members, then of one request to one of them: there, and there and back."""
        await self._phase(overlay, topic, gossip_bytes, REPLY.size)
        gossip_ms = [delay_ns / 1e6 for delay_ns in self._replies.delays_ns]
        member = next(peer.key for peer in overlay.peers() if peer.connected)
        question = self._padded(REPLY.pack(0, 0), stream_bytes)
        # The first question opens the stream; the one that is measured finds it open, as those of a round do.
        for _ in range(2):
            sent_ns = time.perf_counter_ns()
            (came_ns,) = STAMP.unpack(await overlay.request(member, CONTRIBUTE, question, timeout_ms=REPLY_MS))
            there_and_back_ns = time.perf_counter_ns() - sent_ns
        return {
            "gossip_ms": statistics.median(gossip_ms),
            "gossip_last_ms": max(gossip_ms),
            "stream_ms": (came_ns - sent_ns) / 1e6,
            "request_ms": there_and_back_ns / 1e6,
        }

    async def _phase(self, overlay: Overlay, topic: str, gossip_bytes: int, reply_bytes: int) -> None:
        self._replies = Replies(self._replies.serial + 1)
        await overlay.publish(topic, self._gossip(gossip_bytes, reply_bytes))
        if reply_bytes:
            await self._replies.complete.wait()

    def _gossip(self, size: int, reply_bytes: int) -> bytes:
        return self._padded(GOSSIP.pack(self._replies.serial, time.perf_counter_ns(), reply_bytes), size)

    def _padded(self, head: bytes, size: int) -> bytes:
        return head + self._padding[: size - len(head)]


async def _reply(overlay: Overlay, peer: bytes, reply: bytes) -> None:
    await overlay.request(peer, CONTRIBUTE, reply, timeout_ms=REPLY_MS)


async def main(members: int, bootstrap: tuple[str, ...]) -> None:
    """Run one node."""
    logs.configure("warning", "console")
    own_topic = topic(load_params("devnet"), "rust", 0)
    skeleton = Skeleton(members)
    config = OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",), bootstrap=bootstrap, protocols=PROTOCOLS)
    async with open_overlay(secrets.token_bytes(32), config, skeleton) as overlay, trio.open_nursery() as nursery:
        await overlay.subscribe(own_topic)
        nursery.start_soon(skeleton.reply_to_all, overlay)
        print(json.dumps({"addresses": overlay.addresses()}), flush=True)
        commands = {"settle": skeleton.settle, "round": skeleton.round, "hop": skeleton.hop}
        async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
            # One command at a time and below a pipe's atomic 4 KiB: a chunk is a line.
            async for chunk in stdin:
                command = json.loads(chunk)
                told = await commands[command.pop("do")](overlay, own_topic, **command)
                print(json.dumps(told), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), tuple(sys.argv[2:]))
