"""Connected peers: the redial loop, the liveness pings, and the events of connection and disconnection."""

from __future__ import annotations

import collections
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

import structlog
import trio
from libp2p.abc import IHost, INetConn, INetStream, INetwork
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING_PROTOCOL
from libp2p.network.exceptions import SwarmException
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo as Libp2pPeerInfo
from libp2p.peer.peerstore import PeerStoreError
from libp2p.rcmgr.metrics import Direction
from multiaddr import Multiaddr  # type: ignore[import-untyped]

from node.overlay.addresses import Address, address_group, parse_address
from node.overlay.book import ADDRESSES_PER_PEER_MAX, REMEMBERED_MAX, AddressBook
from node.overlay.connections import ConnectionWatcher, remote_host
from node.overlay.dial_faults import failed_dial
from node.overlay.identity import key_of, peer_id_bytes, peer_id_text
from node.overlay.names import NameFault, Names
from node.overlay.scoring import PeerScores
from node.overlay.streams import FAULTS, abandon, read_exactly
from node.overlay.types import Bootstrap, DialFault, FailedDial, OverlayConfig, PeerUnreachable, Remembered
from node.signals import Signal

_log = structlog.get_logger(__name__)

_DIALS_MAX: Final = 4
"""Concurrent dials: 200 at once never recovered (each costs a Noise handshake of about 10 ms CPU on both sides)."""
_CLAIM_DIALS_MAX: Final = 2
"""Further concurrent dials to addresses that strangers claim: dead ones take seconds, and must delay nobody else."""
_REDIAL_PACE_S: Final = 0.02
"""Seconds between two searches of the book: each costs up to a millisecond, and every offer of a flood triggers one."""
_PINGS_MAX: Final = 16
"""Concurrent pings."""
_PING_BYTES: Final = 32
_PROTOCOLS_READ_MAX: Final = 256
"""Protocols of one peer that are read: a node has about twenty, a hostile peer may name thousands in 16 KiB."""
_PROTOCOLS_TOLD_MAX: Final = 16
"""Protocols of strand of one peer that are reported to the node: those of three versions at once."""
_DISCONNECT_S: Final = 2.0
"""Seconds for closing a connection cleanly; a frozen peer does not take part."""
_HOST_FAULTS: Final = (*FAULTS, ExceptionGroup)
"""Errors of a dial; it fails with a group if several addresses or handshakes failed in one nursery."""


class Peers:
    """The connections of one host. `on_change(key, connected)` is called once for each change."""

    def __init__(
        self,
        host: IHost,
        book: AddressBook,
        scores: PeerScores,
        config: OverlayConfig,
        on_change: Callable[[bytes, bool], None],
    ) -> None:
        self._host = host
        self._network = host.get_network()
        self._book = book
        self._scores = scores
        self._config = config
        self._on_change = on_change
        self._connected: dict[bytes, str] = {}
        """The host that each peer is connected from or at; empty if the socket does not reveal it."""
        self._dials = trio.CapacityLimiter(_DIALS_MAX)
        self._claim_dials = trio.CapacityLimiter(_CLAIM_DIALS_MAX)
        self._names = Names()
        self._bootstraps: dict[bytes, str] = {}
        """An address of each peer that the user named, as named; as many as the configuration has."""
        self._failed_dials: dict[bytes, FailedDial] = {}
        """The last failed dial of each of those."""
        self._came_at: dict[bytes, float] = {}
        """Time since when each of those is connected, s."""
        self._under_way: dict[bytes, trio.Event] = {}
        self._connecting: collections.Counter[ID] = collections.Counter()
        """Peers that libp2p may dial now: its store holds the one address that we chose."""
        self._pings = trio.CapacityLimiter(_PINGS_MAX)
        self._pings_missed: dict[bytes, int] = {}
        self._round_trip_ms: dict[bytes, float] = {}
        self._news = Signal()
        """Fires when somebody may be due to be dialled: after a peer came or went, was heard of, or a dial is over."""
        self.changed_at = -float("inf")
        """Time of the last connection or disconnection, s."""
        self._network.register_notifee(_Notifee(self))
        self._stock_connect, self._stock_dial_peer = host.connect, self._network.dial_peer
        host.connect = self._connect  # type: ignore[method-assign, assignment]
        self._network.dial_peer = self._dial_peer  # type: ignore[method-assign]

    # -- state ------------------------------------------------------------------------------------------------------

    def connected(self) -> frozenset[bytes]:
        """Return the keys of the connected peers."""
        return frozenset(self._connected)

    def round_trip_ms(self, peer: bytes) -> float | None:
        """Return the round trip of the last answered ping, ms."""
        return self._round_trip_ms.get(peer)

    def group(self, peer: bytes) -> str:
        """Return the address group (/24, /48) of the host that `peer` is connected from or at; empty if it is not."""
        host = self._connected.get(peer, "")
        return address_group(host) if host else ""

    def host(self, peer: bytes) -> str:
        """Return the host that `peer` is connected from or at; empty if it is not, or if the socket hides it."""
        return self._connected.get(peer, "")

    def away_ms(self, peer: bytes) -> int | None:
        """Return the time since `peer` was connected, ms; 0 while it is; None if the book knows of no connection."""
        if peer in self._connected:
            return 0
        met_ms = self._book.met_ms(peer)
        return None if met_ms is None else max(0, _now_ms() - met_ms)

    def direction(self, peer: bytes) -> str | None:
        """Return "inbound" or "outbound", by which side opened the connection; None if there is none."""
        for connection in self._network.get_connections(ID(peer_id_bytes(peer))):
            return "outbound" if getattr(connection, "direction", None) is Direction.OUTBOUND else "inbound"
        return None

    def learn(self, peer: bytes, addresses: tuple[str, ...], *, kept: bool = False) -> None:
        """Record addresses that the user named (`kept`) or that `peer` itself claims, and dial if due."""
        seen_at = self._connected.get(peer, "")
        if kept and addresses:
            self._bootstraps.setdefault(peer, f"{addresses[0]}/p2p/{peer_id_text(peer)}")
        if self._book.learn(peer, addresses, _now_ms(), kept=kept, seen_at=seen_at, connected=self._connected.keys()):
            self._news.fire()

    def bootstraps(self) -> tuple[Bootstrap, ...]:
        """Return the peers that the user named, with their state."""
        return tuple(
            Bootstrap(address, peer in self._connected, self._failed_dials.get(peer))
            for peer, address in self._bootstraps.items()
        )

    def remembered(self, wall_ms: int) -> tuple[Remembered, ...]:
        """Return the peers to try after a restart; `wall_ms` is now by the clock that outlives this process."""
        now_ms, connected = _now_ms(), self._connected.keys()
        for peer, host in self._connected.items():
            self._book.learn(peer, self.told_addresses(peer), now_ms, seen_at=host, connected=connected)
        found = self._book.remembered(now_ms, connected)
        return tuple(replace(each, met_ms=wall_ms - now_ms + each.met_ms) for each in found)

    def recall(self, remembered: Iterable[Remembered], wall_ms: int) -> None:
        """Add peers remembered from before a restart, at most REMEMBERED_MAX."""
        now_ms = _now_ms()
        for each in islice(remembered, REMEMBERED_MAX):
            if self._book.recall(replace(each, met_ms=now_ms - wall_ms + each.met_ms), now_ms):
                self._news.fire()

    # -- connections -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Redial and ping until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._redial, nursery)
            nursery.start_soon(self._ping_all)

    async def open_stream(self, peer: bytes, protocol: str) -> INetStream:
        """Open a stream to `peer`, over a new connection if there is none. Raises PeerUnreachable."""
        peer_id = ID(peer_id_bytes(peer))
        if not self._network.get_connections(peer_id):
            if not self._book.dialable(peer, _now_ms()):
                raise PeerUnreachable("no address is known, or none answered a moment ago")
            if not await self.dial(peer):
                raise PeerUnreachable("no known address answers")
        try:
            return await self._host.new_stream(peer_id, [TProtocol(protocol)])
        except _HOST_FAULTS as fault:
            raise PeerUnreachable(f"no stream: {fault!r}"[:200]) from fault

    async def dial(self, peer: bytes) -> bool:
        """Connect to `peer` at one of its addresses, or join a dial that is under way. True if that succeeds.

        A banned peer is not dialled, which counts as a failed dial.
        """
        peer_id = ID(peer_id_bytes(peer))
        if (under_way := self._under_way.get(peer)) is not None:
            await under_way.wait()
            return bool(self._network.get_connections(peer_id))
        done = self._under_way[peer] = trio.Event()
        self._book.dialling(peer)
        reached, tried = None, set[str]()
        banned = self._scores.is_banned(peer, trio.current_time())
        try:
            if not banned:
                async with self._claim_dials if self._book.is_claim(peer) else self._dials:
                    reached = await self._dial_addresses(peer, peer_id, tried)
        finally:
            self._book.dialled(peer, _now_ms(), reached, tried=banned or bool(tried))
            del self._under_way[peer]
            done.set()
            self._news.fire()
        return reached is not None

    async def _dial_addresses(self, peer: bytes, peer_id: ID, tried: set[str]) -> str | None:
        """Return the address that answered. They are tried one by one: libp2p tries no second TCP address of a peer."""
        while (text := self._book.next_address(peer, tried, _now_ms())) is not None:
            tried.add(text)
            address = parse_address(text)
            assert address is not None  # the book holds no others
            failed = await self._dial_address(address, peer_id)
            if failed is None:
                return text
            _log.debug("dial.failed", peer=str(peer_id), address=text, reason=failed.fault, detail=failed.detail)
            if peer in self._bootstraps:
                self._failed_dials[peer] = failed
        return None

    async def _dial_address(self, address: Address, peer_id: ID) -> FailedDial | None:
        """Dial one address, or in turn those of its name. None if one answered."""
        try:
            texts = await self._names.addresses(address)
        except NameFault as fault:
            return FailedDial(DialFault.UNRESOLVED, str(fault))
        failed = FailedDial(DialFault.UNRESOLVED, f"{address.host} has no address")
        for text in texts:
            self._host.get_peerstore().clear_addrs(peer_id)
            # After one failed dial libp2p refuses the peer for 60 s; the address book's back-off applies instead.
            self._network._negative_peer_cache.evict(str(peer_id))  # type: ignore[attr-defined]
            try:
                await self._host.connect(Libp2pPeerInfo(peer_id, [Multiaddr(text)]))
                return None
            except _HOST_FAULTS as fault:
                failed = failed_dial(fault)
        return failed

    async def _connect(self, peer: Libp2pPeerInfo) -> None:
        """Replace the host's `connect`, the only way in which a dial may begin."""
        self._connecting[peer.peer_id] += 1
        try:
            await self._stock_connect(peer)
        finally:
            self._connecting[peer.peer_id] -= 1
            if not self._connecting[peer.peer_id]:
                del self._connecting[peer.peer_id]

    async def _dial_peer(self, peer_id: ID) -> list[INetConn]:
        """Replace libp2p's `dial_peer`: only dials that we began go out.

        In stock, opening a stream to a peer that has just left dials any addresses that it announced by identify.
        """
        if peer_id not in self._connecting:
            connections = [each for each in self._network.get_connections(peer_id) if not each.is_closed]
            if not connections:
                raise SwarmException("not connected, and not being dialled")
            return connections
        return await self._stock_dial_peer(peer_id)

    async def _redial(self, nursery: trio.Nursery) -> None:
        while True:
            seen = self._news.count
            for peer in self._book.due(_now_ms(), self._connected, self._config.connections_target):
                self._book.dialling(peer)
                nursery.start_soon(self.dial, peer)
            # Nobody is due while enough peers are connected: the next change wakes the loop.
            next_ms = self._book.next_due_ms(self._connected)
            wait_s = self._config.redial_max_ms / 1000
            if next_ms is not None:
                wait_s = max(next_ms - _now_ms(), self._config.redial_ms) / 1000
            with trio.move_on_after(wait_s):
                await self._news.wait(seen)
            await trio.sleep(_REDIAL_PACE_S)

    # -- liveness --------------------------------------------------------------------------------------------------

    async def _ping_all(self) -> None:
        """Ping every peer every `ping_ms`: libp2p never notices a frozen peer."""
        while True:
            await trio.sleep(self._config.ping_ms / 1000)
            async with trio.open_nursery() as nursery:
                for peer in self.connected():
                    nursery.start_soon(self._ping, peer)

    async def _ping(self, peer: bytes) -> None:
        peer_id = ID(peer_id_bytes(peer))
        async with self._pings:
            answered = False
            with trio.move_on_after(self._config.ping_timeout_ms / 1000):
                answered = await self._answers(peer, peer_id)
            if answered or peer not in self._connected:
                self._pings_missed.pop(peer, None)
                return
            missed = self._pings_missed[peer] = self._pings_missed.get(peer, 0) + 1
            if missed > self._config.pings_missed_max:
                _log.info("peer.unresponsive", peer=str(peer_id))
                with trio.move_on_after(_DISCONNECT_S):
                    await self._host.disconnect(peer_id)

    async def _answers(self, peer: bytes, peer_id: ID) -> bool:
        """Make one round trip of /ipfs/ping/1.0.0."""
        nonce = secrets.token_bytes(_PING_BYTES)
        try:
            stream = await self._host.new_stream(peer_id, [PING_PROTOCOL])
            try:
                started = trio.current_time()
                await stream.write(nonce)
                echoed = await read_exactly(stream, _PING_BYTES)
                self._round_trip_ms[peer] = (trio.current_time() - started) * 1000
            finally:
                await abandon(stream)
        except _HOST_FAULTS:
            return False
        return echoed == nonce

    # -- notifications of libp2p ----------------------------------------------------------------------------------

    def came(self, peer_id: ID, host: str) -> None:
        """Record a new connection from or to `host`; a peer may have several."""
        peer = key_of(peer_id.to_bytes())
        if peer is None or peer in self._connected:
            return
        self._connected[peer] = host
        self._failed_dials.pop(peer, None)
        self.changed_at = trio.current_time()
        if peer in self._bootstraps:
            self._came_at[peer] = trio.current_time()
        _log.info("peer.connected", peer=str(peer_id), host=host)
        self._on_change(peer, True)

    def went(self, peer_id: ID) -> None:
        """Record a closed connection: the peer is gone with the last one."""
        peer = key_of(peer_id.to_bytes())
        if peer is None or peer not in self._connected or self._network.get_connections(peer_id):
            return
        seen_at = self._connected.pop(peer)
        self.changed_at = trio.current_time()
        lasted_s = trio.current_time() - self._came_at.pop(peer, -float("inf"))
        if lasted_s * 1000 < self._config.redial_max_ms:
            self._failed_dials[peer] = FailedDial(DialFault.TURNED_AWAY, f"after {lasted_s:.1f} s")
        _log.info("peer.disconnected", peer=str(peer_id), host=seen_at)
        self._round_trip_ms.pop(peer, None)
        self._pings_missed.pop(peer, None)
        self._book.learn(peer, self.told_addresses(peer), _now_ms(), seen_at=seen_at, connected=self._connected.keys())
        self._book.lost(peer, _now_ms())
        # Stock takes what a peer said in an earlier connection for present, and asks it no more.
        self._host.get_peerstore().clear_protocol_data(peer_id)
        self._on_change(peer, False)
        self._news.fire()

    def told_addresses(self, peer: bytes) -> tuple[str, ...]:
        """Return the addresses at which `peer` says that it listens (identify and signed address records)."""
        try:
            addresses = self._host.get_peerstore().addrs(ID(peer_id_bytes(peer)))
        except PeerStoreError:
            return ()
        return tuple(str(address) for address in addresses[:ADDRESSES_PER_PEER_MAX])

    def protocols(self, peer: bytes) -> frozenset[str]:
        """Return strand's stream protocols that `peer` states to serve (identify); none before it has stated them."""
        try:
            protocols = self._host.get_peerstore().get_protocols(ID(peer_id_bytes(peer)))
        except PeerStoreError:
            return frozenset()
        ours = (text for text in protocols[:_PROTOCOLS_READ_MAX] if text.startswith("/strand/"))
        return frozenset(islice(ours, _PROTOCOLS_TOLD_MAX))


class _Notifee(ConnectionWatcher):
    """libp2p's view of an observer; four of its six calls do not matter here."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def connected(self, _network: INetwork, conn: INetConn) -> None:
        self._peers.came(conn.muxed_conn.peer_id, remote_host(conn))

    async def disconnected(self, _network: INetwork, conn: INetConn) -> None:
        self._peers.went(conn.muxed_conn.peer_id)


def _now_ms() -> int:
    return int(trio.current_time() * 1000)
