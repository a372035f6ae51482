"""Who is banned is refused at the door and is not dialled; the bans themselves are in test_gossip_floods.py."""

from __future__ import annotations

import pytest
import trio
from libp2p.peer.id import ID

from node.overlay import Overlay, PeerUnreachable
from node.overlay.identity import peer_id_bytes
from node.overlay.scoring import Misbehaviour
from tests.integration.overlay.world import ECHO, Recorder, node, seed, until


def ban(overlay: Overlay, key: bytes, address: str | None = None) -> None:
    """Ban a key, which has been connected from `address`."""
    scores, now = overlay._pubsub.scores, trio.current_time()
    scores.connected(key, address, address, now)
    scores.blame(key, Misbehaviour.NONSENSE, now, 40.0)
    assert scores.ban_if_due(key, now)


def refused(overlay: Overlay, reason: str) -> int:
    return overlay.connection_counts().refused.get(reason, 0)


async def test_a_banned_key_that_comes_back_is_refused_before_any_stream_is_served() -> None:
    """Pubsub alone ended such a connection after it was open: `on_peer` had told of it, and streams were served."""
    one = Recorder()
    async with node(1, one) as na:
        async with node(2, Recorder(), na) as nb:
            await one.wait_peer(nb)
        await one.wait_gone(nb.key)
        ban(na, nb.key)
        one.peers.clear()
        async with node(2, Recorder(), na) as nb:
            await until(lambda: refused(na, "banned key") > 1)
            with pytest.raises(PeerUnreachable):
                await nb.request(na.key, ECHO, b"let me in", timeout_ms=1_000)
        assert one.peers == []
        assert one.requests == []


async def test_an_address_of_banned_keys_is_refused_before_the_handshake() -> None:
    one = Recorder()
    async with node(1, one) as na:
        for number in range(3):
            ban(na, seed(100 + number), "127.0.0.1")
        async with node(2, Recorder(), na):
            await until(lambda: refused(na, "banned address") > 1)
        assert one.peers == []
        assert set(na.connection_counts().refused) == {"banned address"}


async def test_a_banned_key_is_not_dialled() -> None:
    one, two = Recorder(), Recorder()
    async with node(1, one) as na, node(2, two) as nb:
        ban(na, nb.key)
        na.learn_address(nb.key, nb.addresses())
        with pytest.raises(PeerUnreachable):
            await na.request(nb.key, ECHO, b"hello", timeout_ms=1_000)
        assert not await na._peers.dial(nb.key)
        counts = nb.connection_counts()
        assert (counts.inbound, counts.half_open, counts.refused, two.peers) == (0, 0, {}, [])


async def test_one_task_disconnects_a_banned_peer_however_many_streams_it_has() -> None:
    """Each stream of its, and each frame on one, used to start a task of its own: 200 here."""
    one = Recorder()
    async with node(1, one) as na, node(2, Recorder(), na) as nb:
        await one.wait_peer(nb)
        ban(na, nb.key)
        peer = ID(peer_id_bytes(nb.key))
        assert all(na._pubsub.expel_if_due(peer) for _ in range(200))
        assert _tasks_named("expel") == 1
        await one.wait_gone(nb.key)


def _tasks_named(name: str) -> int:
    waiting, count = [trio.lowlevel.current_root_task()], 0
    while waiting:
        task = waiting.pop()
        if task is not None:
            count += name in task.name
            waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count
