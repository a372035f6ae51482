"""The node under attack, in a process of its own: `victim.py stock|fixed <settings as JSON>`.

Prints its address with its peer ID, then lives until its input ends. The request "publish <bytes>" on ECHO makes it
publish one message of that size, "send <bytes>" is answered with that many bytes; stock serves no requests.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import structlog
import trio
from libp2p.network.config import ConnectionConfig

from node.overlay import OverlayConfig, open_overlay
from protocol.errors import Verdict
from tests.integration.overlay.scenarios import TOPIC, stock
from tests.integration.overlay.world import ECHO, seed


class _Servant:
    """Publishes or answers as much as a request asks for."""

    def __init__(self) -> None:
        self._orders, self.orders = trio.open_memory_channel[int](1000)

    def on_gossip(self, _topic: str, _source: bytes, _data: bytes) -> Verdict:
        return Verdict.ACCEPT

    async def on_request(self, _protocol: str, _source: bytes, payload: bytes) -> bytes:
        order, _, size = payload.partition(b" ")
        if order == b"publish":
            await self._orders.send(int(size))
        return bytes(int(size)) if order == b"send" else payload

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Of no interest here."""


async def _fixed(settings: dict[str, Any]) -> None:
    servant = _Servant()
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    config = OverlayConfig(**{"listen": ("/ip4/127.0.0.1/tcp/0",), "protocols": (ECHO,), **settings})
    async with open_overlay(seed(1), config, servant) as overlay, trio.open_nursery() as nursery:
        await overlay.subscribe(TOPIC)
        print(overlay.addresses()[0], flush=True)

        async def publish() -> None:
            async for size in servant.orders:
                await overlay.publish(TOPIC, bytes(size))

        nursery.start_soon(publish)
        await trio.lowlevel.wait_readable(sys.stdin)
        nursery.cancel_scope.cancel()


async def _stock(settings: dict[str, Any]) -> None:
    few = ConnectionConfig(max_connections=16, min_connections=4, low_watermark=4, high_watermark=16)
    async with stock(1, connection_config=few if settings else None) as node:
        await node.subscribe()
        print(node.host.get_addrs()[0], flush=True)
        await trio.lowlevel.wait_readable(sys.stdin)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    # Nobody reads what is printed: a full pipe would stop the node.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    trio.run({"stock": _stock, "fixed": _fixed}[sys.argv[1]], json.loads(sys.argv[2]))
