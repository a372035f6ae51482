"""The address book: what it takes, when it wants a dial, and what it forgets."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from node.overlay import book as module
from node.overlay.addresses import Reach, reach
from node.overlay.book import AddressBook
from node.overlay.identity import key_of, key_of_text, peer_id_bytes, peer_id_text
from node.overlay.types import Remembered

ME, PEER, OTHER = bytes(32), bytes([1]) * 32, bytes([2]) * 32
HERE, THERE = "/ip4/1.0.0.1/tcp/4001", "/ip4/9.9.9.9/tcp/4001"
MINUTE_MS = 60_000


def new_book(own: bytes = ME, ours: Reach = Reach(), trusted: tuple[bytes, ...] = ()) -> AddressBook:  # noqa: B008
    return AddressBook(own, (100, 1_000), Random(7), ours, trusted)


def dials(book: AddressBook, peer: bytes, now_ms: int) -> list[str]:
    """The addresses that a dial of `peer` tries, none of which answers."""
    tried: list[str] = []
    book.dialling(peer)
    while (text := book.next_address(peer, tried, now_ms)) is not None:
        tried.append(text)
    book.dialled(peer, now_ms, None, tried=bool(tried))
    return tried


def reached(book: AddressBook, peer: bytes, text: str, now_ms: int = 0) -> None:
    """`peer` is learned and answers at `text`."""
    book.learn(peer, [text], now_ms)
    book.dialled(peer, now_ms, text)


def test_an_address_that_names_another_peer_is_not_taken() -> None:
    book = new_book()
    assert not book.learn(PEER, [f"{HERE}/p2p/{peer_id_text(OTHER)}"], 0)
    assert not book.learn(ME, [HERE], 0)
    assert len(book) == 0


def test_addresses_are_bounded_and_the_newest_come_first() -> None:
    book = new_book()
    for number in range(20):
        assert book.learn(PEER, [f"/ip4/1.0.0.{number}/tcp/1"], 0)
    assert book.addresses(PEER)[0] == "/ip4/1.0.0.19/tcp/1"
    assert len(book.addresses(PEER)) == module.ADDRESSES_PER_PEER_MAX
    assert not book.learn(PEER, ["/ip4/1.0.0.19/tcp/1"], 0)


def test_where_a_peer_answered_outlives_what_it_claims() -> None:
    book = new_book()
    reached(book, PEER, HERE)
    for number in range(20):
        book.learn(PEER, [f"/ip4/2.0.0.{number}/tcp/1"], 0)
    assert HERE in book.addresses(PEER)
    assert len(book.addresses(PEER)) == module.ADDRESSES_PER_PEER_MAX


def test_failed_dials_back_off_up_to_the_cap_and_end_in_oblivion() -> None:
    book = new_book(trusted=(PEER,))
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
    assert len(delays) == module.FAILURES_OF_KNOWN_MAX - 1
    for number, delay_ms in enumerate(delays):
        assert 0.5 <= delay_ms / min(100 * 2**number, 1_000) <= 1.5
    assert book.addresses(PEER) == ()


def test_a_bootstrap_peer_is_never_forgotten_and_a_new_address_ends_the_back_off() -> None:
    book = new_book()
    book.learn(PEER, [HERE], 0, kept=True)
    for _ in range(3 * module.FAILURES_OF_KNOWN_MAX):
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
    assert dials(book, PEER, 201) == [THERE]
    assert not book.dialable(PEER, 10_000)


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
    small, large = new_book(), new_book(bytes([9]) * 32)
    small.learn(PEER, [HERE], 50)
    large.learn(PEER, [HERE], 50)
    large.learn(OTHER, [HERE], 50, kept=True)
    assert small.due(50, (), 10) == [PEER]
    assert large.due(50, (), 10) == [OTHER]
    assert large.due(150, (), 10) == [OTHER, PEER]


def test_a_lost_peer_is_due_soon_but_not_at_once() -> None:
    book = new_book()
    reached(book, PEER, HERE)
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


# -- what strangers claim ------------------------------------------------------------------------------------------


def test_a_message_is_worth_one_dial_and_its_addresses_take_turns() -> None:
    book = new_book()
    hosts = [f"/ip4/1.0.{number}.1/tcp/1" for number in range(8)]
    assert book.learn(PEER, hosts, 0)
    assert dials(book, PEER, 0) == hosts[:1]
    assert book.due(1_000_000, (), 10) == []
    assert book.next_due_ms(()) is None
    for number in range(1, 5):
        now_ms = number * module.CLAIM_REST_MS
        assert book.learn(PEER, hosts, now_ms)
        assert dials(book, PEER, now_ms) == [hosts[number]]


def test_faster_messages_are_worth_no_more() -> None:
    book = new_book()
    tried = []
    for now_ms in range(0, MINUTE_MS, 100):
        book.learn(PEER, [f"/ip4/1.0.{now_ms // 100 % 250}.1/tcp/1"], now_ms)
        tried += dials(book, PEER, now_ms)
    assert len(tried) == MINUTE_MS // module.CLAIM_REST_MS


def test_one_address_of_a_host_is_kept_and_the_newest() -> None:
    book = new_book()
    book.learn(PEER, [f"/ip4/1.0.0.1/tcp/{port}" for port in range(1, 9)], 0)
    assert book.addresses(PEER) == ("/ip4/1.0.0.1/tcp/1",)
    book.learn(PEER, ["/ip4/1.0.0.1/tcp/9", "/ip6/::ffff:1.0.0.1/tcp/10"], 0)
    assert book.addresses(PEER) == ("/ip4/1.0.0.1/tcp/9",)


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/10.0.0.1/tcp/1",
        "/ip4/169.254.169.254/tcp/80",
        "/ip6/::1/tcp/1",
        "/ip6/::ffff:127.0.0.1/tcp/1",
        "/ip6/fd00::1/tcp/1",
        "/ip4/100.64.0.1/tcp/1",
        "/dns4/victim.example/tcp/80",
    ],
)
def test_strangers_lead_nowhere_but_to_public_addresses(text: str) -> None:
    book = new_book(trusted=(OTHER,))
    assert not book.learn(PEER, [text], 0)
    assert len(book) == 0
    assert book.learn(OTHER, [text], 0)
    assert book.learn(PEER, [text], 0, kept=True)


def test_where_a_peer_came_from_is_believed() -> None:
    """Also in a private network that we are not in: it did come from there."""
    book = new_book()
    told = ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.1/tcp/2"]
    book.learn(PEER, told, 0, seen_at="10.0.0.1")
    assert book.addresses(PEER) == ("/ip4/10.0.0.1/tcp/1",)
    dials(book, PEER, 0)
    assert dials(book, PEER, 0) == ["/ip4/10.0.0.1/tcp/1"]
    assert book.next_due_ms(()) is not None


def test_our_own_hosts_are_tried_last() -> None:
    ours = reach(["/ip4/0.0.0.0/tcp/1"], [], ["172.17.0.1/16", "192.168.1.5/24"])
    book = new_book(ours=ours)
    book.learn(PEER, ["/ip4/172.17.0.1/tcp/1", "/ip4/192.168.1.9/tcp/1"], 0)
    assert dials(book, PEER, 0) == ["/ip4/192.168.1.9/tcp/1"]


def test_a_machine_that_moves_dials_its_new_neighbours_and_no_longer_the_old() -> None:
    book = new_book(ours=reach(["/ip4/0.0.0.0/tcp/1"], [], ["192.168.1.5/24"]))
    old, new = "/ip4/192.168.1.9/tcp/1", "/ip4/10.0.0.9/tcp/1"
    book.learn(PEER, [old, new], 0)
    assert book.addresses(PEER) == (old,)
    book.move(reach(["/ip4/0.0.0.0/tcp/1"], [], ["10.0.0.5/24"]))
    book.learn(OTHER, [old, new], 0)
    assert book.addresses(OTHER) == (new,)


def flood(count: int, group: bool = False) -> list[tuple[bytes, str]]:
    """Fresh keys that claim an address each, in one group or in as many."""
    hosts = [f"1.2.3.{n % 250 + 1}" if group else f"1.{n // 250}.{n % 250}.1" for n in range(count)]
    return [(b"f" + number.to_bytes(31, "big"), f"/ip4/{host}/tcp/80") for number, host in enumerate(hosts)]


@pytest.mark.parametrize(
    ("group", "most"),
    [(False, module.DIALS_BURST + module.DIALS_PER_MINUTE), (True, 2 * module.DIALS_PER_GROUP_PER_MINUTE)],
)
def test_a_flood_of_claims_is_dialled_within_the_budgets(group: bool, most: int) -> None:
    book = new_book()
    tried = []
    claims = flood(300, group)
    for now_ms in range(0, MINUTE_MS, 1_000):
        for peer, text in claims:
            if now_ms % module.CLAIM_REST_MS == 0:
                book.learn(peer, [text], now_ms)
        for peer in book.due(now_ms, (), 32):
            tried += dials(book, peer, now_ms)
    assert most // 2 <= len(tried) <= most


def test_a_flood_in_one_network_leaves_the_others_their_turn() -> None:
    book = new_book()
    for peer, text in flood(900, group=True):
        book.learn(peer, [text], 0)
    book.learn(PEER, [HERE], 0)
    assert PEER in book.due(0, (), 2)


def test_caps_do_not_count_where_we_are_at_home() -> None:
    book = new_book(ours=reach(["/ip4/127.0.0.1/tcp/0"], [], ["127.0.0.1/8"]))
    peers = [bytes([number]) * 32 for number in range(1, 31)]
    for peer in peers:
        book.learn(peer, [f"/ip4/127.0.0.1/tcp/{1000 + peer[0]}"], 0)
    assert sum(len(dials(book, peer, 0)) for peer in book.due(0, (), 100)) == len(peers)


# -- whom it forgets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "group"), list(product((500, 2_000), (False, True))))
def test_no_stranger_takes_the_place_of_a_connected_trusted_or_kept_peer(count: int, group: bool) -> None:
    friends = [b"a" + bytes([number]) * 31 for number in range(40)]
    connected, trusted, kept, met = friends[:10], friends[10:20], friends[20:30], friends[30:]
    book = new_book(trusted=tuple(trusted))
    for peer in friends:
        book.learn(peer, [HERE], 0, kept=peer in kept)
    for peer in met:
        reached(book, peer, HERE)
    for peer, text in flood(count, group):
        book.learn(peer, [text], 1, connected=connected)
    assert len(book) <= module.PEERS_MAX
    assert [peer for peer in friends if not book.addresses(peer)] == []


def test_the_book_is_bounded_and_a_claim_makes_way_for_a_claim() -> None:
    book = new_book()
    claims = flood(module.PEERS_MAX + 1)
    for peer, text in claims[:-1]:
        book.learn(peer, [text], 0)
    book.learn(claims[-1][0], [claims[-1][1]], 0)
    assert len(book) == module.PEERS_MAX
    assert book.addresses(claims[-1][0]) == (claims[-1][1],)


def test_a_claim_finds_no_room_among_peers_that_answered_but_the_peer_itself_does() -> None:
    book = new_book()
    for peer, text in flood(module.PEERS_MAX):
        reached(book, peer, text)
    assert not book.learn(PEER, [HERE], 0)
    assert book.learn(PEER, [HERE], 0, seen_at="1.0.0.1")


# -- whom it remembers ---------------------------------------------------------------------------------------------


def fail(book: AddressBook, peer: bytes, now_ms: int = 0) -> None:
    for _ in range(module.FAILURES_OF_KNOWN_MAX):
        book.dialled(peer, now_ms, None)


def test_a_peer_that_was_met_sleeps_where_others_are_forgotten_and_wakes_by_its_own_word() -> None:
    book = new_book()
    reached(book, PEER, HERE)
    fail(book, PEER)
    assert book.addresses(PEER) == (HERE,) and book.awake() == ()
    due_ms = book.next_due_ms(())
    assert due_ms is not None and module.SLEEP_MS / 2 <= due_ms <= module.SLEEP_MS * 1.5
    assert book.due(due_ms, (), 10) == [PEER]
    book.learn(PEER, [HERE], module.CLAIM_REST_MS)
    assert book.due(module.CLAIM_REST_MS, (), 10) == [PEER]
    book.dialled(PEER, module.CLAIM_REST_MS, None)
    assert book.due(10 * module.CLAIM_REST_MS, (), 10) == []
    fail(book, PEER, module.MEMORY_MS + 1)
    assert book.addresses(PEER) == ()


def test_who_only_came_by_is_remembered_but_not_looked_for_for_ever() -> None:
    """It names a port of the host that it came from, behind which may be another's machine."""
    book = new_book()
    book.learn(PEER, [HERE], 0, seen_at="1.0.0.1")
    assert book.remembered(0, (PEER,)) == [Remembered(PEER, (HERE,), False, 0)]
    later = new_book()
    assert later.recall(Remembered(PEER, (HERE,), False, 0), 0)
    fail(later, PEER)
    assert later.addresses(PEER) == () and later.remembered(0, ()) == []


def test_who_sleeps_makes_way_for_a_claim() -> None:
    book = new_book()
    for peer, text in flood(module.PEERS_MAX):
        reached(book, peer, text)
        fail(book, peer)
    assert book.learn(PEER, [HERE], 0)
    assert len(book) == module.PEERS_MAX


def test_a_later_life_dials_where_peers_were_met_and_nowhere_else() -> None:
    book = new_book()
    reached(book, PEER, HERE)
    book.learn(PEER, [THERE], 1_000)
    book.learn(b"z" * 32, ["/ip4/9.9.9.9/tcp/1"], 0)
    assert book.remembered(2_000, ()) == [Remembered(PEER, (HERE,), True, 0)]
    assert book.remembered(2_000, (PEER,)) == [Remembered(PEER, (HERE,), True, 2_000)]
    assert (book.met_ms(PEER), book.met_ms(b"z" * 32), book.met_ms(OTHER)) == (2_000, None, None)
    later = new_book()
    assert later.recall(Remembered(PEER, (HERE, "nonsense"), True, -5_000), 100)
    assert later.due(100, (), 10) == [PEER]
    assert dials(later, PEER, 100) == [HERE]


@pytest.mark.parametrize(("peer", "addresses", "met_ms"), [
    (PEER, [HERE], -module.MEMORY_MS), (PEER, ["nonsense"], 0), (PEER, [], 0), (ME, [HERE], 0),
])  # fmt: skip
def test_what_is_too_old_or_of_no_use_is_not_recalled(peer: bytes, addresses: list[str], met_ms: int) -> None:
    book = new_book()
    assert not book.recall(Remembered(peer, tuple(addresses), True, met_ms), 1)
    assert len(book) == 0


def test_what_is_remembered_is_bounded_and_no_network_can_take_all_of_it() -> None:
    """Given a thousand keys of one /24 and twenty others met before them, then those and whom we trust are in it."""
    honest = [b"h" + bytes([number]) * 31 for number in range(20)]
    friend = b"f" * 32
    book = new_book(trusted=(friend,))
    for number, peer in enumerate(honest):
        reached(book, peer, f"/ip4/{number + 11}.1.1.1/tcp/1")
    reached(book, friend, "/ip4/6.6.6.9/tcp/1")
    for number in range(1_000):
        peer = number.to_bytes(2, "big") + bytes(30)
        reached(book, peer, f"/ip4/6.6.6.{number % 250}/tcp/{1 + number}")
    kept = [each.key for each in book.remembered(10, ())]
    assert len(kept) == module.REMEMBERED_MAX
    assert set(honest) < set(kept) and kept[0] == friend


def test_a_key_and_its_peer_id_are_one() -> None:
    assert key_of(peer_id_bytes(PEER)) == PEER
    assert key_of_text(peer_id_text(PEER)) == PEER
    assert peer_id_text(PEER).startswith("12D3KooW")
    assert key_of(peer_id_bytes(PEER)[:-1]) is None
    assert key_of(b"\x12\x20" + bytes(36)) is None
    assert key_of_text("0OIl") is None
    with pytest.raises(ValueError, match="31"):
        peer_id_bytes(bytes(31))
