"""Floods of gossip and of its control messages: what they make a node do is bounded, and who goes on is banned."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import trio
from libp2p.abc import INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.network.exceptions import SwarmException
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub import pubsub as libp2p_pubsub
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr
from nacl.signing import SigningKey

from node.overlay import Overlay
from node.overlay.budgets import AUTHOR_MESSAGES, AUTHOR_USELESS, SUBSCRIPTIONS
from node.overlay.identity import peer_id_bytes
from node.overlay.pubsub import Seen
from node.overlay.router import Router
from protocol.errors import Verdict
from tests.integration.overlay.world import TOPIC, Recorder, node, seed, subscribers, until

ATTACKER = 66
ATTACKER_KEY = bytes(SigningKey(seed(ATTACKER)).verify_key)
PEER = ID(peer_id_bytes(ATTACKER_KEY))


def signed(number: int, data: bytes = b"junk", topic: str = TOPIC) -> rpc_pb2.Message:
    """A message of the attacker's, as it should be."""
    message = rpc_pb2.Message(
        from_id=peer_id_bytes(ATTACKER_KEY), seqno=number.to_bytes(8, "big"), data=data, topicIDs=[topic]
    )
    message.signature = create_new_key_pair(seed(ATTACKER)).private_key.sign(
        b"libp2p-pubsub:" + message.SerializeToString()
    )
    return message


async def write(stream: INetStream, *frames: rpc_pb2.RPC) -> None:
    """Write frames until the other side hangs up."""
    for frame in frames:
        try:
            await stream.write(encode_varint_prefixed(frame.SerializeToString()))
        except Exception:
            return


async def open_gossip(attacker: Overlay, victim: Overlay) -> INetStream:
    """A gossip stream to write raw frames to."""
    info = info_from_p2p_addr(Multiaddr(victim.addresses()[0]))
    await attacker._host.connect(info)
    return await attacker._host.new_stream(info.peer_id, [PROTOCOL_ID_V11])


async def test_junk_is_not_passed_on_and_its_author_is_banned_and_stays_so() -> None:
    """Well-signed messages that are of use to nobody: 64 are looked at, none goes further, others are still served."""
    a, b, c = Recorder(), Recorder(), Recorder()
    a.verdict = lambda data: Verdict.IGNORE if data == b"junk" else Verdict.ACCEPT
    async with node(1, a) as na, node(2, b, na) as nb, node(3, c, na) as nc, node(ATTACKER, Recorder()) as attacker:
        for overlay in (na, nb):
            await overlay.subscribe(TOPIC)
        await until(lambda: len(na._pubsub.gossip.mesh[TOPIC]) == 1)
        stream = await open_gossip(attacker, na)
        frames = [
            rpc_pb2.RPC(publish=[signed(number) for number in range(start, start + 25)]) for start in range(0, 500, 25)
        ]
        await write(stream, *frames)
        await a.wait_gone(ATTACKER_KEY)
        assert len(a.gossip) <= AUTHOR_USELESS.burst + 2
        await nc.publish(TOPIC, b"fine")
        await b.wait(lambda: b.gossip)
        assert b.data() == [b"fine"]
        assert na._pubsub.scores.reason(ATTACKER_KEY, trio.current_time()).startswith("banned for ")
        seen = len(a.peers)
        with pytest.raises(SwarmException):
            await attacker._host.connect(info_from_p2p_addr(Multiaddr(na.addresses()[0])))
        assert a.peers[seen:] == [], "a new connection of the key is refused"


async def test_who_hands_over_what_was_not_looked_at_is_not_blamed_and_its_author_pays() -> None:
    """It goes no further, and nobody is banned for far more of it than makes a useless peer."""
    a, b = Recorder(), Recorder()
    a.verdict = lambda data: Verdict.DROP if data == b"junk" else Verdict.ACCEPT
    many = 300
    async with node(1, a) as na, node(2, b, na) as nb, node(ATTACKER, Recorder()) as attacker:
        await na.subscribe(TOPIC)
        await nb.subscribe(TOPIC)
        await until(lambda: subscribers(na))
        assert AUTHOR_USELESS.burst + 150 < many < AUTHOR_MESSAGES.burst
        stream = await open_gossip(attacker, na)
        await write(stream, *(rpc_pb2.RPC(publish=[signed(number)]) for number in range(many)))
        await a.wait(lambda: len(a.gossip) == many)
        await na.publish(TOPIC, b"fine")
        await b.wait(lambda: b.gossip)
        assert b.data() == [b"fine"]
        now = trio.current_time()
        assert na._pubsub.scores.score(ATTACKER_KEY, now) >= 0 and not na._pubsub.scores.is_banned(ATTACKER_KEY, now)
        left = na._pubsub._budgets._author_messages.level(ATTACKER_KEY, now)
        assert left < AUTHOR_MESSAGES.burst - many / 2


async def test_what_any_node_would_reject_bans_who_hands_it_over() -> None:
    a = Recorder()
    a.verdict = lambda _data: Verdict.REJECT
    async with node(1, a) as na, node(ATTACKER, Recorder()) as attacker:
        await na.subscribe(TOPIC)
        stream = await open_gossip(attacker, na)
        await write(stream, *(rpc_pb2.RPC(publish=[signed(number)]) for number in range(100)))
        await a.wait_gone(ATTACKER_KEY)
        assert len(a.gossip) <= 5
        assert na._pubsub.scores.reason(ATTACKER_KEY, trio.current_time()).endswith("invalid messages")


async def test_bystanders_of_a_line_carry_what_is_of_use_to_others() -> None:
    """A-B-C-D-E: the three in the middle have no use for a message, and it arrives at either end."""
    ends, middle = (Recorder(), Recorder()), (Recorder(), Recorder(), Recorder())
    for recorder in middle:
        recorder.verdict = lambda _data: Verdict.RELAY
    async with (
        node(1, ends[0]) as a,
        node(2, middle[0], a) as b,
        node(3, middle[1], b) as c,
        node(4, middle[2], c) as d,
        node(5, ends[1], d) as e,
    ):
        line = (a, b, c, d, e)
        for overlay in line:
            await overlay.subscribe(TOPIC)
        await until(lambda: [len(overlay._pubsub.gossip.mesh[TOPIC]) for overlay in line] == [1, 2, 2, 2, 1])
        await a.publish(TOPIC, b"question")
        await ends[1].wait(lambda: ends[1].data() == [b"question"])
        await e.publish(TOPIC, b"answer")
        await ends[0].wait(lambda: ends[0].data() == [b"answer"])


async def test_subscriptions_are_bounded_in_one_frame_and_in_many() -> None:
    """100,000 of them, and a topic that is left and joined again and again, for which stock replays each time."""
    a, b = Recorder(), Recorder()
    async with node(1, a) as na, node(2, b, na) as nb, node(ATTACKER, Recorder()) as attacker:
        await na.subscribe(TOPIC)
        await nb.subscribe(TOPIC)
        await until(lambda: subscribers(nb))
        stream = await open_gossip(attacker, na)
        many = [rpc_pb2.RPC.SubOpts(subscribe=True, topicid=f"/topic/{number}") for number in range(25_000)]
        again = [rpc_pb2.RPC.SubOpts(subscribe=number % 2 == 0, topicid=TOPIC) for number in range(100)]
        await write(stream, *[rpc_pb2.RPC(subscriptions=many)] * 4, *[rpc_pb2.RPC(subscriptions=again)] * 10)
        await a.wait_gone(ATTACKER_KEY)
        assert len(na._pubsub.peer_topics) <= 1 + SUBSCRIPTIONS.burst
        assert na._pubsub.scores.reason(ATTACKER_KEY, trio.current_time()).endswith("subscription flood")
        await nb.publish(TOPIC, b"fine")
        await a.wait(lambda: a.data() == [b"fine"])


# -- control messages, on a real router with a peer that exists on paper only -----------------------------------------


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A subscribed router, and a queue for the peer; three cached messages of 100 KB."""
    async with node(1, Recorder()) as overlay:
        await overlay.subscribe(TOPIC)
        router = overlay._pubsub.gossip
        router.add_peer(PEER, PROTOCOL_ID_V11)
        overlay._pubsub.peer_topics[TOPIC] = {PEER}
        overlay._pubsub.peer_queues[PEER] = libp2p_pubsub.RpcQueue()
        for number in range(3):
            message = signed(number, bytes(100_000))
            router.mcache.put(message)
            overlay._pubsub.seen_messages.add(overlay._pubsub.get_message_id(message))
        yield router


async def sent(router: Router) -> list[rpc_pb2.RPC]:
    """What waits for the peer, and has been taken out."""
    queue = router.pubsub.peer_queues[PEER]
    frames = []
    with trio.move_on_after(0) as none_left:
        while not none_left.cancelled_caught:
            frames.append(await queue.pop())
    return frames


def score(router: Router) -> float:
    return router.scores.score(PEER.to_bytes()[-32:], trio.current_time())


async def test_each_message_is_sent_twice_at_most_and_then_costs_who_asks(router: Router) -> None:
    want = rpc_pb2.ControlIWant(messageIDs=list(router.mcache.msgs))
    for _ in range(60):
        await router.handle_iwant(want, PEER)
    served = [message.seqno for frame in await sent(router) for message in frame.publish]
    assert sorted(served) == sorted(2 * [number.to_bytes(8, "big") for number in range(3)])
    assert score(router) < -80


async def test_a_new_subscription_brings_no_third_copy(router: Router) -> None:
    for _ in range(5):
        await router.send_recent_messages(PEER, TOPIC)
    assert sum(len(frame.publish) for frame in await sent(router)) == 6
    assert score(router) == 0


async def test_who_asks_for_what_was_never_here_is_blamed(router: Router) -> None:
    for number in range(16):
        await router.handle_iwant(rpc_pb2.ControlIWant(messageIDs=[bytes(45) + bytes([number])]), PEER)
    assert await sent(router) == []
    assert score(router) < -80


async def test_what_a_peer_gets_on_request_is_bounded_in_bytes(router: Router) -> None:
    for number in range(100, 200):
        message = signed(number, bytes(200_000))
        router.mcache.put(message)
        router.pubsub.seen_messages.add(router.pubsub.get_message_id(message))
    ids, served = list(router.mcache.msgs), 0
    for start in range(0, len(ids), 20):
        await router.handle_iwant(rpc_pb2.ControlIWant(messageIDs=ids[start : start + 20]), PEER)
        served += sum(len(message.data) for frame in await sent(router) for message in frame.publish)
    assert served < 10 * 1024 * 1024


async def test_an_ihave_flood_makes_us_ask_for_little(router: Router) -> None:
    for start in range(0, 100_000, 1_000):
        ids = [peer_id_bytes(ATTACKER_KEY) + number.to_bytes(8, "big") for number in range(start, start + 1_000)]
        await router.handle_ihave(rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=ids), PEER)
    wanted = [id for frame in await sent(router) for want in frame.control.iwant for id in want.messageIDs]
    assert len(wanted) == len(set(wanted)) == 256
    assert len(router._promised) <= 8_192
    assert score(router) < -80


async def test_a_message_that_three_withhold_is_asked_of_a_fourth_later(router: Router) -> None:
    others = [ID(peer_id_bytes(bytes([number]) * 32)) for number in range(100, 104)]
    for peer in others:
        router.pubsub.peer_queues[peer] = libp2p_pubsub.RpcQueue()
    told = rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[bytes(46)])
    for peer in others:
        await router.handle_ihave(told, peer)
    assert list(router._promised[bytes(46)]) == others[:3]
    asked = router._promised[bytes(46)]
    for peer in asked:
        asked[peer] -= 2.0  # two seconds later
    await router.handle_ihave(told, others[3])
    assert list(asked) == others
    router.keep_promises(bytes(46))
    assert not router._promised


async def test_who_has_sent_a_message_is_not_asked_for_it_again(router: Router) -> None:
    """A message over its author's budget is dropped unseen. Its neighbour, asked for a hundred of them in each of three
    heartbeats, took us for a flood and banned us: any author could set honest nodes against each other."""
    ids = [peer_id_bytes(ATTACKER_KEY) + number.to_bytes(8, "big") for number in range(100, 200)]
    told = rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=ids)
    wanted: list[int] = []
    for _ in range(3):
        router._begin_heartbeat()
        await router.handle_ihave(told, PEER)
        wanted.append(sum(len(want.messageIDs) for frame in await sent(router) for want in frame.control.iwant))
        for id in ids:
            router.keep_promises(id)
    assert wanted == [100, 0, 0]
    for number in range(10_000):
        router._promised[number.to_bytes(46, "big")] = {PEER: 0.0}
        router.keep_promises(number.to_bytes(46, "big"))
    assert len(router._kept) == 8_192


async def test_a_broken_promise_is_blamed_once_a_heartbeat(router: Router) -> None:
    ids = [peer_id_bytes(ATTACKER_KEY) + number.to_bytes(8, "big") for number in range(100, 200)]
    await router.handle_ihave(rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=ids), PEER)
    for asked in router._promised.values():
        asked[PEER] = trio.current_time() - 1
    router._begin_heartbeat()
    (ledger,) = router.scores._ledgers.values()
    assert {fault.value: round(count) for fault, count in ledger.faults.items()} == {"broken promises": 1}
    assert not router._promised


async def test_graft_spam_is_answered_once_a_heartbeat_and_banned(router: Router) -> None:
    router._add_back_off(PEER, TOPIC, False)
    for _ in range(100):
        await router.handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), PEER)
    assert sum(len(frame.control.prune) for frame in await sent(router)) == 1
    assert PEER not in router.mesh[TOPIC]
    assert score(router) < -80


async def test_a_graft_at_the_end_of_the_peers_own_back_off_is_not_early(router: Router) -> None:
    router._add_back_off(PEER, TOPIC, False, 60)
    router.back_off[TOPIC][PEER] -= 60
    await router.handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), PEER)
    assert PEER in router.mesh[TOPIC]
    assert score(router) >= 0


async def test_a_mesh_takes_so_many_between_two_heartbeats(router: Router) -> None:
    for number in range(100, 140):
        await router.handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), ID(peer_id_bytes(bytes([number]) * 32)))
    assert len(router.mesh[TOPIC]) == 16


async def test_whose_score_is_below_zero_leaves_the_mesh(router: Router) -> None:
    await router.handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), PEER)
    router.scorer.penalize_iwant_spam(PEER)
    for _ in range(8):
        router.scorer.penalize_iwant_spam(PEER)
    _, prunes = router.mesh_heartbeat()
    assert prunes[PEER] == [TOPIC]
    assert PEER not in router.mesh[TOPIC]
    await router.handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), PEER)
    assert PEER not in router.mesh[TOPIC]


async def test_back_offs_are_bounded_in_time_and_forgotten(router: Router) -> None:
    await router.handle_prune(rpc_pb2.ControlPrune(topicID=TOPIC, backoff=2**60), PEER)
    assert router.back_off[TOPIC][PEER] < time.time() + 700
    router.back_off[TOPIC][PEER] = int(time.time()) - 1
    router._begin_heartbeat()
    assert PEER not in router.back_off[TOPIC]


async def test_what_was_seen_is_known_for_a_quarter_of_an_hour(autojump_clock: trio.abc.Clock) -> None:  # noqa: ARG001
    seen = Seen()
    assert seen.add(b"id")
    assert not seen.add(b"id")
    await trio.sleep(205)
    assert seen.has(b"id"), "stock passed it on again"
    await trio.sleep(700)
    assert not seen.has(b"id")
