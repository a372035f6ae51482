"""libp2p's pubsub classes with guards against hostile peers and with fixes for the faults that were measured.

In stock, one malformed message ends the host program; see docs/explanation/libp2p.md and the regression tests.
"""

from __future__ import annotations

import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import structlog
import trio
from libp2p.abc import IHost, INetConn, INetStream, INetwork
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.exceptions import MessageTooLarge
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.utils import maybe_consume_signed_record
from libp2p.pubsub.validators import signature_validator

from consensus.rounds.buckets import Buckets
from node.overlay import fixes
from node.overlay.addresses import Network, is_within, network_of, parse_ip
from node.overlay.bounds import read_frame
from node.overlay.budgets import KEYS_MAX, SUBSCRIPTIONS, GossipBudgets, Over
from node.overlay.connections import ConnectionWatcher, remote_host
from node.overlay.identity import key_of
from node.overlay.router import WANTED_PER_RPC_MAX, Router, name_of
from node.overlay.scoring import GRAYLIST, Misbehaviour, PeerScores
from protocol.errors import Verdict

_log = structlog.get_logger(__name__)

_SUBSCRIPTIONS_PER_PEER_MAX: Final = 100
_TOPIC_CHARS_MAX: Final = 256
_MESSAGES_PER_RPC_MAX: Final = 256
_CONTROLS_PER_RPC_MAX: Final = 64
"""GRAFT, PRUNE, IHAVE and IWANT entries of one frame, each kind."""
_RECORD_S: Final = 600.0
"""Seconds for which a peer's address record is not verified again while its bytes are the same."""

_SEEN_S: Final = 900.0
"""Seconds for which a message is recognised. Stock forgets after 120 s, and relayed messages replayed after 205 s.
Later replays are known to the validator, or too late for it."""
_SEEN_MAX: Final = 32_768
"""Ids that are remembered: an hour at 10 messages/s. About 6 MB."""
_OVER_BUDGET: Final = 0.1
"""Misbehaviour for one message over its budget: a peer that sends 150 more than the budget allows is banned."""
_INSISTED: Final = 0.25
"""Misbehaviour for each frame of a graylisted peer: a quiet one has a minute to fade, a flood is banned."""
_DISCONNECT_S: Final = 2.0
"""Seconds for closing a connection cleanly."""

TopicHandler = Callable[[str, bytes, bytes], Verdict]
"""Maps (topic, 32-byte key of the signer, data) to the verdict on the message."""


class Seen:
    """Ids of messages that need no second check, with the interface that libp2p expects."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def has(self, id: bytes) -> bool:
        """Whether the message was received lately."""
        return self._until.get(id, 0.0) > trio.current_time()

    def add(self, id: bytes) -> bool:
        """Record a message; True if it is new."""
        new = not self.has(id)
        self._until.pop(id, None)
        now = trio.current_time()
        self._until[id] = now + _SEEN_S
        while len(self._until) > _SEEN_MAX or next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        return new


class SafePubsub(Pubsub):
    """Pubsub that reads one frame at a time, bounds its contents, and resets the stream on nonsense."""

    def __init__(self, host: IHost, scores: PeerScores, message_bytes_max: int, exempt: tuple[Network, ...]) -> None:
        """Create the pubsub of a host. `exempt`: networks whose addresses share no budget."""
        self.scores = scores
        self.gossip = Router(scores)
        super().__init__(
            host,
            self.gossip,
            strict_signing=True,
            max_inbound_rpc_size=fixes.RPC_BYTES_MAX,
            max_subscriptions_per_rpc=_SUBSCRIPTIONS_PER_PEER_MAX,
            max_subscriptions_per_peer=_SUBSCRIPTIONS_PER_PEER_MAX,
        )
        self.seen_messages._stop_event.set()  # stock's cache has a thread of its own
        self.seen_messages = Seen()  # type: ignore[assignment]
        # Sequence numbers count from whole seconds in stock: after a restart they repeat, and messages are lost.
        self.counter = time.time_ns()
        self._message_bytes_max = message_bytes_max
        self._write_locks: weakref.WeakKeyDictionary[INetStream, trio.Lock] = weakref.WeakKeyDictionary()
        self._records: weakref.WeakKeyDictionary[INetStream, tuple[bytes, float]] = weakref.WeakKeyDictionary()
        self._handlers: dict[str, TopicHandler] = {}
        self._budgets = GossipBudgets()
        self._subscriptions = Buckets[bytes](SUBSCRIPTIONS, KEYS_MAX)
        self._exempt = exempt
        self._leaving: set[ID] = set()
        """Banned peers that are being disconnected: one task for each, however many streams it has."""
        host.get_network().register_notifee(_Connections(self))

    def handle_topic(self, topic: str, handler: TopicHandler) -> None:
        """Deliver `topic`'s messages to `handler`, in the task that reads them: no queue, no task for each message."""
        self._handlers[topic] = handler

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        """Do nothing: `push_msg` has delivered the message already, and libp2p's subscription queues are not read."""

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Take one message: check that it is new, charge budgets, verify the signature, and ask the node for a verdict.

        Stock has only one negative verdict, and caches each for 300 s with the message printed into it.
        """
        id = self.get_message_id(msg)
        if msg_forwarder == self.my_id:
            self.seen_messages.add(id)
            await self.router.publish(msg_forwarder, msg)
            return
        peer, author, now = name_of(msg_forwarder), key_of(msg.from_id), trio.current_time()
        assert author is not None  # guaranteed by `_acceptable`
        self.gossip.keep_promises(id)
        if not self._budgets.count(peer, now):
            self.scores.blame(peer, Misbehaviour.BUDGET, now, _OVER_BUDGET)
            return
        if self.seen_messages.has(id) or self.scores.is_banned(author, now):
            return
        over = self._budgets.verify(peer, self._group_of(msg_forwarder), author, self.scores.is_useful(peer, now), now)
        if over is not None:
            if over is Over.PEER or author == peer:
                self.scores.blame(peer, Misbehaviour.BUDGET, now, _OVER_BUDGET)
            return
        if not signature_validator(msg):
            self.scores.blame(peer, Misbehaviour.INVALID, now)
            return
        await self._act(msg_forwarder, peer, author, id, msg)

    async def _act(self, forwarder: ID, peer: bytes, author: bytes, id: bytes, message: rpc_pb2.Message) -> None:
        """Ask the node for the verdict on a message with a valid signature, and act on it."""
        topic, now = message.topicIDs[0], trio.current_time()
        verdict = self._handlers[topic](topic, author, message.data)
        if verdict is Verdict.REJECT:
            self.scores.blame(peer, Misbehaviour.INVALID, now)
            return
        self.seen_messages.add(id)
        if verdict is Verdict.IGNORE:
            self._budgets.useless(peer, author, now)
            return
        within = self._budgets.charge(author, len(message.data), now)
        if verdict is Verdict.DROP:
            return
        self.scores.delivered(peer, now)
        if within:
            await self.router.publish(forwarder, message)

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC) -> bool:
        """Allow one writer at a time: the replay for a new subscriber would mix its bytes with the sender task's."""
        async with self._write_locks.setdefault(stream, trio.Lock()):
            return await super().write_msg(stream, rpc_msg)

    async def stream_handler(self, stream: INetStream) -> None:
        """Read a peer's frames until its stream ends. A fault caused by a frame ends that stream, and nothing else."""
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
        _log.warning("pubsub_stream.refused", peer=str(peer), reason=repr(fault)[:200])
        self.scores.blame(name_of(peer), Misbehaviour.NONSENSE, trio.current_time(), 4.0)
        await stream.reset()
        self._handle_dead_peer(peer)
        self.expel_if_due(peer)

    async def _read_frames(self, stream: INetStream, peer: ID) -> None:
        while not self.expel_if_due(peer):
            frame = await read_frame(stream, self.max_inbound_rpc_size)
            if self._may_read(peer, len(frame)):
                rpc = rpc_pb2.RPC()
                rpc.ParseFromString(frame)
                if self._take_record(stream, peer, rpc):
                    await self._take(peer, rpc)

    def _may_read(self, peer: ID, size: int) -> bool:
        """Whether a frame is worth parsing: within the byte budgets, and from a peer that is not graylisted."""
        name, now = name_of(peer), trio.current_time()
        over = self._budgets.read(name, self._group_of(peer), size, now)
        if over is Over.PEER:
            self.scores.blame(name, Misbehaviour.BUDGET, now, 1.0)
        if self.scores.score(name, now) < GRAYLIST:
            self.scores.blame(name, Misbehaviour.INSISTED, now, _INSISTED)
            return False
        return over is None

    async def _take(self, peer: ID, rpc: rpc_pb2.RPC) -> None:
        """Process the contents of a frame, within bounds."""
        for message in rpc.publish[:_MESSAGES_PER_RPC_MAX]:
            if self._acceptable(message):
                await self.push_msg(peer, message)
        if len(rpc.subscriptions) > self.max_subscriptions_per_rpc:
            self.scores.blame(name_of(peer), Misbehaviour.SUBSCRIPTIONS, trio.current_time())
        for subscription in rpc.subscriptions[: self.max_subscriptions_per_rpc]:
            if len(subscription.topicid) <= _TOPIC_CHARS_MAX and self._may_subscribe(peer):
                self.handle_subscription(peer, subscription)
        if rpc.HasField("control"):
            self._bound_control(rpc.control)
            await self.router.handle_rpc(rpc, peer)

    def _may_subscribe(self, peer: ID) -> bool:
        """Whether a peer may change a subscription once more: each change costs three tasks and a replay."""
        name, now = name_of(peer), trio.current_time()
        may = self._subscriptions.take(name, 1, now)
        if not may:
            self.scores.blame(name, Misbehaviour.SUBSCRIPTIONS, now, _OVER_BUDGET)
        return may

    # -- expulsion
    # ------------------------------------------------------------------------------------------------------

    def expel_if_due(self, peer: ID) -> bool:
        """Disconnect a peer that is banned, or to be banned for its score. Returns whether it is banned."""
        name, now = name_of(peer), trio.current_time()
        known = self.scores.is_banned(name, now)
        if not self.scores.ban_if_due(name, now):
            return False
        if not known:
            _log.warning("peer.banned", peer=str(peer), reason=self.scores.reason(name, now))
        if self.manager.is_running and peer not in self._leaving:
            self._leaving.add(peer)
            self.manager.run_task(self._disconnect, peer, name="expel")
        return True

    async def _disconnect(self, peer: ID) -> None:
        try:
            with trio.move_on_after(_DISCONNECT_S):
                await self.host.disconnect(peer)
        except Exception as fault:  # it is gone, or does not take part in being closed
            _log.debug("disconnect.failed", peer=str(peer), reason=repr(fault)[:200])
        finally:
            self._leaving.discard(peer)

    def address_of(self, peer: ID) -> str | None:
        """Return the host of a connected peer's newest connection."""
        for connection in reversed(self.host.get_network().get_connections(peer)):
            if host := remote_host(connection):
                return host
        return None

    def group_of(self, address: str | None) -> str | None:
        """Return the address group, a /24 or /48, with which `address` shares its budget; None if it has none."""
        ip = parse_ip(address or "")
        return None if ip is None or is_within(ip, self._exempt) else str(network_of(ip))

    def _group_of(self, peer: ID) -> str | None:
        return self.group_of(self.address_of(peer))

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
        """Whether it is a message for one topic of ours, from another node, with the key in its `from`.

        With the key in `from`, libp2p never parses the field `key`, which ends the program if it is malformed.
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
        """Keep only entries that a well-behaved peer may send: stock keeps state for every named topic."""
        every_kind: tuple[Any, ...] = (control.graft, control.prune, control.ihave)
        for entries in every_kind:
            ours = [entry for entry in entries[:_CONTROLS_PER_RPC_MAX] if entry.topicID in self.topic_ids]
            del entries[:]
            entries.extend(ours)
        for prune in control.prune:
            del prune.peers[:]  # peer exchange: addresses come from Offers
        del control.idontwant[:]  # of GossipSub 1.2, which we do not speak: stock keeps what it names
        wanted = dict.fromkeys(i for entry in control.iwant[:_CONTROLS_PER_RPC_MAX] for i in entry.messageIDs)
        del control.iwant[:]
        if wanted:
            control.iwant.add().messageIDs.extend(list(wanted)[:WANTED_PER_RPC_MAX])


class _Connections(ConnectionWatcher):
    """Reports connections to the scores, and disconnects banned peers again."""

    def __init__(self, pubsub: SafePubsub) -> None:
        self._pubsub = pubsub

    async def connected(self, _network: INetwork, conn: INetConn) -> None:
        peer, now = conn.muxed_conn.peer_id, trio.current_time()
        address = self._pubsub.address_of(peer)
        self._pubsub.scores.connected(name_of(peer), address, self._pubsub.group_of(address), now)
        self._pubsub.expel_if_due(peer)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        peer = conn.muxed_conn.peer_id
        if not network.get_connections(peer):
            self._pubsub.scores.disconnected(name_of(peer), trio.current_time())


def guard_streams(host: IHost) -> None:
    """Keep an exception in one stream's handler from ending the program, as it does in stock libp2p."""
    network = host.get_network()
    handle = network.common_stream_handler  # type: ignore[attr-defined]

    async def guarded(stream: INetStream) -> None:
        try:
            await handle(stream)
        except Exception as fault:
            _log.warning("stream_handler.failed", peer=str(stream.muxed_conn.peer_id), reason=repr(fault)[:200])
            await stream.reset()

    network.set_stream_handler(guarded)
