"""What well-signed junk costs: 8,560 messages of unknown rounds from one fresh key, and CPU seconds of who gets them.

    PYTHONPATH=. python -P -m tests.soak.junk [messages]

Three processes of our node's overlay and validator in a line (victim - neighbour - second neighbour), and an attacker
that writes raw frames to the victim. Prints CPU seconds of each node over the flood, and what became of the attacker.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import trio

MESSAGES = 8_560
"""As many as the attack at 044b2f0 sent."""
PER_FRAME = 40
_ROOT = Path(__file__).parents[2]
_START_S = 60
_FLOOD_S = 120.0
_SETTLE_S = 10.0


async def node(number: int, bootstrap: tuple[str, ...]) -> None:
    """One node: prints its address, then on each line of input its CPU seconds and counts as JSON."""
    from consensus.rounds.validation import Validator
    from node import logs
    from node.overlay import OverlayConfig, open_overlay
    from protocol.errors import Fault, Verdict
    from protocol.topics import topic
    from tests.support.swarm import params

    logs.configure("error", "json")  # stdout is for the figures
    validator, on_topic = Validator(params()), topic(params(), "rust", 0)
    judged = 0

    class Handlers:
        def on_gossip(self, where: str, source: bytes, data: bytes) -> Verdict:
            nonlocal judged
            judged += 1
            admitted = validator.admit_gossip(where, source, data, int(time.time() * 1000))  # type: ignore[arg-type]
            return admitted.verdict if isinstance(admitted, Fault) else Verdict.ACCEPT

        async def on_request(self, _protocol: str, _source: bytes, _payload: bytes) -> bytes:
            return b""

        def on_peer(self, peer: bytes, connected: bool) -> None:
            """Of no interest here."""

    config = OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",), bootstrap=bootstrap)
    async with open_overlay(bytes([number]) * 32, config, Handlers()) as overlay:
        await overlay.subscribe(on_topic)
        print(overlay.addresses()[0], flush=True)
        while await trio.to_thread.run_sync(sys.stdin.readline):
            peers = sum(peer.connected for peer in overlay.peers())
            print(json.dumps({"cpu_s": time.process_time(), "judged": judged, "peers": peers}), flush=True)


class _Child:
    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._lines = b""

    async def line(self) -> str:
        with trio.fail_after(_START_S):
            while b"\n" not in self._lines:
                self._lines += await self.process.stdout.receive_some(10_000)  # type: ignore[union-attr]
        line, _, self._lines = self._lines.partition(b"\n")
        return line.decode()

    async def told(self) -> dict[str, Any]:
        await self.process.stdin.send_all(b"?\n")  # type: ignore[union-attr]
        return json.loads(await self.line())


async def attack(count: int) -> None:
    """Flood the victim, and print what it cost."""
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.peer.peerinfo import info_from_p2p_addr
    from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
    from libp2p.pubsub.pb import rpc_pb2
    from libp2p.utils import encode_varint_prefixed
    from multiaddr import Multiaddr

    from protocol.messages import Commit
    from protocol.signing import Keypair, seal
    from protocol.topics import topic
    from protocol.types import Digest
    from tests.integration.overlay.scenarios import stock
    from tests.support.swarm import params

    network, seed = params(), bytes([66]) * 32
    keypair, pair, on_topic = Keypair(seed), create_new_key_pair(seed), topic(params(), "rust", 0)
    frames = []
    for start in range(0, count, PER_FRAME):
        rpc = rpc_pb2.RPC()
        for number in range(start, min(count, start + PER_FRAME)):
            query = Digest(number.to_bytes(32, "big"))
            commit = seal(
                keypair, network.digest, Commit(author=keypair.public, query=query, on=query, commitment=query)
            )
            message = rpc_pb2.Message(
                from_id=b"\x00\x24\x08\x01\x12\x20" + keypair.public,
                seqno=(time.time_ns() + number).to_bytes(8, "big"),
                data=commit.envelope,
                topicIDs=[on_topic],
            )
            message.signature = pair.private_key.sign(b"libp2p-pubsub:" + message.SerializeToString())
            rpc.publish.append(message)
        frames.append(encode_varint_prefixed(rpc.SerializeToString()))

    async with trio.open_nursery() as nursery, stock(66) as attacker:
        children: list[_Child] = []
        addresses: list[str] = []
        for number in (1, 2, 3):
            run = functools.partial(
                trio.run_process,
                [sys.executable, "-P", "-m", "tests.soak.junk", "node", str(number), *addresses[-1:]],
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                check=False,
            )
            children.append(_Child(await nursery.start(run)))
            addresses.append(await children[-1].line())
        victim = info_from_p2p_addr(Multiaddr(addresses[0]))
        await attacker.host.connect(victim)
        stream = await attacker.host.new_stream(victim.peer_id, [PROTOCOL_ID_V11])
        await trio.sleep(3)  # meshes form in the first heartbeats
        before = [await child.told() for child in children]
        sent, started = 0, time.monotonic()
        try:
            with trio.move_on_after(_FLOOD_S):
                for frame in frames:
                    await stream.write(frame)
                    sent += 1
        except Exception as fault:  # the victim hung up: that is a result
            print(f"after {sent * PER_FRAME} messages: {type(fault).__name__}")
        print(f"{min(count, sent * PER_FRAME)} of {count} messages written in {time.monotonic() - started:.1f} s")
        await trio.sleep(_SETTLE_S)  # for what is queued
        after = [await child.told() for child in children]
        for name, was, now in zip(("victim", "neighbour", "second"), before, after, strict=True):
            cpu_s, judged = now["cpu_s"] - was["cpu_s"], now["judged"] - was["judged"]
            print(f"{name:>10}: {cpu_s:6.2f} CPU s, {judged:5d} messages judged, {now['peers']} peers connected")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    if sys.argv[1:2] == ["node"]:
        trio.run(node, int(sys.argv[2]), tuple(sys.argv[3:]))
    else:
        import argparse
        import logging

        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("messages", type=int, nargs="?", default=MESSAGES)
        chosen = parser.parse_args()
        logging.disable(logging.CRITICAL)
        trio.run(attack, chosen.messages)
