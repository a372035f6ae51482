"""The report of peers: connected ones, absent ones, and nodes whose offers came only through others."""

from __future__ import annotations

from consensus.rounds.participant import Participant
from node.clock import Clock
from node.facade.peers import PeersFacade
from node.overlay.identity import peer_id_text
from node.overlay.types import PeerInfo
from node.signals import Signal
from protocol.messages import Offer
from protocol.types import Key, Role
from tests.support.shown import StillNetwork
from tests.support.swarm import keypair, params

ADDRESS = "/ip4/9.9.9.9/tcp/4001"


def offer(name: str, now_ms: int) -> Offer:
    return Offer(
        author=keypair(name).public,
        sequence=1,
        sent_at_ms=now_ms,
        roles=Role.JUDGE,
        specialties=("rust",),
        model="m",
        context_tokens=1,
        milli_tokens_per_second=1_500,
        queue=2,
        tool_versions="",
        addresses=(ADDRESS,),
    )


def report(*peers: PeerInfo, offering: str) -> PeersFacade:
    participant, clock = Participant(keypair("a"), params()), Clock()
    for name in offering:
        participant.validator.offers.add(offer(name, clock.now_ms()), clock.now_ms())
    return PeersFacade(participant, StillNetwork(peers), Signal(), clock)


def info(key: Key, *, connected: bool, away_ms: int | None, topics: tuple[str, ...] = ()) -> PeerInfo:
    host = "10.0.0.2" if connected else ""
    way = "outbound" if connected else None
    return PeerInfo(key, peer_id_text(key), (), connected, way, None, topics, host=host, away_ms=away_ms)


async def test_the_time_and_the_place_of_a_connection_are_told() -> None:
    here, gone, never = (keypair(name).public for name in "bcd")
    facade = report(
        info(here, connected=True, away_ms=0, topics=("/strand/x",)),
        info(gone, connected=False, away_ms=60_000),
        info(never, connected=False, away_ms=None),
        offering="",
    )
    now_ms = Clock().now_ms()
    told = facade.report().peers
    assert [(each.host, each.in_mesh) for each in told] == [("10.0.0.2", True), ("", False), ("", False)]
    assert told[0].last_seen_ms is not None and told[0].last_seen_ms >= now_ms
    assert told[1].last_seen_ms is not None and now_ms - 60_000 <= told[1].last_seen_ms < now_ms - 1
    assert told[2].last_seen_ms is None


async def test_who_is_no_peer_is_told_by_its_offer_and_this_node_is_not() -> None:
    peer, stranger = keypair("b").public, keypair("c").public
    told = report(info(peer, connected=True, away_ms=0), offering="abc").report().peers
    assert [each.key for each in told] == [peer.hex(), stranger.hex()]
    assert all(each.offers is not None and each.offers.queue == 2 for each in told)
    assert (told[1].connected, told[1].last_seen_ms, told[1].addresses) == (False, None, (ADDRESS,))
    assert told[1].peer_id == peer_id_text(stranger)
