"""Helpers of the overlay tests: a recording node, a small configuration, and one way to wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from node.overlay import Overlay, OverlayConfig, open_overlay
from protocol.errors import Verdict

TOPIC = "/strand/test/0/rust/0"
ECHO = "/strand/echo/1"
PATIENCE_S = 15.0
"""For a state that must come: long, because other work shares the machine; a test that passes never waits so long."""


class Recorder:
    """A node that writes down what the overlay tells it, and echoes requests."""

    def __init__(self) -> None:
        self.gossip: list[tuple[str, bytes, bytes]] = []
        self.peers: list[tuple[bytes, bool]] = []
        self.requests: list[tuple[str, bytes, bytes]] = []
        self.verdict: Callable[[bytes], Verdict] = lambda _data: Verdict.ACCEPT
        self.answer: Callable[[bytes], bytes] = lambda payload: payload
        self.gate: trio.Event | None = None
        self._news = trio.Event()

    def on_gossip(self, topic: str, source: bytes, data: bytes) -> Verdict:
        self.gossip.append((topic, source, data))
        self._tell()
        return self.verdict(data)

    async def on_request(self, protocol: str, source: bytes, payload: bytes) -> bytes:
        self.requests.append((protocol, source, payload))
        self._tell()
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(payload)

    def on_peer(self, peer: bytes, connected: bool) -> None:
        self.peers.append((peer, connected))
        self._tell()

    def data(self) -> list[bytes]:
        return [data for _, _, data in self.gossip]

    async def wait(self, condition: Callable[[], Any]) -> None:
        """Wait until what was written down fulfils `condition`."""
        with trio.fail_after(PATIENCE_S):
            while not condition():
                await self._news.wait()

    async def wait_peer(self, overlay: Overlay, connected: bool = True) -> None:
        """Wait until `overlay` is connected (or not) as seen from here."""
        await self.wait(lambda: [c for key, c in self.peers if key == overlay.key][-1:] == [connected])

    async def wait_gone(self, key: bytes) -> None:
        """Wait until the peer with `key` was disconnected."""
        await self.wait(lambda: (key, False) in self.peers)

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


async def until(condition: Callable[[], Any]) -> None:
    """Poll for a state of libp2p's own, which it tells nobody about (a mesh link, a subscription)."""
    with trio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


def seed(number: int) -> bytes:
    return bytes([number]) * 32


def config(*bootstrap: Overlay, **settings: Any) -> OverlayConfig:
    """On loopback, impatient, and connected to the first address of each of `bootstrap`."""
    known: dict[str, Any] = {
        "listen": ("/ip4/127.0.0.1/tcp/0",),
        "bootstrap": tuple(overlay.addresses()[0] for overlay in bootstrap),
        "protocols": (ECHO,),
        "redial_ms": 50,
        "redial_max_ms": 400,
    }
    return OverlayConfig(**{**known, **settings})


def node(number: int, recorder: Recorder, *bootstrap: Overlay, **settings: Any) -> AbstractAsyncContextManager[Overlay]:
    """An overlay with the key of `number`."""
    return open_overlay(seed(number), config(*bootstrap, **settings), recorder)


def subscribers(overlay: Overlay, topic: str = TOPIC) -> set[bytes]:
    """Keys of the peers that `overlay` knows to subscribe to `topic`."""
    known = overlay._pubsub.peer_topics.get(topic, set())
    return {peer.to_bytes()[-32:] for peer in known}
