"""libp2p's pubsub classes with guards against hostile peers and with the faults mended that were measured.

Stock, one malformed message ends the host program; see docs/libp2p.md and the regression tests.
"""

from __future__ import annotations

import collections
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
import trio
from libp2p.abc import IHost, INetStream
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.exceptions import MessageTooLarge
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.utils import maybe_consume_signed_record

from node.overlay import fixes
from node.overlay.bounds import read_frame
from node.overlay.identity import key_of

_log = structlog.get_logger(__name__)

_DEGREE: Final = 4
_DEGREE_LOW: Final = 3
_DEGREE_HIGH: Final = 8
"""Mesh links of a topic: the main lever on cost; 8 doubles CPU time at 50 nodes and gains a few milliseconds."""
_HEARTBEAT_S: Final = 1
_GOSSIP_PEERS_MIN: Final = 6
"""Peers told of recent messages in each heartbeat: at least this many, or a quarter of the topic's."""
_BACK_OFF_SLACK_S: Final = 2
_PENDING_MESSAGES_MAX: Final = 8
"""Messages kept for a peer that has not said what it subscribes to. The cache's replay serves later ones."""
_SUBSCRIPTIONS_PER_PEER_MAX: Final = 100
_TOPIC_CHARS_MAX: Final = 256
_MESSAGES_PER_RPC_MAX: Final = 256
_CONTROLS_PER_RPC_MAX: Final = 64
"""GRAFT, PRUNE, IHAVE and IWANT entries of one frame, each kind."""
_WANTED_PER_RPC_MAX: Final = 64
"""Messages that one frame may ask for. Stock answers each repeated id, 500 of them with 200 copies and more."""
_RECORD_S: Final = 600.0
"""For this long a peer's address record is not verified again while its bytes are the same."""

TopicHandler = Callable[[str, bytes, bytes], bool]
"""(topic, 32-byte key of the signer, data) -> whether the message may be passed on."""


class Router(GossipSub):
    """GossipSub 1.1 with own messages flooded to all subscribers, and with a mesh that heals."""

    def __init__(self) -> None:
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

    def _check_equivocation(self, _msg: rpc_pb2.Message) -> bool:
        """Stock keeps 500-1000 whole messages to compare; equivocation is the protocol's business."""
        return True

    def _get_peers_to_send(
        self, topic_ids: Iterable[str], msg_forwarder: ID, origin: ID, msg_id: bytes | None = None
    ) -> Iterable[ID]:
        """Own messages go to every connected subscriber at once, grafted or not; others go along the mesh.

        Flood publishing (GossipSub 1.1): topics have about 50 nodes, so one hop is affordable and saves two or three.
        """
        assert self.pubsub is not None
        if msg_forwarder != self.pubsub.my_id:
            return super()._get_peers_to_send(topic_ids, msg_forwarder, origin, msg_id)
        return {peer for topic in topic_ids for peer in self.pubsub.peer_topics.get(topic, ())}

    def gossip_heartbeat(self) -> collections.defaultdict[ID, dict[str, list[bytes]]]:
        """IHAVE also to peers in prune back-off: stock, pruned leaves get nothing for 60 seconds."""
        assert self.pubsub is not None
        self.recent_message_deliveries.clear()  # grows for ever while adaptive gossip is off
        told: collections.defaultdict[ID, dict[str, list[bytes]]] = collections.defaultdict(dict)
        for topic, links in {**self.fanout, **self.mesh}.items():
            ids = self.mcache.window(topic)
            subscribers = self.pubsub.peer_topics.get(topic, ())
            if ids and subscribers:
                count = max(_GOSSIP_PEERS_MIN, len(subscribers) // 4)
                for peer in self._get_in_topic_gossipsub_peers_from_minus(topic, count, links):
                    told[peer][topic] = list(ids)
        return told

    def mesh_heartbeat(self) -> tuple[collections.defaultdict[ID, list[str]], collections.defaultdict[ID, list[str]]]:
        """Remember own PRUNEs: stock GRAFTs the same peer again in its next heartbeat, which js-libp2p punishes."""
        grafts, prunes = super().mesh_heartbeat()
        for peer, topics in prunes.items():
            for topic in topics:
                self._add_back_off(peer, topic, False)
        return grafts, prunes

    def _add_back_off(self, peer: ID, topic: str, is_unsubscribe: bool, backoff_duration: int = 0) -> None:
        """Stock truncates to whole seconds and so GRAFTs too early, which renews the other side's back-off."""
        duration = backoff_duration or (self.unsubscribe_back_off if is_unsubscribe else self.prune_back_off)
        super()._add_back_off(peer, topic, is_unsubscribe, duration + _BACK_OFF_SLACK_S)

    async def _emit_control_msgs(
        self,
        peers_to_graft: dict[ID, list[str]],
        peers_to_prune: dict[ID, list[str]],
        peers_to_gossip: dict[ID, dict[str, list[bytes]]],
    ) -> None:
        """One control message for each peer: stock sends later peers the GRAFTs and PRUNEs of the earlier ones too."""
        for peer in {**peers_to_graft, **peers_to_prune, **peers_to_gossip}:
            control = self.pack_control_msgs(
                [rpc_pb2.ControlIHave(topicID=t, messageIDs=ids) for t, ids in peers_to_gossip.get(peer, {}).items()],
                [rpc_pb2.ControlGraft(topicID=topic) for topic in peers_to_graft.get(peer, ())],
                [rpc_pb2.ControlPrune(topicID=topic) for topic in peers_to_prune.get(peer, ())],
            )
            await self.emit_control_message(control, peer)


class SafePubsub(Pubsub):
    """Pubsub that reads one frame at a time, bounds everything in it, and resets the stream of who sends nonsense."""

    def __init__(self, host: IHost, message_bytes_max: int) -> None:
        self.gossip = Router()
        super().__init__(
            host,
            self.gossip,
            strict_signing=True,
            max_inbound_rpc_size=fixes.RPC_BYTES_MAX,
            max_subscriptions_per_rpc=_SUBSCRIPTIONS_PER_PEER_MAX,
            max_subscriptions_per_peer=_SUBSCRIPTIONS_PER_PEER_MAX,
        )
        # Sequence numbers count from whole seconds in stock: after a restart they repeat, and messages are lost.
        self.counter = time.time_ns()
        self._message_bytes_max = message_bytes_max
        self._write_locks: weakref.WeakKeyDictionary[INetStream, trio.Lock] = weakref.WeakKeyDictionary()
        self._records: weakref.WeakKeyDictionary[INetStream, tuple[bytes, float]] = weakref.WeakKeyDictionary()

    def handle_topic(self, topic: str, handler: TopicHandler) -> None:
        """Deliver `topic`'s messages to `handler`, in the task that reads them: no queue, no task for each message."""

        def validate(forwarder: ID, message: rpc_pb2.Message) -> bool:
            if forwarder == self.my_id:
                return True
            key = key_of(message.from_id)
            assert key is not None  # `_acceptable` let it through
            return handler(topic, key, message.data)

        self.set_topic_validator(topic, validate, False)

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        """The validator has delivered the message already; libp2p's subscription queues are not read."""

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC) -> bool:
        """One writer at a time: the replay for a new subscriber writes beside the sender task and mixes their bytes."""
        async with self._write_locks.setdefault(stream, trio.Lock()):
            return await super().write_msg(stream, rpc_msg)

    async def stream_handler(self, stream: INetStream) -> None:
        """Read a peer's frames until its stream ends. Whatever a frame provokes ends that stream, and no more."""
        peer = stream.muxed_conn.peer_id
        try:
            await self._read_frames(stream, peer)
        except BaseLibp2pError as fault:
            if not isinstance(fault, MessageTooLarge):
                return  # the stream ended, as streams do
            await self._refuse(stream, peer, fault)
        except Exception as fault:
            await self._refuse(stream, peer, fault)

    async def _refuse(self, stream: INetStream, peer: ID, fault: Exception) -> None:
        _log.warning("pubsub stream refused", peer=str(peer), fault=repr(fault)[:200])
        await stream.reset()
        self._handle_dead_peer(peer)

    async def _read_frames(self, stream: INetStream, peer: ID) -> None:
        while True:
            frame = await read_frame(stream, self.max_inbound_rpc_size)
            rpc = rpc_pb2.RPC()
            rpc.ParseFromString(frame)
            if not self._take_record(stream, peer, rpc):
                continue
            for message in rpc.publish[:_MESSAGES_PER_RPC_MAX]:
                if self._acceptable(message):
                    await self.push_msg(peer, message)
            for subscription in rpc.subscriptions[: self.max_subscriptions_per_rpc]:
                if len(subscription.topicid) <= _TOPIC_CHARS_MAX:
                    self.handle_subscription(peer, subscription)
            if rpc.HasField("control"):
                self._bound_control(rpc.control)
                await self.router.handle_rpc(rpc, peer)

    def _take_record(self, stream: INetStream, peer: ID, rpc: rpc_pb2.RPC) -> bool:
        """Store the sender's signed address record. Stock verifies the same record twice for each frame."""
        if not rpc.HasField("senderRecord"):
            return True
        record, until = self._records.get(stream, (b"", 0.0))
        now = trio.current_time()
        if record != rpc.senderRecord or now >= until:
            if not maybe_consume_signed_record(rpc, self.host, peer):
                return False
            self._records[stream] = (rpc.senderRecord, now + _RECORD_S)
        rpc.ClearField("senderRecord")
        return True

    def _acceptable(self, message: rpc_pb2.Message) -> bool:
        """A message for one topic of ours, from someone else, whose key is in its `from`; the rest is not worth a look.

        With the key in `from`, libp2p never parses the field `key`, which ends the program where it is malformed.
        """
        return (
            len(message.topicIDs) == 1
            and message.topicIDs[0] in self.topic_ids
            and len(message.data) <= self._message_bytes_max
            and len(message.seqno) == 8
            and key_of(message.from_id) is not None
            and message.from_id != self.my_id.to_bytes()
        )

    def _bound_control(self, control: rpc_pb2.ControlMessage) -> None:
        """Leave what a well-behaved peer may send: stock keeps state for each topic named, joined or not."""
        every_kind: tuple[Any, ...] = (control.graft, control.prune, control.ihave)
        for entries in every_kind:
            ours = [entry for entry in entries[:_CONTROLS_PER_RPC_MAX] if entry.topicID in self.topic_ids]
            del entries[:]
            entries.extend(ours)
        for prune in control.prune:
            del prune.peers[:]  # peer exchange: addresses come from Offers
        wanted = dict.fromkeys(i for entry in control.iwant[:_CONTROLS_PER_RPC_MAX] for i in entry.messageIDs)
        del control.iwant[:]
        if wanted:
            control.iwant.add().messageIDs.extend(list(wanted)[:_WANTED_PER_RPC_MAX])


def guard_streams(host: IHost) -> None:
    """Keep an exception in one stream's handler from ending the program, which is what stock libp2p does with it."""
    network = host.get_network()
    handle = network.common_stream_handler  # type: ignore[attr-defined]

    async def guarded(stream: INetStream) -> None:
        try:
            await handle(stream)
        except Exception as fault:
            _log.warning("stream handler failed", peer=str(stream.muxed_conn.peer_id), fault=repr(fault)[:200])
            await stream.reset()

    network.set_stream_handler(guarded)
