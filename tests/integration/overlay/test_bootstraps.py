"""What a node knows of the peers that its user named, when they do not take it in."""

from __future__ import annotations

import trio
from structlog.testing import capture_logs

from node.overlay import Overlay
from node.overlay.identity import peer_id_text
from node.overlay.types import DialFault, FailedDial
from tests.integration.overlay.world import TOPIC, Recorder, node, until


async def failure(overlay: Overlay) -> FailedDial:
    """How dialling the one bootstrap peer failed, once it has."""
    await until(lambda: overlay.bootstraps()[0].failed)
    (bootstrap,) = overlay.bootstraps()
    assert not bootstrap.connected and bootstrap.failed is not None
    return bootstrap.failed


async def test_one_that_is_down_is_told_and_forgotten_when_it_is_up() -> None:
    async with node(1, Recorder()) as one:
        address = one.addresses()[0]
    port = int(address.split("/")[4])
    two = Recorder()
    async with node(2, two, bootstrap=(address,)) as nb:
        assert await failure(nb) == FailedDial(DialFault.DOWN, "Connection refused")
        assert nb.bootstraps()[0].address == address
        async with node(1, Recorder(), listen=(f"/ip4/127.0.0.1/tcp/{port}",)) as one:
            await two.wait_peer(one)
            assert (nb.bootstraps()[0].connected, nb.bootstraps()[0].failed) == (True, None)


async def test_another_node_at_its_address_is_told_with_its_id() -> None:
    async with node(1, Recorder()) as one, node(3, Recorder()) as three:
        wrong = one.addresses()[0].replace(peer_id_text(one.key), peer_id_text(three.key))
        async with node(2, Recorder(), bootstrap=(wrong,)) as nb:
            assert await failure(nb) == FailedDial(DialFault.OTHER_NODE, peer_id_text(one.key))


async def test_one_that_is_full_is_told() -> None:
    one = Recorder()
    async with node(1, one, peers_max=1) as na, node(3, Recorder(), na) as nc:
        await one.wait_peer(nc)
        async with node(2, Recorder(), na) as nb:
            assert (await failure(nb)).fault is DialFault.TURNED_AWAY
            assert na.connection_counts().refused["full"] >= 1


async def test_a_name_without_an_address_is_told() -> None:
    async with node(1, Recorder()) as one:
        unknown = one.addresses()[0].replace("/ip4/127.0.0.1/", "/dns4/no-such-name.invalid/")
        async with node(2, Recorder(), bootstrap=(unknown,)) as nb:
            failed = await failure(nb)
            assert failed.fault is DialFault.UNRESOLVED
            assert "no-such-name.invalid" in failed.detail


async def test_one_that_accepts_and_says_nothing_is_down() -> None:
    async def silent(_stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with node(1, Recorder()) as one, trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, silent, 0)
        address = f"/ip4/127.0.0.1/tcp/{listeners[0].socket.getsockname()[1]}/p2p/{peer_id_text(one.key)}"
        async with node(2, Recorder(), bootstrap=(address,), handshake_ms=200) as nb:
            assert await failure(nb) == FailedDial(DialFault.DOWN, "no connection within 0.2 s")
        nursery.cancel_scope.cancel()


async def test_peers_that_come_and_go_are_told_with_their_place() -> None:
    one = Recorder()
    async with node(1, one) as na:
        with capture_logs() as logs:
            async with node(2, Recorder(), na) as nb:
                await one.wait_peer(nb)
            await one.wait_gone(nb.key)
        of_peer = [entry for entry in logs if entry.get("peer") == peer_id_text(nb.key)]
        told = [(entry["event"], entry["log_level"], entry.get("host")) for entry in of_peer]
    for event in ("peer.connected", "peer.disconnected"):
        assert (event, "info", "127.0.0.1") in told


async def test_topics_of_peers_are_known_by_peer() -> None:
    async with node(1, Recorder()) as na, node(2, Recorder(), na) as nb:
        await nb.subscribe(TOPIC)
        await until(lambda: na.topics_of_peers() == {nb.key: frozenset({TOPIC})})
