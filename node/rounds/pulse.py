"""Pings of connected nodes: whether they are there, their round trip, and whether their clocks agree with ours."""

import trio

from consensus.rounds.participant import Participant
from node.clock import Clock
from node.overlay import Overlay, PeerUnreachable
from node.rounds.inbound import PING, InboundRouter, PongReceived
from protocol.types import Key

BEAT_MS = 5_000
"""Milliseconds between two beats."""

PINGS_MAX = 8
"""Nodes pinged in one beat: a sub-mesh of 50 has its turn within half a minute, the validity of an offer."""

PING_MS = 6_000
"""Timeout of a pong in milliseconds, as in a round: distant nodes matter most, and a new stream takes three round
trips."""


class Pulse:
    """Measures connected nodes in turn, those that offer work first."""

    def __init__(self, participant: Participant, overlay: Overlay, inbound: InboundRouter, clock: Clock) -> None:
        self._participant = participant
        self._overlay = overlay
        self._inbound = inbound
        self._clock = clock
        self._turns: dict[Key, int] = {}
        """Time of the last ping (ms) of each node that is connected now."""

    async def run(self) -> None:
        """Ping until cancelled."""
        while True:
            async with trio.open_nursery() as nursery:
                for peer in self._due():
                    nursery.start_soon(self._ping, peer)
            await trio.sleep(BEAT_MS / 1000)

    def _due(self) -> list[Key]:
        """Return the nodes to ping now: those that offer work, longest unpinged first; then others if places remain.

        If our clock is wrong, nobody's offers are of use here, and only these pings reveal it.
        """
        now_ms = self._clock.now_ms()
        connected = {Key(peer.key) for peer in self._overlay.peers() if peer.connected}
        offering = {offer.author for offer in self._participant.validator.offers.valid(now_ms)}
        self._turns = {peer: self._turns.get(peer, 0) for peer in connected}
        due = sorted(self._turns, key=lambda peer: (peer not in offering, self._turns[peer], peer))[:PINGS_MAX]
        self._turns.update(dict.fromkeys(due, now_ms))
        return due

    async def _ping(self, peer: Key) -> None:
        sent_ms = self._clock.now_ms()
        try:
            reply = await self._overlay.request(peer, PING, b"", timeout_ms=PING_MS)
        except PeerUnreachable:
            return
        await self._inbound.deliver(PongReceived(peer, reply, sent_ms, self._clock.now_ms()))
