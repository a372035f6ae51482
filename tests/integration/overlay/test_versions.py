"""Nodes of two versions of the wire that meet: each knows of the other by identify, and nothing passes between them."""

from __future__ import annotations

import pytest

from node.overlay import Overlay, PeerUnreachable
from node.overlay.types import PeerInfo
from node.rounds.inbound import PROTOCOLS
from node.watch.conditions import Condition, View, conditions
from protocol.versions import WIRE
from tests.integration.overlay.world import TOPIC, Recorder, node, until

SECOND = tuple(protocol.removesuffix(f"/{WIRE}") + f"/{WIRE + 1}" for protocol in PROTOCOLS)
"""The stream protocols of a version that this test alone knows."""


def seen_by(overlay: Overlay) -> tuple[Condition, ...]:
    return conditions(
        View(
            topic=TOPIC,
            bootstraps=overlay.bootstraps(),
            topics=overlay.topics_of_peers(),
            protocols=overlay.protocols_of_peers(),
            clocks=0,
            clocks_off=0,
            offset_ms=0,
            ours_is_off=False,
            has_weight=True,
        )
    )


def known(overlay: Overlay, peer: Overlay) -> PeerInfo:
    (info,) = [info for info in overlay.peers() if info.key == peer.key]
    return info


async def test_each_other_version_is_told_with_its_remedy() -> None:
    async with (
        node(1, Recorder(), protocols=PROTOCOLS) as na,
        node(2, Recorder(), na, protocols=SECOND) as nb,
        node(3, Recorder(), na, protocols=PROTOCOLS) as nc,
    ):
        await until(lambda: na.protocols_of_peers() == {nb.key: frozenset(SECOND), nc.key: frozenset(PROTOCOLS)})
        (condition,) = seen_by(na)
        assert str(condition) == (
            f"1 of 2 peers speak a newer version of the wire ({WIRE + 1}, this node {WIRE}), so that no message passes "
            "between them and us: upgrade this node"
        )
        assert (known(na, nb).wires, known(na, nc).wires) == ((WIRE + 1,), (WIRE,))
        await until(lambda: na.key in nc.protocols_of_peers() and nc.protocols_of_peers()[na.key])
        assert "other_version" not in {each.kind for each in seen_by(nc)}
        with pytest.raises(PeerUnreachable):
            await na.request(nb.key, PROTOCOLS[0], b"", timeout_ms=5_000)


async def test_a_peer_that_was_upgraded_is_asked_again() -> None:
    """Stock keeps what a peer said in its earlier connection, and never asks again: it would be called old for ever."""
    recorder = Recorder()
    async with node(1, recorder, protocols=PROTOCOLS) as na:
        async with node(2, Recorder(), na, protocols=SECOND) as nb:
            await until(lambda: na.protocols_of_peers() == {nb.key: frozenset(SECOND)})
        await recorder.wait_gone(nb.key)
        async with node(2, Recorder(), na, protocols=PROTOCOLS) as nb:
            await until(lambda: na.protocols_of_peers() == {nb.key: frozenset(PROTOCOLS)})
            assert seen_by(na) == ()
