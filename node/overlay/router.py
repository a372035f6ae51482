"""The mesh: libp2p's GossipSub router with bounded floods, scored peers, and fixes for the faults found.

Each peer of a mesh pays for the work that it causes; see budgets.py and scoring.py. docs/explanation/libp2p.md lists
the faults.
"""

from __future__ import annotations

import collections
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import trio
from libp2p.peer.id import ID
from libp2p.pubsub import gossipsub
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.score import PeerScorer, ScoreParams

from consensus.rounds.buckets import Buckets
from node.overlay.budgets import KEYS_MAX, SERVED_BYTES
from node.overlay.identity import key_of
from node.overlay.scoring import GOSSIP_MIN, GRAYLIST, PUBLISH_MIN, Misbehaviour, PeerScores

_DEGREE: Final = 4
_DEGREE_LOW: Final = 3
_DEGREE_HIGH: Final = 8
"""Mesh links of a topic: the main factor of the cost; 8 doubles CPU time at 50 nodes and gains a few milliseconds."""
_HEARTBEAT_S: Final = 1
_GOSSIP_PEERS_MIN: Final = 6
"""Peers to which each heartbeat announces recent messages: at least this many, or a quarter of the topic's."""
_BACK_OFF_SLACK_S: Final = 2
_PENDING_MESSAGES_MAX: Final = 8
"""Messages kept for a peer whose subscriptions are unknown yet. The cache's replay serves later ones."""
_MESH_MAX: Final = 2 * _DEGREE_HIGH
"""Mesh links of a topic between two heartbeats: a peer that grafts beyond that is pruned at once."""
_BACK_OFF_MAX_S: Final = 600
"""Seconds of the longest back-off that a peer can request."""
MESSAGE_ID_BYTES: Final = 46
"""Bytes of a message id: `from` (a peer ID that encodes its key) and an 8-byte sequence number; no others are admitted.
"""
_IHAVE_IDS_MAX: Final = 4_096
"""Ids that one peer may announce in one heartbeat: those of three heartbeats are announced, and a whole round of 64
members by gossip is 400."""
_IHAVES_MAX: Final = 128
"""IHAVE entries of one peer in one heartbeat: our own nodes send one for each shared topic, 64 at most."""
_WANTED_IDS_MAX: Final = 256
"""Ids that we request from one peer in one heartbeat."""
WANTED_PER_RPC_MAX: Final = 64
"""Messages that one frame may request. Stock answers each repeated id, 500 of them with 200 copies and more."""
_ASKED_PEERS_MAX: Final = 3
"""Peers asked for one message at a time: one that withholds it must not keep it from us."""
_PROMISE_S: Final = 5.0
"""Seconds in which an IWANT must be answered: a slow link with 1 MiB queued before it takes that long."""
_ASK_AGAIN_S: Final = 1.5
"""Seconds after which further peers are asked: neighbours announce a message for three heartbeats only."""
_PROMISES_MAX: Final = 8_192
"""Ids that we wait for. About 2 MB."""
_KEPT_MAX: Final = 8_192
"""Ids for which the peers that sent them on request are remembered. About 2 MB."""
_SERVED_TIMES_MAX: Final = 2
"""Copies of one cached message that a peer gets on request: the first may have been lost in a full queue."""
_SERVED_PEERS_MAX: Final = 512
"""Peers whose received copies are remembered, connected or not, while the messages are cached."""


def name_of(peer: ID) -> bytes:
    """Return the key that identifies a peer in scores and budgets; its whole id if that encodes no Ed25519 key."""
    raw = peer.to_bytes()
    return key_of(raw) or raw


class _Scorer(PeerScorer):
    """The part of our scores that libp2p's router may use. Peers above zero are equal, so they are not reshuffled."""

    def __init__(self, scores: PeerScores) -> None:
        super().__init__(ScoreParams())
        self._scores = scores

    def score(self, peer: ID, topics: list[str]) -> float:  # noqa: ARG002 - libp2p's signature
        return min(0.0, self._scores.score(name_of(peer), trio.current_time()))

    def allow_publish(self, peer: ID, topics: list[str]) -> bool:
        return self.score(peer, topics) >= PUBLISH_MIN

    def allow_gossip(self, peer: ID, topics: list[str]) -> bool:
        return self.score(peer, topics) >= GOSSIP_MIN

    def is_graylisted(self, peer: ID, topics: list[str]) -> bool:
        return self.score(peer, topics) < GRAYLIST

    def allow_px_from(self, peer: ID, topics: list[str]) -> bool:  # noqa: ARG002 - libp2p's signature
        return False

    def on_join_mesh(self, peer: ID, topic: str) -> None:  # noqa: ARG002 - libp2p's signature
        self._scores.grafted(name_of(peer), trio.current_time())

    def on_leave_mesh(self, peer: ID, topic: str) -> None:  # noqa: ARG002 - libp2p's signature
        self._scores.pruned(name_of(peer), trio.current_time())

    def on_heartbeat(self, dt_seconds: float = 1.0) -> None:
        """Do nothing: our scores fade by the clock."""

    def remove_peer(self, peer: ID) -> None:
        """Do nothing: our scores outlive the connection."""

    def penalize_iwant_spam(self, peer: ID, amount: float = 5.0) -> None:  # noqa: ARG002 - libp2p's signature
        self._scores.blame(name_of(peer), Misbehaviour.IWANT, trio.current_time())


class Router(GossipSub):
    """GossipSub 1.1 with own messages flooded to all subscribers, with a mesh that heals, and with bounded requests."""

    def __init__(self, scores: PeerScores | None = None) -> None:
        super().__init__(
            protocols=[PROTOCOL_ID_V11],
            degree=_DEGREE,
            degree_low=_DEGREE_LOW,
            degree_high=_DEGREE_HIGH,
            heartbeat_interval=_HEARTBEAT_S,  # 120 s by default
            adaptive_gossip_enabled=False,  # rewrites the heartbeat to 30-60 s
            spam_protection_enabled=False,  # drops own messages too above 10/s a topic
            eclipse_protection_enabled=False,  # needs peers on three IP networks
            max_pending_messages_per_peer=_PENDING_MESSAGES_MAX,
        )
        self.scores = PeerScores() if scores is None else scores
        self._gate = _Scorer(self.scores)
        self.scorer = self._gate
        self._told: collections.Counter[ID] = collections.Counter()
        self._told_ids: collections.Counter[ID] = collections.Counter()
        self._wanted_ids: collections.Counter[ID] = collections.Counter()
        self._answered_grafts: set[ID] = set()
        """These four cover the current heartbeat."""
        self._promised: OrderedDict[bytes, dict[ID, float]] = OrderedDict()
        self._kept: OrderedDict[bytes, set[ID]] = OrderedDict()
        self._served: OrderedDict[ID, collections.Counter[bytes]] = OrderedDict()
        self._served_bytes = Buckets[bytes](SERVED_BYTES, KEYS_MAX)

    def _check_equivocation(self, _msg: rpc_pb2.Message) -> bool:
        """Accept every message: stock stores 500-1000 messages to compare, but the protocol handles equivocation."""
        return True

    def _get_peers_to_send(
        self, topic_ids: Iterable[str], msg_forwarder: ID, origin: ID, msg_id: bytes | None = None
    ) -> Iterable[ID]:
        """Send own messages to every connected subscriber at once, grafted or not; forward others along the mesh.

        Flood publishing (GossipSub 1.1): topics have about 50 nodes, so one hop is affordable and saves two or three.
        """
        assert self.pubsub is not None
        if msg_forwarder != self.pubsub.my_id:
            return super()._get_peers_to_send(topic_ids, msg_forwarder, origin, msg_id)
        return {peer for topic in topic_ids for peer in self.pubsub.peer_topics.get(topic, ())}

    def gossip_heartbeat(self) -> collections.defaultdict[ID, dict[str, list[bytes]]]:
        """Send IHAVE also to peers in prune back-off: in stock, pruned leaves get nothing for 60 seconds."""
        assert self.pubsub is not None
        self._begin_heartbeat()
        told: collections.defaultdict[ID, dict[str, list[bytes]]] = collections.defaultdict(dict)
        for topic, links in {**self.fanout, **self.mesh}.items():
            ids = self.mcache.window(topic)
            subscribers = self.pubsub.peer_topics.get(topic, ())
            if ids and subscribers:
                count = max(_GOSSIP_PEERS_MIN, len(subscribers) // 4)
                for peer in self._get_in_topic_gossipsub_peers_from_minus(topic, count, links):
                    if self._gate.allow_gossip(peer, [topic]):
                        told[peer][topic] = list(ids)
        return told

    def mesh_heartbeat(self) -> tuple[collections.defaultdict[ID, list[str]], collections.defaultdict[ID, list[str]]]:
        """Prune peers with a score below zero; record own PRUNEs, as stock GRAFTs the peer again a heartbeat later."""
        unwanted = [(p, topic) for topic, links in self.mesh.items() for p in links if self._gate.score(p, [topic]) < 0]
        for peer, topic in unwanted:
            self.mesh[topic].discard(peer)
            self._gate.on_leave_mesh(peer, topic)
            self._add_back_off(peer, topic, False)
        grafts, prunes = super().mesh_heartbeat()
        for peer, topic in unwanted:
            prunes[peer].append(topic)
        for peer, topics in prunes.items():
            for topic in topics:
                self._add_back_off(peer, topic, False)
        return grafts, prunes

    def _add_back_off(self, peer: ID, topic: str, is_unsubscribe: bool, backoff_duration: int = 0) -> None:
        """Lengthen back-offs: stock truncates to seconds and GRAFTs too early, which renews the other's back-off."""
        duration = backoff_duration or (self.unsubscribe_back_off if is_unsubscribe else self.prune_back_off)
        super()._add_back_off(peer, topic, is_unsubscribe, duration + _BACK_OFF_SLACK_S)

    async def _emit_control_msgs(
        self,
        peers_to_graft: dict[ID, list[str]],
        peers_to_prune: dict[ID, list[str]],
        peers_to_gossip: dict[ID, dict[str, list[bytes]]],
    ) -> None:
        """Send one control message per peer: stock sends later peers the GRAFTs and PRUNEs of the earlier ones too."""
        for peer in {**peers_to_graft, **peers_to_prune, **peers_to_gossip}:
            control = self.pack_control_msgs(
                [rpc_pb2.ControlIHave(topicID=t, messageIDs=ids) for t, ids in peers_to_gossip.get(peer, {}).items()],
                [rpc_pb2.ControlGraft(topicID=topic) for topic in peers_to_graft.get(peer, ())],
                [rpc_pb2.ControlPrune(topicID=topic) for topic in peers_to_prune.get(peer, ())],
            )
            await self.emit_control_message(control, peer)

    # -- requests of peers
    # -----------------------------------------------------------------------------------------------

    async def handle_ihave(self, ihave_msg: rpc_pb2.ControlIHave, sender_peer_id: ID) -> None:
        """Request new messages, from few peers at a time: stock asks every peer that announces one, without a limit.

        A peer is never asked again for a message that it has sent. A message dropped because its author is over its
        budget is not marked as seen, and requesting it in each heartbeat would look like a flood and be banned.
        """
        peer, now = sender_peer_id, trio.current_time()
        self._told[peer] += 1
        self._told_ids[peer] += len(ihave_msg.messageIDs)
        if self._told[peer] > _IHAVES_MAX or self._told_ids[peer] > _IHAVE_IDS_MAX:
            self.scores.blame(name_of(peer), Misbehaviour.IHAVE, now)
            return
        if self.pubsub is None or not self._gate.allow_gossip(peer, [ihave_msg.topicID]):
            return
        wanted: list[bytes] = []
        for raw in ihave_msg.messageIDs:
            id = bytes(raw)
            if len(id) != MESSAGE_ID_BYTES or self.pubsub.seen_messages.has(id):
                continue
            if peer in self._kept.get(id, ()):
                continue
            asked = self._promised.setdefault(id, {})
            waiting = sum(until > now + _PROMISE_S - _ASK_AGAIN_S for until in asked.values())
            if peer not in asked and waiting < _ASKED_PEERS_MAX and self._wanted_ids[peer] < _WANTED_IDS_MAX:
                asked[peer] = now + _PROMISE_S
                self._wanted_ids[peer] += 1
                wanted.append(id)
        while len(self._promised) > _PROMISES_MAX:
            self._promised.popitem(last=False)
        for at in range(0, len(wanted), WANTED_PER_RPC_MAX):
            await self.emit_iwant(wanted[at : at + WANTED_PER_RPC_MAX], peer)

    def keep_promises(self, id: bytes) -> None:
        """Record the arrival of a message: no peer owes it any more."""
        if (asked := self._promised.pop(id, None)) is not None:
            self._kept.setdefault(id, set()).update(asked)
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)

    async def handle_iwant(self, iwant_msg: rpc_pb2.ControlIWant, sender_peer_id: ID) -> None:
        """Send cached messages, each at most twice and within a byte budget: stock sends every requested one."""
        assert self.pubsub is not None
        wanted = dict.fromkeys(bytes(id) for id in iwant_msg.messageIDs)
        if not all(len(id) == MESSAGE_ID_BYTES and self.pubsub.seen_messages.has(id) for id in wanted):
            # We never announced it.
            self.scores.blame(name_of(sender_peer_id), Misbehaviour.IWANT, trio.current_time())
        if not self._gate.allow_gossip(sender_peer_id, []):
            # We announce nothing to such a peer.
            self.scores.blame(name_of(sender_peer_id), Misbehaviour.IWANT, trio.current_time(), 0.25)
            return
        served = [message for id in wanted if (message := self._serve(sender_peer_id, id)) is not None]
        self._send_messages(sender_peer_id, served)

    async def send_recent_messages(self, peer_id: ID, topic: str) -> None:
        """Send a new subscriber the cached messages, with the same limits: stock resends all per subscription."""
        if self._gate.allow_publish(peer_id, [topic]):
            recent = [self._serve(peer_id, id, asked=False) for id in self.mcache.window(topic)]
            self._send_messages(peer_id, [message for message in recent if message is not None])

    def _serve(self, peer: ID, id: bytes, *, asked: bool = True) -> rpc_pb2.Message | None:
        """Return a cached message that `peer` may get once more."""
        message = self.mcache.get(id)
        if message is None:
            return None
        served = self._served.setdefault(peer, collections.Counter())
        self._served.move_to_end(peer)
        if len(self._served) > _SERVED_PEERS_MAX:
            self._served.popitem(last=False)
        now = trio.current_time()
        if served[id] >= _SERVED_TIMES_MAX:
            if asked:
                self.scores.blame(name_of(peer), Misbehaviour.IWANT, now, 0.25)
            return None
        if not self._served_bytes.take(name_of(peer), message.ByteSize(), now):
            return None
        served[id] += 1
        return message

    def _send_messages(self, peer: ID, messages: list[rpc_pb2.Message]) -> None:
        """Send through the peer's queue, which is bounded, with our own address record."""
        if messages:
            assert self.pubsub is not None
            record, _ = gossipsub.env_to_send_in_RPC(self.pubsub.host)  # type: ignore[attr-defined]
            self.send_rpc(peer, rpc_pb2.RPC(publish=messages, senderRecord=record))

    # -- the mesh ------------------------------------------------------------------------------------------------------

    async def handle_graft(self, graft_msg: rpc_pb2.ControlGraft, sender_peer_id: ID) -> None:
        """Take a peer into the mesh, unless it is in back-off, unwanted, or one too many.

        A GRAFT within the slack of our own back-off is not early by the peer's clock. Each peer gets PRUNE once in a
        heartbeat: stock answers each GRAFT.
        """
        topic, peer = graft_msg.topicID, sender_peer_id
        links = self.mesh.get(topic)
        if links is not None and peer in links:
            return
        early = self.back_off.get(topic, {}).get(peer, 0) - 2 * _BACK_OFF_SLACK_S > time.time()
        if early:
            self.scores.blame(name_of(peer), Misbehaviour.GRAFT, trio.current_time())
            self._add_back_off(peer, topic, False)
        if early or links is None or len(links) >= _MESH_MAX or self._gate.score(peer, [topic]) < 0:
            if peer not in self._answered_grafts:
                self._answered_grafts.add(peer)
                await self.emit_prune(topic, peer, False, False)
            return
        links.add(peer)
        self._notify_mesh_peer_added(peer, topic)
        self._gate.on_join_mesh(peer, topic)

    async def handle_prune(self, prune_msg: rpc_pb2.ControlPrune, sender_peer_id: ID) -> None:
        """Leave the peer alone for the requested time, up to a limit."""
        prune_msg.backoff = min(prune_msg.backoff, _BACK_OFF_MAX_S)
        await super().handle_prune(prune_msg, sender_peer_id)

    def _begin_heartbeat(self) -> None:
        """Reset the counters, blame peers that broke a promise, and forget expired entries."""
        self.recent_message_deliveries.clear()  # grows for ever while adaptive gossip is off
        self._told.clear()
        self._told_ids.clear()
        self._wanted_ids.clear()
        self._answered_grafts.clear()
        now = trio.current_time()
        broken: set[ID] = set()
        for id, asked in list(self._promised.items()):
            for peer in [peer for peer, until in asked.items() if until < now]:
                broken.add(peer)
                del asked[peer]
            if not asked:
                del self._promised[id]
        for peer in broken:
            self.scores.blame(name_of(peer), Misbehaviour.PROMISE, now)
        for served in self._served.values():
            for id in [id for id in served if id not in self.mcache.msgs]:
                del served[id]
        for topic, peers in self.back_off.items():
            if any(until < time.time() for until in peers.values()):
                # Stock forgets a back-off only when it looks up that peer: entries of absent peers stay for ever.
                self.back_off[topic] = {peer: until for peer, until in peers.items() if until >= time.time()}
