"""The overlay itself: one libp2p host with gossip, request streams and a redial loop under one nursery."""

from __future__ import annotations

import errno
import functools
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import structlog
import trio
from libp2p import new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.identity.identify_push.identify_push import ID_PUSH as IDENTIFY_PUSH
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.peer.id import ID
from libp2p.rcmgr.manager import ResourceLimits, ResourceManager
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr  # type: ignore[import-untyped]

from node.overlay import fixes
from node.overlay.addresses import Network, Reach, exempt_networks, parse_address, reach
from node.overlay.book import AddressBook
from node.overlay.connections import guard_connections
from node.overlay.identity import key_of, peer_id_bytes, peer_id_text
from node.overlay.interfaces import OwnInterfaces, reachable
from node.overlay.muxer import Muxer
from node.overlay.peers import Peers
from node.overlay.pubsub import SafePubsub, guard_streams
from node.overlay.scoring import PeerScores
from node.overlay.slots import Slots
from node.overlay.streams import StreamClient, StreamServer
from node.overlay.types import (
    Bootstrap,
    ConnectionCounts,
    Handlers,
    OverlayConfig,
    OverlayError,
    PeerInfo,
    Remembered,
    Traffic,
)
from node.signals import Signal
from protocol.errors import Verdict
from protocol.versions import wires_of

_log = structlog.get_logger(__name__)

_UPGRADE_S: Final = 30.0
"""Seconds for the Noise and yamux handshakes of our own dials: a machine that loads models answers late."""
_NEGOTIATION_S: Final = 15.0
_DIAL_S: Final = 5.0
_STREAMS_MAX: Final = 65_536
"""Streams of all connections: out of reach, because the muxer allows each connection 64 of its peer and 256 of ours."""
_CLOSE_S: Final = 3.0
"""Seconds for closing the host's sockets; leaving `host.run` alone leaves them open."""
_SWEEP_S: Final = 10.0
_LOOK_S: Final = 5.0
"""Seconds between two looks at this machine's interfaces, which take a millisecond on a machine with a hundred of them.
"""
_TOPICS_TOLD_MAX: Final = 4
"""Topics of one peer that are reported to the node: a node has one, a hostile peer may name a hundred."""
_PUBLISH_PER_S: Final = 60
_PUBLISH_BYTES_PER_S: Final = 2 * 1024 * 1024
"""Pace of own messages: ten nodes on two cores took this without a loss (1 KB at 60/s, 256 KB at 8/s)."""
_PUBLISH_BURST_S: Final = 0.5
"""Seconds' worth of messages that may be sent at once. 1 MiB and one more message, of at most 512 KiB, fit into the
queue of a peer that has read nothing yet (1.5 MiB, fixes.py). The rest is dropped."""


class Overlay:
    """A running overlay; made by `open_overlay` only."""

    def __init__(
        self,
        host: IHost,
        pubsub: SafePubsub,
        peers: Peers,
        book: AddressBook,
        slots: Slots,
        config: OverlayConfig,
        handlers: Handlers,
    ) -> None:
        self.key = host.get_public_key().to_bytes()
        self._host = host
        self._pubsub = pubsub
        self._peers = peers
        self._book = book
        self._slots = slots
        self._config = config
        self._handlers = handlers
        self._client = StreamClient(peers.open_stream, config)
        self._server = StreamServer(handlers.on_request, config)
        self._publish_lock = trio.Lock()
        self._publish_at = 0.0
        self.addresses_changed = Signal()
        """Fires when `addresses` has changed, because this machine's network has."""
        for protocol in config.protocols:
            host.set_stream_handler(TProtocol(protocol), functools.partial(self._serve, protocol))

    def addresses(self) -> tuple[str, ...]:
        """Return own dialable multiaddrs, each ending in /p2p/<own peer id>."""
        return tuple(str(address) for address in self._host.get_addrs())

    async def follow(self, own: OwnInterfaces) -> None:
        """Follow changes of this machine's interfaces until cancelled: addresses to announce, and those we may dial."""
        while True:
            await trio.sleep(_LOOK_S)
            before = self.addresses()
            if own.look():
                self._book.move(_reach(self._config, own))
                if (now := self.addresses()) != before:
                    _log.info("addresses.changed", addresses=list(now))
                    self.addresses_changed.fire()

    async def subscribe(self, topic: str) -> None:
        """Join `topic`; its messages go to `Handlers.on_gossip` from now on. Raises OverlayError over `topics_max`."""
        if topic in self._pubsub.topic_ids:
            return
        if len(self._pubsub.topic_ids) >= self._config.topics_max:
            raise OverlayError(f"{self._config.topics_max} topics are the limit")
        self._pubsub.handle_topic(topic, self._on_gossip)
        await self._pubsub.subscribe(topic)

    async def publish(self, topic: str, data: bytes) -> None:
        """Sign and send `data` to all connected subscribers of `topic`, which relay it.

        Waits for its turn if messages are published faster than the network takes them. Does not report which peers
        receive it. Raises ValueError if `data` exceeds `gossip_message_bytes_max`.
        """
        if len(data) > self._config.gossip_message_bytes_max:
            raise ValueError(f"a message of {len(data)} bytes is over {self._config.gossip_message_bytes_max}")
        async with self._publish_lock:
            start = max(self._publish_at, trio.current_time())
            self._publish_at = start + 1 / _PUBLISH_PER_S + len(data) / _PUBLISH_BYTES_PER_S
            await trio.sleep_until(start - _PUBLISH_BURST_S)
            await self._pubsub.publish(topic, data)

    async def request(self, peer: bytes, protocol: str, payload: bytes, *, timeout_ms: int) -> bytes:
        """Send a request to `peer` (32-byte key) and return its response.

        Raises PeerUnreachable if no response came, RequestRefused (a kind of it) if the peer declined. A request on a
        reused stream that the peer had closed is sent again, so `Handlers.on_request` must be idempotent. Raises
        ValueError if `payload` exceeds `stream_request_bytes_max`.
        """
        if len(payload) > self._config.stream_request_bytes_max:
            raise ValueError(f"a request of {len(payload)} bytes is over {self._config.stream_request_bytes_max}")
        return await self._client.request(peer, protocol, payload, timeout_ms)

    def learn_address(self, peer: bytes, addresses: Sequence[str]) -> None:
        """Record addresses at which `peer` says that it may be dialled. Unusable ones are dropped; the book is bounded.

        Each call earns at most one dial of a claimed address (node/overlay/book.py).
        """
        self._peers.learn(peer, tuple(addresses))

    def peers(self) -> tuple[PeerInfo, ...]:
        """Return connected peers first, then known ones; by key within each."""
        connected = self._peers.connected()
        meshes, scores, now = self._pubsub.gossip.mesh, self._pubsub.scores, trio.current_time()
        infos = []
        for peer in sorted(connected | set(self._book.awake())):
            peer_id = ID(peer_id_bytes(peer))
            infos.append(
                PeerInfo(
                    key=peer,
                    peer_id=peer_id_text(peer),
                    addresses=self._book.addresses(peer) or self._peers.told_addresses(peer),
                    connected=peer in connected,
                    direction=self._peers.direction(peer),
                    round_trip_ms=self._peers.round_trip_ms(peer),
                    topics=tuple(sorted(topic for topic, links in meshes.items() if peer_id in links)),
                    group=self._peers.group(peer),
                    wires=wires_of(self._peers.protocols(peer)) if peer in connected else (),
                    score=scores.score(peer, now),
                    score_reason=scores.reason(peer, now),
                    host=self._peers.host(peer),
                    away_ms=self._peers.away_ms(peer),
                )
            )
        return tuple(sorted(infos, key=lambda info: not info.connected))

    def remembered(self, wall_ms: int) -> tuple[Remembered, ...]:
        """Return the peers to try after a restart, the most important first, bounded (book.py)."""
        return self._peers.remembered(wall_ms)

    def quiet_for_s(self) -> float:
        """Return the seconds since a peer last connected or disconnected."""
        return trio.current_time() - self._peers.changed_at

    def recall(self, remembered: Iterable[Remembered], wall_ms: int) -> None:
        """Add peers remembered from before a restart, and dial them if connections are wanted."""
        self._peers.recall(remembered, wall_ms)

    def bootstraps(self) -> tuple[Bootstrap, ...]:
        """Return the peers that the user named, with their state."""
        return self._peers.bootstraps()

    def topics_of_peers(self) -> dict[bytes, frozenset[str]]:
        """Return the strand topics that each connected peer names itself, at most _TOPICS_TOLD_MAX."""
        told: dict[bytes, set[str]] = {peer: set() for peer in self._peers.connected()}
        named = ((name, peers) for name, peers in self._pubsub.peer_topics.items() if name.startswith("/strand/"))
        for name, peers in named:
            for peer_id in peers:
                topics = told.get(key_of(peer_id.to_bytes()) or b"")
                if topics is not None and len(topics) < _TOPICS_TOLD_MAX:
                    topics.add(name)
        return {peer: frozenset(topics) for peer, topics in told.items()}

    def protocols_of_peers(self) -> dict[bytes, frozenset[str]]:
        """Return strand's stream protocols that each connected peer states to serve; none before it has stated them."""
        return {peer: self._peers.protocols(peer) for peer in self._peers.connected()}

    def connection_counts(self) -> ConnectionCounts:
        """Return the inbound connections, and those refused since the start."""
        return self._slots.counts()

    def traffic(self) -> Traffic:
        """Return the bytes exchanged with peers since the start."""
        return Muxer.traffic

    async def run(self) -> None:
        """Run the overlay's own tasks until cancelled; called by `run_overlay`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._peers.run)
            while True:
                await trio.sleep(_SWEEP_S)
                await self._client.sweep()

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Report a peer's connection or disconnection to the node; called by Peers."""
        if not connected:
            self._client.drop(peer)
        try:
            self._handlers.on_peer(peer, connected)
        except Exception:  # the overlay's edge: a bug in a handler must not end libp2p's tasks
            _log.exception("peer_handler.failed", peer=peer.hex())

    def _on_gossip(self, topic: str, source: bytes, data: bytes) -> Verdict:
        try:
            return self._handlers.on_gossip(topic, source, data)
        except Exception:  # the overlay's edge, as above; a message without a verdict is not relayed
            _log.exception("gossip_handler.failed", topic=topic, peer=source.hex())
            return Verdict.IGNORE

    async def _serve(self, protocol: str, stream: INetStream) -> None:
        peer = key_of(stream.muxed_conn.peer_id.to_bytes())
        if peer is None:
            await stream.reset()
        else:
            await self._server.run(protocol, peer, stream)


@asynccontextmanager
async def run_overlay(seed: bytes, config: OverlayConfig, handlers: Handlers) -> AsyncIterator[Overlay]:
    """Run an overlay: the implementation of `open_overlay`."""
    try:
        async with _overlay(seed, config, handlers) as overlay:
            yield overlay
    except BaseExceptionGroup as group:
        # libp2p's context managers are nurseries within nurseries: a lone exception comes out wrapped several times.
        fault: BaseException = group
        while isinstance(fault, BaseExceptionGroup) and len(fault.exceptions) == 1:
            fault = fault.exceptions[0]
        raise fault from None


@asynccontextmanager
async def _overlay(seed: bytes, config: OverlayConfig, handlers: Handlers) -> AsyncIterator[Overlay]:
    fixes.apply()
    listen = [Multiaddr(text) for text in config.listen]
    own = OwnInterfaces()
    host = _new_host(seed, config, own)
    key = host.get_public_key().to_bytes()
    _require_own(config, key)
    book = AddressBook(
        key,
        (config.redial_ms, config.redial_max_ms),
        Random(key),
        _reach(config, own),
        config.trusted_keys,
    )
    exempt = exempt_networks(config.private_networks)
    slots = _slots(config, exempt)
    scores = PeerScores()
    guard_connections(host, slots, scores, config.handshake_ms / 1000)
    async with host.run(listen_addrs=listen):
        try:
            _require_listening(host, config)
            await host.get_network().auto_connector.stop()  # type: ignore[attr-defined]
            pubsub = SafePubsub(host, scores, config.gossip_message_bytes_max, exempt)
            peers = Peers(host, book, scores, config, lambda peer, connected: overlay.on_peer(peer, connected))
            overlay = Overlay(host, pubsub, peers, book, slots, config, handlers)
            for peer, address in _bootstrap(config):
                peers.learn(peer, (address,), kept=True)
            async with background_trio_service(pubsub), background_trio_service(pubsub.gossip):
                await pubsub.wait_until_ready()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(overlay.run)
                    nursery.start_soon(overlay.follow, own)
                    yield overlay
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(_CLOSE_S):
                await _close(host)


async def _close(host: IHost) -> None:
    """Close the listeners first, then all connections at once, then the rest.

    Stock closes connections one after another, 100 ms each, while it accepts new ones: peers that redial keep it from
    ever ending.
    """
    network = host.get_network()
    for listener in list(network.listeners.values()):
        await listener.close()
    async with trio.open_nursery() as nursery:
        for connection in network.get_connections():
            nursery.start_soon(connection.close)
    await host.close()


def _new_host(seed: bytes, config: OverlayConfig, own: OwnInterfaces) -> IHost:
    key_pair = create_new_key_pair(seed)
    host = new_host(
        key_pair=key_pair,
        # The default also offers PLAINTEXT, secio and mplex, which stalls at 1 MB in both directions.
        sec_opt={TProtocol(NOISE): NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)},
        muxer_opt={TProtocol(YAMUX): Yamux},
        connection_config=ConnectionConfig(
            max_connections=config.peers_max,
            min_connections=config.peers_max // 4,
            low_watermark=config.peers_max // 4,
            high_watermark=config.peers_max,
            dial_timeout=_DIAL_S,
            outbound_upgrade_timeout=_UPGRADE_S,
            inbound_stream_protocol_negotiation_timeout=_NEGOTIATION_S,
            outbound_stream_protocol_negotiation_timeout=_NEGOTIATION_S,
        ),
        # The default refuses connections above 90 % system memory, which a loaded model reaches, and all connections
        # for 60 s after five failures.
        resource_manager=ResourceManager(
            limits=ResourceLimits(max_connections=2 * config.peers_max, max_streams=_STREAMS_MAX),
            enable_metrics=False,
            enable_connection_tracking=False,  # the slots count connections, with more limits than the total
            enable_rate_limiting=False,  # likewise; it keeps an entry for each key ever seen
            enable_memory_limits=False,
            enable_circuit_breaker=False,
            enable_graceful_degradation=False,
        ),
        addrs_factory=functools.partial(_told, config.announce, own),
        disable_identify_address_discovery=True,  # an address that others observe is not our listening address
    )
    network: Any = host.get_network()
    network.retry_config = RetryConfig(max_retries=0)  # the book retries
    network._stream_semaphore = None  # one peer's streams would delay all others; the muxer bounds each connection
    host.get_mux().remove_handler(IDENTIFY_PUSH)  # addresses come from Offers and signed records
    guard_streams(host)
    return host


def _told(announce: Sequence[str], own: OwnInterfaces, listening: Sequence[Multiaddr]) -> list[Multiaddr]:
    """Return our addresses for identify and offers: stock announces 0.0.0.0."""
    texts = announce or reachable(map(str, listening), own.now)
    return [Multiaddr(text) for text in texts]


def _reach(config: OverlayConfig, own: OwnInterfaces) -> Reach:
    """Return what this machine's place in the network allows now."""
    return reach(config.listen, config.private_networks, [each.address for each in own.now])


def _slots(config: OverlayConfig, exempt: tuple[Network, ...]) -> Slots:
    """Reserve a quarter of the connections for outbound ones; inbound ones get the rest."""
    trusted = {*config.trusted_keys, *(peer for peer, _ in _bootstrap(config))}
    return Slots(config.peers_max - config.peers_max // 4, exempt, trusted, trio.current_time)


def _bootstrap(config: OverlayConfig) -> list[tuple[bytes, str]]:
    addresses = [parse_address(text) for text in config.bootstrap]
    return [(each.peer, each.text) for each in addresses if each is not None and each.peer is not None]


def _require_own(config: OverlayConfig, key: bytes) -> None:
    """Refuse an announced address that names another node, which would redirect everybody there.

    libp2p accepts no names other than DNS.
    """
    for text in config.announce:
        if text.startswith("/dns"):
            remedy = "announce an IP address beside it"
            _log.warning(
                "address.name_announced", name=text, reason="only nodes that trust this one dial names", remedy=remedy
            )
        try:
            Multiaddr(text)
        except ValueError as fault:
            raise OverlayError(f"announce: {text!r} cannot be told to peers: {fault}"[:300]) from fault
        address = parse_address(text)
        if address is not None and address.peer not in (None, key):
            raise OverlayError(f"announce: {text!r} names another node, this one is /p2p/{peer_id_text(key)}")


def _require_listening(host: IHost, config: OverlayConfig) -> None:
    """Raise OverlayError for an address that cannot be listened on; libp2p logs it and continues without it."""
    listeners = host.get_network().listeners
    failed = [text for text in config.listen if str(Multiaddr(text)) not in listeners]
    if failed:
        raise OverlayError("; ".join(f"cannot listen on {text}: {_why_not_bound(text)}" for text in failed))


def _why_not_bound(text: str) -> str:
    """Bind once more to find the reason, which libp2p does not report."""
    _, kind, host, _, port = text.split("/")
    family = socket.AF_INET6 if kind == "ip6" else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            fixes.bind_rules(sock, family)
            sock.bind((host, int(port)))
            sock.listen()
    except OSError as fault:
        return _BIND_FAULTS.get(fault.errno or 0, fault.strerror or str(fault))
    return "it was in use a moment ago"


_BIND_FAULTS: Final = {
    errno.EADDRINUSE: "the port is in use; choose another with --listen, or give each of your nodes a --profile",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "ports below 1024 are for root",
}
