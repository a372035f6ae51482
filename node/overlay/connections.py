"""Connections, from the socket to the swarm: the handshake has a deadline, and the slot is freed with the connection.

Stock libp2p holds an inbound slot until the swarm ends, has no deadline for the Noise handshake of a peer that it
dials, and handles addresses of IPv4 only.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
import trio
from libp2p.abc import IHost, IMuxedConn, INetConn, INetStream, INetwork, INotifee
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr  # type: ignore[import-untyped]

from node.overlay.addresses import canonical_host, parse_ip
from node.overlay.identity import key_of
from node.overlay.scoring import PeerScores
from node.overlay.slots import ConnectionPlace, Slots

_log = structlog.get_logger(__name__)

_CLOSE_S: Final = 2.0
"""Seconds for closing a connection cleanly; then its socket closes."""


def guard_connections(host: IHost, slots: Slots, scores: PeerScores, handshake_s: float) -> None:
    """Accept connections for `host` in libp2p's place, except from peers that `scores` bans, and bound its dials.

    `handshake_s` is the time for Noise and yamux together, and for the whole of a dial.
    """
    network = host.get_network()
    assert isinstance(network, Swarm)
    dial = network._dial_addr_single_attempt

    async def bounded(address: Multiaddr, peer: ID, source: tuple[str, int] | None = None) -> INetConn:
        with trio.move_on_after(handshake_s):
            return await dial(address, peer, source)
        raise SwarmException(f"no connection within {handshake_s} s")

    network._dial_addr_single_attempt = bounded  # type: ignore[method-assign, assignment]
    network._handle_inbound_connection = _Inbound(network, slots, scores, handshake_s).serve  # type: ignore[method-assign, assignment]


class _Inbound:
    """The handler of the listeners."""

    def __init__(self, network: Swarm, slots: Slots, scores: PeerScores, handshake_s: float) -> None:
        self._network = network
        self._slots = slots
        self._scores = scores
        self._handshake_s = handshake_s

    async def serve(self, stream: TrioTCPStream, _listener: Multiaddr) -> None:
        """Serve one connection until it ends; the listener then closes its socket."""
        remote = stream.get_remote_address()
        if remote and self._scores.is_address_banned(remote[0], trio.current_time()):
            self._slots.refuse("banned address")
            return
        scope = trio.CancelScope(deadline=trio.current_time() + self._handshake_s)
        place = self._slots.enter(remote and parse_ip(remote[0]), scope.cancel)
        if place is None:
            return
        connection: IMuxedConn | None = None
        try:
            with scope:
                connection = await self._upgrade(stream, place)
                if connection is not None:
                    scope.deadline = float("inf")
                    await connection.event_closed.wait()  # type: ignore[attr-defined]
        finally:
            self._slots.leave(place)
        if scope.cancelled_caught:
            if connection is None:
                self._slots.refuse("handshake")
            else:
                await _close(connection)

    async def _upgrade(self, stream: TrioTCPStream, place: ConnectionPlace) -> IMuxedConn | None:
        """Set up Noise, a slot and yamux; None if the peer or the slots refuse."""
        upgrader = self._network.upgrader
        try:
            secured = await upgrader.upgrade_security(RawConnection(stream, False), False)
            peer = secured.get_remote_peer()
            key = key_of(peer.to_bytes())
            if key is None or peer == self._network.self_id:
                self._slots.refuse("key")
                return None
            if self._scores.is_banned(key, trio.current_time()):
                self._slots.refuse("banned key")
                return None
            if not self._slots.admit(place, key):
                return None
            connection = await upgrader.upgrade_connection(secured, peer)
            await self._network.add_conn(connection, direction="inbound")
            return connection
        except (BaseLibp2pError, OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError) as fault:
            _log.debug("handshake.failed", reason=repr(fault)[:200])
        # the overlay's edge: a fault caused by bytes before the key is known ends that connection
        except Exception as fault:
            _log.info("handshake.failed", reason=repr(fault)[:200])
        self._slots.refuse("handshake")
        return None


async def _close(connection: Any) -> None:
    with trio.move_on_after(_CLOSE_S):
        await connection.close()


def remote_host(connection: INetConn) -> str:
    """Return the IP address at the other end of a connection; empty if its socket is closed already."""
    remote = connection.muxed_conn.get_remote_address()  # type: ignore[attr-defined]
    return "" if remote is None else canonical_host(str(remote[0]))


class ConnectionWatcher(INotifee):
    """Observes connections and ignores libp2p's other notifications."""

    async def opened_stream(self, _network: INetwork, _stream: INetStream) -> None:
        """Ignore streams."""
        return

    async def closed_stream(self, _network: INetwork, _stream: INetStream) -> None:
        """Ignore streams."""
        return

    async def listen(self, _network: INetwork, _multiaddr: Multiaddr) -> None:
        """Ignore listeners."""
        return

    async def listen_close(self, _network: INetwork, _multiaddr: Multiaddr) -> None:
        """Ignore listeners."""
        return
