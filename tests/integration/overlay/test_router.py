"""The mesh's bookkeeping, on a real router with peers that exist on paper only; stock methods beside ours."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2

from node.overlay import fixes
from node.overlay.identity import peer_id_bytes
from node.overlay.pubsub import Router
from tests.integration.overlay.world import TOPIC, Recorder, node

PEERS = [ID(peer_id_bytes(bytes([number]) * 32)) for number in range(100, 112)]


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A subscribed router whose mesh holds twelve peers, four more than it may."""
    async with node(1, Recorder()) as overlay:
        await overlay.subscribe(TOPIC)
        router = overlay._pubsub.gossip
        for peer in PEERS:
            router.add_peer(peer, PROTOCOL_ID_V11)
        overlay._pubsub.peer_topics[TOPIC] = set(PEERS)
        router.mesh[TOPIC] = set(PEERS)
        yield router


async def test_whom_we_prune_we_do_not_graft_again(router: Router) -> None:
    _, prunes = GossipSub.mesh_heartbeat(router)
    assert len(prunes) == 8
    assert not any(router._check_back_off(peer, TOPIC) for peer in prunes)  # stock forgets
    router.mesh[TOPIC] = set(PEERS)
    _, prunes = router.mesh_heartbeat()
    assert len(prunes) == 8
    assert all(router._check_back_off(peer, TOPIC) for peer in prunes)


async def test_pruned_peers_still_hear_of_messages(router: Router) -> None:
    router.mcache.put(rpc_pb2.Message(from_id=b"x", seqno=b"1", data=b"d", topicIDs=[TOPIC]))
    _, prunes = router.mesh_heartbeat()
    assert GossipSub.gossip_heartbeat(router) == {}  # stock leaves them out while the back-off lasts
    told = router.gossip_heartbeat()
    assert len(told) == 6
    assert set(told) <= set(prunes)
    assert all(ids == {TOPIC: [b"x1"]} for ids in told.values())


async def test_a_back_off_ends_after_the_other_sides(router: Router) -> None:
    router._add_back_off(PEERS[0], TOPIC, False, 60)
    assert router.back_off[TOPIC][PEERS[0]] >= time.time() + 60
    GossipSub._add_back_off(router, PEERS[1], TOPIC, False, 60)
    assert router.back_off[TOPIC][PEERS[1]] <= time.time() + 60


class _Outbox(Router):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[ID, rpc_pb2.ControlMessage] = {}

    async def emit_control_message(self, control_msg: rpc_pb2.ControlMessage, to_peer: ID) -> None:
        self.sent[to_peer] = control_msg


async def test_each_peer_gets_its_own_control_messages() -> None:
    grafts = {PEERS[0]: ["/a"], PEERS[1]: ["/b"]}
    prunes = {PEERS[1]: ["/c"], PEERS[2]: ["/d"]}
    ours, stock = _Outbox(), _Outbox()
    await ours._emit_control_msgs(grafts, prunes, {PEERS[2]: {"/e": [b"1"]}})
    assert {peer: [g.topicID for g in control.graft] for peer, control in ours.sent.items()} == {
        PEERS[0]: ["/a"],
        PEERS[1]: ["/b"],
        PEERS[2]: [],
    }
    assert [p.topicID for p in ours.sent[PEERS[1]].prune] == ["/c"]
    assert [p.topicID for p in ours.sent[PEERS[2]].prune] == ["/d"]
    assert [(i.topicID, list(i.messageIDs)) for i in ours.sent[PEERS[2]].ihave] == [("/e", [b"1"])]
    await GossipSub._emit_control_msgs(stock, dict(grafts), dict(prunes), {})
    assert [g.topicID for g in stock.sent[PEERS[1]].graft] == ["/a", "/b"]


def test_another_libp2p_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libp2p.__version__", "0.8.2")
    with pytest.raises(RuntimeError, match=r"0\.8\.2"):
        fixes.apply.__wrapped__()
