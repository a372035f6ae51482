"""A node in a process of its own: `child.py <number> <port> [bootstrap address ...]`.

Prints its address, publishes what it is asked over a stream, and lives until it is killed or its input ends.
"""

from __future__ import annotations

import sys

import trio

from node.overlay import OverlayConfig, open_overlay
from protocol.errors import Verdict
from tests.integration.overlay.world import ECHO, TOPIC, seed


class _Speaker:
    """Hands on every request to be published."""

    def __init__(self) -> None:
        self._asked, self.asked = trio.open_memory_channel[bytes](100)

    def on_gossip(self, _topic: str, _source: bytes, _data: bytes) -> Verdict:
        return Verdict.ACCEPT

    async def on_request(self, _protocol: str, _source: bytes, payload: bytes) -> bytes:
        await self._asked.send(payload)
        return payload

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Of no interest here."""


async def main(number: int, port: int, bootstrap: tuple[str, ...]) -> None:
    speaker = _Speaker()
    config = OverlayConfig(
        listen=(f"/ip4/127.0.0.1/tcp/{port}",), bootstrap=bootstrap, protocols=(ECHO,), redial_ms=50, redial_max_ms=400
    )
    async with open_overlay(seed(number), config, speaker) as overlay, trio.open_nursery() as nursery:
        await overlay.subscribe(TOPIC)
        print(overlay.addresses()[0], flush=True)

        async def publish() -> None:
            async for payload in speaker.asked:
                await overlay.publish(TOPIC, payload)

        nursery.start_soon(publish)
        await trio.lowlevel.wait_readable(sys.stdin)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
