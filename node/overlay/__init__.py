"""The peer-to-peer overlay: signed gossip and authenticated request streams over libp2p.

This package is the only one that imports libp2p, and it does so lazily: the types below cost nothing, `open_overlay`
loads libp2p on its first call (0.3 to 2.4 seconds).

    async with open_overlay(seed, config, handlers) as overlay:
        await overlay.subscribe(topic)
        await overlay.publish(topic, data)
        answer = await overlay.request(peer, "/strand/pull/2", payload, timeout_ms=2_000)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from node.overlay.types import Handlers, OverlayConfig, OverlayError, PeerInfo, PeerUnreachable, Refused, RequestRefused

if TYPE_CHECKING:
    from node.overlay.host import Overlay

__all__ = [
    "Handlers",
    "Overlay",
    "OverlayConfig",
    "OverlayError",
    "PeerInfo",
    "PeerUnreachable",
    "Refused",
    "RequestRefused",
    "open_overlay",
]


def __getattr__(name: str) -> object:
    """Load the class `Overlay` on first use."""
    if name == "Overlay":
        from node.overlay.host import Overlay

        return Overlay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@asynccontextmanager
async def open_overlay(seed: bytes, config: OverlayConfig, handlers: Handlers) -> AsyncIterator[Overlay]:
    """Run an overlay for as long as the context is open.

    Parameters: `seed`, the 32-byte Ed25519 seed of the author key, which is the libp2p identity too; `config`;
    `handlers`, the node's side.

    Raises: OverlayError if the overlay cannot start (bad multiaddr, port in use).
    """
    from node.overlay.host import run_overlay

    async with run_overlay(seed, config, handlers) as overlay:
        yield overlay
