"""Offers in force, and who gets a seat."""

from dataclasses import replace

import pytest

from consensus.learning.roster import Draw, SeatWeights, Trust, choose_roster, named_offers
from consensus.ranking.judges import FRESH
from consensus.rounds import offers
from consensus.rounds.offers import OfferBook
from protocol.messages import Offer
from protocol.types import ONE, Key, Role
from tests.support.swarm import keypair, params

PARAMS = params()
NOW = 1_000_000


def offer(name: str, **changes: object) -> Offer:
    base = Offer(
        author=keypair(name).public,
        sequence=1,
        sent_at_ms=NOW,
        roles=Role.ANSWER | Role.JUDGE,
        specialties=("rust",),
        model="m",
        context_tokens=1,
        milli_tokens_per_second=1,
        queue=0,
        tool_versions="",
        addresses=(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def key(name: str) -> Key:
    return keypair(name).public


NAMES = {keypair(name).public: name for name in "abcdefghijklmnopqrstuvwxyz"}


def draw(**changes: object) -> Draw:
    """Everybody was heard, all of one address group; `z` asks."""
    return replace(Draw(key("z"), b"lot".ljust(32), frozenset(NAMES)), **changes)  # type: ignore[arg-type]


def seated(offers: list[Offer], trust: Trust, members_max: int = 8, **changes: object) -> str:
    names = NAMES
    seats = choose_roster(offers, "rust", trust, members_max, draw(**changes))
    assert [seat.member for seat in seats] == sorted({seat.member for seat in seats}), "ascending, each once"
    return "".join(sorted(names[seat.member] for seat in seats))


EVERYONE = Trust(ONE, {}, friends=True)
NOBODY = Trust(0, {})


def test_the_newest_offer_counts() -> None:
    book = OfferBook(PARAMS)
    book.add(offer("a", sequence=2, queue=2), NOW)
    assert [each.queue for each in book.valid(NOW)] == [2]
    book.add(offer("a", sequence=3, queue=3), NOW)
    assert [each.queue for each in book.valid(NOW)] == [3]


def test_stale() -> None:
    book = OfferBook(PARAMS)
    assert not book.is_stale(offer("a"))
    book.add(offer("a", sequence=2), NOW)
    assert [book.is_stale(offer("a", sequence=number)) for number in (1, 2, 3)] == [True, True, False]
    assert not book.is_stale(offer("b"))


def test_offers_expire() -> None:
    book = OfferBook(PARAMS)
    book.add(offer("a"), NOW)
    assert book.valid(NOW + PARAMS.offer_valid_ms) == [offer("a")]
    assert book.valid(NOW + PARAMS.offer_valid_ms + 1) == []
    assert not book.is_stale(offer("a")), "who is forgotten is new again"


def test_offers_come_by_author() -> None:
    book = OfferBook(PARAMS)
    for name in "cab":
        book.add(offer(name), NOW)
    assert [each.author for each in book.valid(NOW)] == sorted(key(name) for name in "abc")


def test_the_book_is_bounded_and_drops_who_was_silent_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "OFFERS_MAX", 3)
    book = OfferBook(PARAMS)
    for name in "abc":
        book.add(offer(name), NOW)
    book.add(offer("a", sequence=2), NOW)
    book.add(offer("d"), NOW)
    assert {each.author for each in book.valid(NOW)} == {key(name) for name in "acd"}


def test_strangers_do_not_push_out_who_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "OFFERS_MAX", 2)
    book = OfferBook(PARAMS, [key("a")])
    for name in "abcde":
        book.add(offer(name), NOW)
    assert {each.author for each in book.valid(NOW)} == {key("a"), key("e")}


@pytest.mark.parametrize("count", [500, 2_000])
@pytest.mark.parametrize("spread_ms", [0, 60_000])
def test_a_flood_of_fresh_keys_costs_no_node_that_is_trusted_connected_or_here_for_long(
    count: int, spread_ms: int
) -> None:
    """At 044b2f0 a flood of 2,000 leaves nobody but the trusted."""
    book = OfferBook(PARAMS, [key("a")])
    book.note_peer(key("b"), True)
    for name in "abc":
        book.add(offer(name), NOW)
    began_ms = NOW + PARAMS.offer_interval_ms
    renewed_ms = NOW
    for number in range(count):
        at_ms = began_ms + spread_ms * number // count
        if at_ms - renewed_ms > PARAMS.offer_interval_ms:
            renewed_ms = at_ms
            for name in "abc":
                book.add(offer(name, sequence=number + 2, sent_at_ms=at_ms), at_ms)
        book.add(offer("a", author=Key(number.to_bytes(32, "big")), sent_at_ms=at_ms), at_ms)
    held = {each.author for each in book.valid(began_ms + spread_ms)}
    assert {key(name) for name in "abc"} <= held
    assert len(held) <= offers.OFFERS_MAX


def test_a_connected_node_finds_room_where_strangers_have_filled_the_book() -> None:
    book = OfferBook(PARAMS)
    for number in range(offers.OFFERS_MAX):
        book.add(offer("a", author=Key(number.to_bytes(32, "big"))), NOW)
    later_ms = NOW + PARAMS.offer_interval_ms
    book.add(offer("c", sent_at_ms=later_ms), later_ms)
    assert not book.is_stale(offer("c")), "a stranger finds none"
    book.note_peer(key("b"), True)
    book.add(offer("b", sent_at_ms=later_ms), later_ms)
    assert book.is_stale(offer("b"))


def test_offers_are_renewed_at_a_bounded_rate() -> None:
    book = OfferBook(PARAMS)
    assert book.may_renew(key("a"), NOW)
    book.add(offer("a"), NOW)
    assert not book.may_renew(key("a"), NOW + offers.RENEWAL_MS - 1)
    assert book.may_renew(key("a"), NOW + offers.RENEWAL_MS)
    assert book.may_renew(key("b"), NOW)


def test_only_who_is_willing() -> None:
    offers = [offer("a"), offer("b", specialties=("go",)), offer("c", roles=Role(0)), offer("d", specialties=())]
    assert seated(offers, EVERYONE) == "a"
    assert seated([], EVERYONE) == ""


def test_the_heaviest_then_the_shortest_queue_then_the_key() -> None:
    offers = [offer("a", queue=9), offer("b", queue=5), offer("c"), offer("d", queue=5)]
    trust = Trust(ONE, {key("a"): 2 * ONE}, friends=True)
    assert seated(offers, trust, 1) == "a"
    assert seated(offers, trust, 2) == "ac"
    assert set(seated(offers, trust, 3)) == {"a", "c", min("bd", key=key)}
    assert seated(offers[::-1], trust, 3) == seated(offers, trust, 3), "not the order in which they were heard"


@pytest.mark.parametrize(("heavy", "light"), [(1, 0), (2, 1), (3, 1), (4, 2), (6, 2), (8, 0)])
def test_members_without_weight_take_at_most_a_third(heavy: int, light: int) -> None:
    offers = [offer(name) for name in "abcdefghij"] + [offer("k"), offer("l")]
    trust = Trust(0, {key(name): ONE for name in "abcdefgh"[:heavy]})
    seats = choose_roster(offers, "rust", trust, 8, draw())
    weights = [bool(seat.vote_weight) for seat in seats]
    assert (weights.count(True), weights.count(False)) == (heavy, light)
    assert 3 * weights.count(False) <= len(seats)


def test_where_nobody_has_weight_all_may_sit() -> None:
    """A first round in an open network is still possible; its outcome says that it is without weight (R9)."""
    assert len(seated([offer(name) for name in "abcde"], NOBODY, 4)) == 4


def test_a_seat_says_all_that_the_fit_reads() -> None:
    trust = Trust(7, {key("a"): 5})
    (a,) = choose_roster([offer("a", roles=Role.JUDGE)], "rust", trust, 8, draw())
    assert (a.member, a.roles, a.vote_weight, a.judge_weight, a.author_weight) == (key("a"), Role.JUDGE, 5, 5, 0)
    assert (a.honest, a.inverse, a.coin) == (4 * ONE, 3 * ONE // 10, ONE)
    (b,) = choose_roster([offer("b")], "rust", trust, 8, draw())
    assert b.vote_weight == b.judge_weight == 7


def test_what_was_earned_is_seated_and_what_is_named_goes_before_it() -> None:
    earned = {key("a"): SeatWeights(vote=3 * ONE, judge=2 * ONE, author=-ONE, counts=(9, 8, 7, 6))}
    (seat,) = choose_roster([offer("a")], "rust", Trust(ONE, {}, earned), 8, draw())
    assert (seat.vote_weight, seat.judge_weight, seat.author_weight) == (3 * ONE, 2 * ONE, -ONE)
    assert (seat.honest, seat.inverse, seat.coin, seat.partisan) == (9, 8, 7, 6)
    (seat,) = choose_roster([offer("a")], "rust", Trust(ONE, {key("a"): 5}, earned), 8, draw())
    assert (seat.vote_weight, seat.judge_weight, seat.author_weight, seat.honest) == (5, 5, -ONE, 9)
    (stranger,) = choose_roster([offer("b")], "rust", Trust(ONE, {}, earned), 8, draw())
    assert (stranger.vote_weight, stranger.judge_weight, stranger.honest) == (ONE, ONE, FRESH[0]), (
        "nobody else is known"
    )


def test_a_judge_of_negative_weight_is_turned_round_and_its_character_with_it() -> None:
    """But not where the configuration gives it a weight of its own, for then nobody turns its preferences."""
    earned = {key("a"): SeatWeights(vote=0, judge=-ONE, counts=(1, 9, 2, 3))}
    (seat,) = choose_roster([offer("a")], "rust", Trust(ONE, {}, earned), 8, draw())
    assert (seat.judge_weight, seat.honest, seat.inverse, seat.coin, seat.partisan) == (-ONE, 9, 1, 2, 3)
    (seat,) = choose_roster([offer("a")], "rust", Trust(ONE, {key("a"): ONE}, earned), 8, draw())
    assert (seat.judge_weight, seat.honest, seat.inverse) == (ONE, 1, 9)


def test_the_earned_vote_decides_who_is_seated() -> None:
    earned = {key("a"): SeatWeights(0, ONE), key("b"): SeatWeights(ONE // 2, 0), key("c"): SeatWeights(ONE, 0)}
    assert seated([offer(name) for name in "abc"], Trust(ONE // 4, {}, earned), 1) == "c"
    assert seated([offer(name) for name in "abcd"], Trust(ONE // 4, {}, earned), 3) in ("abc", "bcd"), "one is drawn"


# -- strangers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default", [0, ONE, 16 * ONE])
@pytest.mark.parametrize("strangers", [1, 2, 20])
def test_strangers_have_a_third_of_the_seats_and_a_tenth_of_the_votes_at_most(default: int, strangers: int) -> None:
    known = "abcdef"
    trust = Trust(default, {key(name): ONE for name in known})
    offers = [offer(name) for name in [*known, *"ghijklmnopqrstuvwxy"[:strangers]]]
    seats = choose_roster(offers, "rust", trust, 64, draw())
    fresh = [seat for seat in seats if NAMES[seat.member] not in known]
    assert len(fresh) == min(strangers, 3) and 3 * len(fresh) <= len(seats)
    assert 10 * sum(seat.vote_weight for seat in fresh) <= sum(seat.vote_weight for seat in seats)
    assert 10 * sum(seat.judge_weight for seat in fresh) <= sum(seat.judge_weight for seat in seats)


def test_friends_are_no_strangers() -> None:
    trust = Trust(ONE, {key("a"): ONE}, friends=True)
    seats = choose_roster([offer(name) for name in "abcdefgh"], "rust", trust, 8, draw())
    assert len(seats) == 8 and {seat.vote_weight for seat in seats} == {ONE}


def test_as_long_as_only_we_are_known_strangers_are_all_there_is() -> None:
    trust = Trust(ONE, {key("z"): ONE})
    seats = choose_roster([offer(name) for name in "abcz"], "rust", trust, 8, draw())
    assert len(seats) == 4 and {seat.vote_weight for seat in seats} == {ONE}


def test_we_are_always_seated_if_we_offer() -> None:
    """Though we never hear ourselves, weigh nothing, and the table is full."""
    trust = Trust(0, {key(name): ONE for name in "abcd"})
    offers = [offer(name) for name in "abcdz"]
    assert seated(offers, trust, 4, seatable=frozenset(map(key, "abcd"))) == _first(3) + "z"
    assert "z" not in seated(offers[:4], trust, 4)


def _first(count: int) -> str:
    return "".join(sorted(sorted("abcd", key=key)[:count]))


def test_who_is_not_there_has_no_seat() -> None:
    trust = Trust(0, {key("a"): ONE, key("b"): ONE})
    assert seated([offer(name) for name in "abc"], trust, seatable={key("b"), key("c")}) == "b"


def test_free_seats_go_by_lot_over_address_groups_not_by_claimed_queue() -> None:
    """Twenty keys on one host, with empty queues, beside two hosts of one key each: each host has a seat."""
    crowd = "cdefghijklmnopqrstuv"
    groups = {key("a"): "198.51.100.0/24", key("b"): "203.0.113.0/24"}
    groups |= {key(name): "192.0.2.0/24" for name in crowd}
    offers = [offer("a", queue=9), offer("b", queue=9), *(offer(name) for name in crowd)]
    drawn = [seated(offers, NOBODY, 3, groups=groups, lot=bytes([lot]) * 32) for lot in range(20)]
    assert all({"a", "b"} < set(each) for each in drawn)
    assert len(set(drawn)) > 5, "within a group the lot decides, too"


def test_a_lot_is_the_same_for_everybody_that_holds_it() -> None:
    offers = [offer(name) for name in "abcdefghij"]
    assert seated(offers, NOBODY, 4) == seated(offers[::-1], NOBODY, 4)
    assert len({seated(offers, NOBODY, 4, lot=bytes([lot]) * 32) for lot in range(10)}) > 1


def test_who_was_refuted_too_often_is_seated_and_tests_nothing() -> None:
    offers = [offer(name, tool_versions="g1") for name in "abz"]
    for trust in (EVERYONE, Trust(0, {key("a"): ONE})):
        seats = choose_roster(offers, "rust", replace(trust, refuted={key("b")}), 8, draw())
        versions = {NAMES[seat.member]: seat.tool_versions for seat in seats}
        assert versions == {"a": "g1", "b": "", "z": "g1"}
        plain = choose_roster(offers, "rust", trust, 8, draw())
        assert [replace(seat, tool_versions="g1") for seat in seats] == list(plain), "nothing else changes"


def test_a_trusted_text_is_for_nodes_that_the_owner_names_and_for_ourselves() -> None:
    """Earned weight, friends' default weight and a named weight of 0 are no leave to read."""
    trust = Trust(ONE, {key("a"): ONE, key("b"): 0}, {key("c"): SeatWeights(ONE, ONE)}, friends=True)
    offers = [offer(name) for name in "abcdz"]
    named = named_offers(offers, trust, key("z"))
    assert "".join(NAMES[each.author] for each in named) == "az"
    assert seated(named, trust) == "az"
