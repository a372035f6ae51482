"""Whom a node dials at the word of strangers: a victim counts the connections that reach it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from libp2p.network.exceptions import SwarmException
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from node.overlay import Overlay
from node.overlay.book import FAILURES_OF_KNOWN_MAX
from node.overlay.identity import peer_id_bytes
from tests.integration.overlay.world import ECHO, Recorder, node, until

KEYS = 3


class Victim:
    """Listens on several ports of one host and drops whoever comes."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.dials = 0

    async def _count(self, stream: trio.SocketStream) -> None:
        self.dials += 1
        await stream.aclose()


@asynccontextmanager
async def victim(ports: int) -> AsyncIterator[Victim]:
    hit = Victim()
    async with trio.open_nursery() as nursery:
        for _ in range(ports):
            (listener,) = await nursery.start(partial(trio.serve_tcp, hit._count, 0, host="127.0.0.1"))
            hit.addresses.append(f"/ip4/127.0.0.1/tcp/{listener.socket.getsockname()[1]}")
        yield hit
        nursery.cancel_scope.cancel()


def key(number: int) -> bytes:
    """A key that sorts behind the node's, so that the node dials first."""
    return b"\xff" * 31 + bytes([number])


async def settled(overlay: Overlay) -> None:
    """Wait until nothing is dialled, and nothing will be."""
    book = overlay._book

    def quiet() -> bool:
        dialling = any(entry.dialling for entry in book._entries.values())
        return not dialling and book.next_due_ms(overlay._peers.connected()) is None

    await until(quiet)


async def test_a_message_that_names_many_addresses_of_a_victim_is_worth_one_dial_at_most() -> None:
    """At 044b2f0: 64 dials for each message."""
    async with node(1, Recorder()) as na, victim(8) as hit:
        for number in range(KEYS):
            na.learn_address(key(number), hit.addresses)
        await settled(na)
        assert 0 < hit.dials <= KEYS
        # The same again, at once: nothing new, and nothing more.
        for number in range(KEYS):
            na.learn_address(key(number), hit.addresses[::-1])
        await settled(na)
        assert hit.dials <= KEYS


async def test_names_and_addresses_that_are_no_peers_are_not_dialled() -> None:
    async with node(1, Recorder()) as na, victim(1) as hit:
        port = hit.addresses[0].rpartition("/")[2]
        refused = [
            f"/dns4/localhost/tcp/{port}",
            f"/ip4/0.0.0.0/tcp/{port}",
            f"/ip4/169.254.169.254/tcp/{port}",
            f"/ip4/224.0.0.1/tcp/{port}",
            "/ip4/127.0.0.1/tcp/0",
        ]
        na.learn_address(key(1), refused)
        await settled(na)
        assert (len(na._book), hit.dials) == (0, 0)


async def test_libp2p_dials_nobody_by_itself() -> None:
    """Stock, a stream to a peer that has left dials whatever it told by identify."""
    async with node(1, Recorder()) as na, victim(1) as hit:
        peer_id = ID(peer_id_bytes(key(1)))
        na._host.get_peerstore().add_addrs(peer_id, [Multiaddr(hit.addresses[0])], 60)
        with pytest.raises(SwarmException, match="not being dialled"):
            await na._host.new_stream(peer_id, [ECHO])
        assert hit.dials == 0


async def test_a_stranger_that_dropped_by_is_looked_for_where_it_came_from_alone() -> None:
    """What it told of itself by identify is a claim like that of an offer."""
    a, b = Recorder(), Recorder()
    async with node(1, a, redial_ms=5, redial_max_ms=10) as na, victim(8) as hit:
        async with node(2, b, na, announce=tuple(hit.addresses)) as nb:
            await a.wait_peer(nb)
            await until(lambda: na._peers.told_addresses(nb.key))
        await a.wait_peer(nb, connected=False)
        # It came from the victim's host: that one address is dialled until it is forgotten.
        await settled(na)
        assert hit.dials <= FAILURES_OF_KNOWN_MAX


@pytest.mark.parametrize(
    ("listen", "group"), [("/ip4/127.0.0.1/tcp/0", "127.0.0.0/24"), ("/ip6/::1/tcp/0", "::/48")], ids=["ip4", "ip6"]
)
async def test_the_address_group_of_a_peer_is_what_was_observed(listen: str, group: str) -> None:
    if listen.startswith("/ip6/") and not _has_ipv6():
        pytest.skip("no IPv6 here")
    a, b = Recorder(), Recorder()
    async with node(1, a, listen=(listen,)) as na:
        async with node(2, b, na, listen=(listen,), announce=("/ip4/1.1.1.1/tcp/1",)) as nb:
            await a.wait_peer(nb)
            await b.wait_peer(na)
            assert [peer.group for peer in na.peers()] == [group]
            assert [peer.group for peer in nb.peers()] == [group]
        await a.wait_peer(nb, connected=False)
        assert {peer.group for peer in na.peers()} <= {""}


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
