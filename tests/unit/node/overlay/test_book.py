"""The address book: what it takes, when it wants a dial, and what it forgets."""

from __future__ import annotations

from random import Random

import pytest

from node.overlay import book as module
from node.overlay.book import AddressBook, parse_address
from node.overlay.identity import key_of, key_of_text, peer_id_bytes, peer_id_text

ME, PEER, OTHER = bytes(32), bytes([1]) * 32, bytes([2]) * 32
HERE, THERE = "/ip4/10.0.0.1/tcp/4001", "/dns4/node.example/tcp/4001"


def new_book() -> AddressBook:
    return AddressBook(ME, 100, 1_000, Random(7))


@pytest.mark.parametrize("text", [HERE, THERE, "/ip6/::1/tcp/1", "/dns/a/tcp/65535", "/dns6/a-b.c/tcp/80"])
def test_tcp_addresses_are_dialable(text: str) -> None:
    assert parse_address(text) == module.Address(text, None)
    assert parse_address(f"{text}/p2p/{peer_id_text(PEER)}") == module.Address(text, PEER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1:4001",
        "/ip4/10.0.0.1",
        "/ip4/10.0.0.256/tcp/1",
        "/ip4/::1/tcp/1",
        "/ip6/10.0.0.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip4/224.0.0.1/tcp/1",
        "/ip4/10.0.0.1/tcp/0",
        "/ip4/10.0.0.1/tcp/65536",
        "/ip4/10.0.0.1/udp/1/quic-v1",
        "/ip4/10.0.0.1/tcp/1/ws",
        "/ip4/10.0.0.1/tcp/1/p2p/QmNotEd25519",
        "/ip4/10.0.0.1/tcp/1/p2p/" + "1" * 100,
        "/dns4/" + "a" * 300 + "/tcp/1",
        "/dns4/a:b/tcp/1",
        HERE + "\n",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    assert parse_address(text) is None


def test_an_address_that_names_another_peer_is_not_taken() -> None:
    book = new_book()
    assert not book.learn(PEER, [f"{HERE}/p2p/{peer_id_text(OTHER)}"], 0)
    assert not book.learn(ME, [HERE], 0)
    assert len(book) == 0


def test_addresses_are_bounded_and_the_newest_come_first() -> None:
    book = new_book()
    for number in range(20):
        assert book.learn(PEER, [f"/ip4/10.0.0.1/tcp/{number + 1}"], 0)
    assert book.addresses(PEER)[0] == "/ip4/10.0.0.1/tcp/20"
    assert len(book.addresses(PEER)) == module.ADDRESSES_PER_PEER_MAX
    assert not book.learn(PEER, ["/ip4/10.0.0.1/tcp/20"], 0)


def test_failed_dials_back_off_up_to_the_cap_and_end_in_oblivion() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0)
    now_ms, delays = 0, []
    while book.due(now_ms, (), 10) == [PEER]:
        book.dialling(PEER)
        assert book.due(now_ms, (), 10) == []
        book.dialled(PEER, now_ms, None)
        due_ms = book.next_due_ms(())
        if due_ms is None:
            break
        delays.append(due_ms - now_ms)
        now_ms = due_ms
    assert len(delays) == module.FAILURES_MAX - 1
    for number, delay_ms in enumerate(delays):
        assert 0.5 <= delay_ms / min(100 * 2**number, 1_000) <= 1.5
    assert book.addresses(PEER) == ()


def test_a_bootstrap_peer_is_never_forgotten_and_a_new_address_ends_the_back_off() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0, kept=True)
    for _ in range(3 * module.FAILURES_MAX):
        book.dialled(PEER, 0, None)
    assert book.due(0, (), 10) == []
    assert book.next_due_ms(()) <= 1_500
    assert book.learn(PEER, [THERE], 0)
    assert book.due(0, (), 10) == [PEER]


def test_a_dial_on_demand_needs_an_address_and_a_rest_after_a_failure() -> None:
    book = new_book()
    assert not book.dialable(PEER, 0)
    book.learn(PEER, [HERE], 0)
    assert book.dialable(PEER, 0)
    book.dialled(PEER, 0, None)
    assert not book.dialable(PEER, 199)
    assert book.dialable(PEER, 200)
    book.dialled(PEER, 200, None)
    book.learn(PEER, [THERE], 0)
    assert book.dialable(PEER, 201)


def test_the_address_that_answered_comes_first() -> None:
    book = new_book()
    book.learn(PEER, [HERE, THERE], 0)
    book.dialled(PEER, 0, THERE)
    assert book.addresses(PEER) == (THERE, HERE)


def test_only_bootstrap_peers_are_dialled_above_the_target() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0)
    book.learn(OTHER, [HERE], 0, kept=True)
    assert book.due(0, {b"a", b"b"}, 2) == [OTHER]
    assert set(book.due(0, {b"a", b"b"}, 3)) == {PEER, OTHER}
    assert book.due(0, {PEER, OTHER}, 10) == []


def test_the_smaller_key_dials_first() -> None:
    small, large = new_book(), AddressBook(bytes([9]) * 32, 100, 1_000, Random(7))
    small.learn(PEER, [HERE], 50)
    large.learn(PEER, [HERE], 50)
    large.learn(OTHER, [HERE], 50, kept=True)
    assert small.due(50, (), 10) == [PEER]
    assert large.due(50, (), 10) == [OTHER]
    assert large.due(150, (), 10) == [OTHER, PEER]


def test_a_lost_peer_is_due_soon_but_not_at_once() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0)
    book.dialled(PEER, 0, HERE)
    for lost_ms in (1_000, 10_000):  # connections that lasted: the back-off does not grow
        book.lost(PEER, lost_ms)
        assert book.due(lost_ms + 49, (), 10) == []
        assert book.due(lost_ms + 150, (), 10) == [PEER]


def test_a_peer_that_drops_every_connection_is_dialled_ever_more_rarely() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0, kept=True)
    now_ms = 0
    for number in range(module.FAILURES_MAX):
        book.dialled(PEER, now_ms, HERE)
        book.lost(PEER, now_ms + 1)
        delay_ms = book.next_due_ms(()) - now_ms - 1
        assert 0.5 <= delay_ms / min(100 * 2**number, 1_000) <= 1.5
        now_ms += 1 + delay_ms


def test_the_book_is_bounded_and_drops_who_failed_most() -> None:
    book = new_book()
    peers = [number.to_bytes(32, "big") for number in range(1, module.PEERS_MAX + 2)]
    for peer in peers[:-1]:
        book.learn(peer, [HERE], 0)
    book.dialled(peers[5], 0, None)
    book.learn(peers[-1], [HERE], 0)
    assert len(book) == module.PEERS_MAX
    assert book.addresses(peers[5]) == ()
    assert book.addresses(peers[-1]) == (HERE,)


def test_a_key_and_its_peer_id_are_one() -> None:
    assert key_of(peer_id_bytes(PEER)) == PEER
    assert key_of_text(peer_id_text(PEER)) == PEER
    assert peer_id_text(PEER).startswith("12D3KooW")
    assert key_of(peer_id_bytes(PEER)[:-1]) is None
    assert key_of(b"\x12\x20" + bytes(36)) is None
    assert key_of_text("0OIl") is None
    with pytest.raises(ValueError, match="31"):
        peer_id_bytes(bytes(31))
