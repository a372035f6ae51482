"""The node's peers, and the nodes that offer to work."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final, Protocol

import trio

from consensus.rounds.participant import Participant
from node.api import status as api
from node.clock import Clock
from node.overlay.identity import peer_id_text
from node.overlay.types import ConnectionCounts, PeerInfo, Traffic
from node.signals import Signal
from protocol.messages import Offer
from protocol.types import Key, Role

WAIT_PAUSE_S: Final = 0.1
"""Seconds between two looks of one waiting request at the offers, so that waiting requests do not make a flood of
offers more expensive."""


class Network(Protocol):
    """Port: the overlay as this module sees it."""

    def peers(self) -> Sequence[PeerInfo]:
        """Return all known peers."""
        ...

    def addresses(self) -> Sequence[str]:
        """Return the multiaddrs at which peers reach this node."""
        ...

    def connection_counts(self) -> ConnectionCounts:
        """Return the counts of inbound connections."""
        ...

    def traffic(self) -> Traffic:
        """Return the bytes exchanged with peers."""
        ...


class PeersFacade:
    """Reports one node's peers, connections and clock, and waits for offers."""

    def __init__(self, participant: Participant, network: Network, offers_changed: Signal, clock: Clock) -> None:
        """Build a facade. `offers_changed`: fires after the offer book has changed."""
        self._participant = participant
        self._network = network
        self._offers_changed = offers_changed
        self._clock = clock

    def addresses(self) -> tuple[str, ...]:
        """Return the multiaddrs at which peers reach this node."""
        return tuple(self._network.addresses())

    def connected(self) -> int:
        """Return the number of connected peers."""
        return sum(peer.connected for peer in self._network.peers())

    def counts(self) -> ConnectionCounts:
        """Return the counts of inbound connections, as the overlay keeps them."""
        return self._network.connection_counts()

    def traffic(self) -> Traffic:
        """Return the bytes exchanged with peers, as the overlay counts them."""
        return self._network.traffic()

    def connections(self) -> api.Connections:
        """Report inbound connections: those of now, their greatest number, and the refused ones since the start."""
        counts = self.counts()
        return api.Connections(counts.inbound, counts.inbound_max, counts.half_open, dict(counts.refused))

    def clock(self) -> api.ClockComparison:
        """Compare this machine's clock with those of peers; offsets are in milliseconds."""
        return api.ClockComparison(**asdict(self._participant.presence.clock))

    def offering(self) -> int:
        """Return the number of nodes that offer to answer or judge now, this one included."""
        return self._participant.validator.offers.working(self._clock.now_ms())

    async def wait_offering(self, nodes: int) -> None:
        """Wait until at least `nodes` nodes offer to work, this one included; without a limit of time."""
        seen = self._offers_changed.count
        while self.offering() < nodes:
            await self._offers_changed.wait(seen)
            await trio.sleep(WAIT_PAUSE_S)
            seen = self._offers_changed.count

    def report(self) -> api.Peers:
        """Report all peers, connected or not, and the nodes whose valid offers came through others."""
        now_ms = self._clock.now_ms()
        offers = {offer.author: offer for offer in self._participant.validator.offers.valid(now_ms)}
        offers.pop(self._participant.keypair.public, None)
        met = [self._peer(peer, offers.pop(Key(peer.key), None), now_ms) for peer in self._network.peers()]
        heard = (_heard_of(offer) for offer in offers.values())
        return api.Peers((*met, *(self._peer(peer, offer, now_ms) for peer, offer in heard)))

    def _peer(self, peer: PeerInfo, offer: Offer | None, now_ms: int) -> api.Peer:
        return api.Peer(
            key=peer.key.hex(),
            peer_id=peer.peer_id,
            addresses=tuple(peer.addresses),
            connected=peer.connected,
            direction=peer.direction,
            round_trip_ms=peer.round_trip_ms,
            clock_offset_ms=self._participant.presence.offset_ms(Key(peer.key)),
            score=round(peer.score, 1),
            score_reason=peer.score_reason,
            wires=peer.wires,
            offers=None if offer is None else _summary(offer),
            host=peer.host,
            in_mesh=bool(peer.topics),
            last_seen_ms=None if peer.away_ms is None else max(0, now_ms - peer.away_ms),
        )


def _heard_of(offer: Offer) -> tuple[PeerInfo, Offer]:
    """Return what is known of a node that is no peer: its offer came through others."""
    key = offer.author
    return PeerInfo(key, peer_id_text(key), offer.addresses, False, None, None, ()), offer


def _summary(offer: Offer) -> api.OfferSummary:
    return api.OfferSummary(
        roles=tuple(role.name.lower() for role in Role if role in offer.roles and role.name),
        model=offer.model,
        tokens_per_second=offer.milli_tokens_per_second / 1000,
        queue=offer.queue,
        tool_versions=offer.tool_versions,
    )
