"""Who is there, whose clock is off, who sits out."""

import pytest

from consensus.rounds import presence as module
from consensus.rounds.presence import PAUSES_MS, Presence
from protocol.types import Key
from tests.support.swarm import keypair

NOW = 1_000_000
SKEW_MS = 30_000
WITHIN_MS = 90_000


def key(name: str) -> Key:
    return keypair(name).public


def keys(names: str) -> set[Key]:
    return {key(name) for name in names}


def heard(names: str) -> Presence:
    known = Presence(SKEW_MS)
    for name in names:
        known.heard(key(name), NOW)
    return known


def seatable(known: Presence, now_ms: int = NOW) -> str:
    found = known.seatable([key(name) for name in "abcdefg"], now_ms, WITHIN_MS)
    return "".join(name for name in "abcdefg" if key(name) in found)


def test_who_was_heard_lately_may_sit() -> None:
    known = heard("ab")
    assert seatable(known, NOW + WITHIN_MS) == "ab"
    assert seatable(known, NOW + WITHIN_MS + 1) == ""
    known.heard(key("b"), NOW + 1)
    assert seatable(known, NOW + WITHIN_MS + 1) == "b"


def test_who_went_may_not_sit_until_it_is_heard_again() -> None:
    known = heard("ab")
    known.gone(key("a"))
    known.gone(key("g"))
    assert seatable(known) == "b"
    known.heard(key("a"), NOW)
    assert seatable(known) == "ab"


def test_silence_in_a_round_costs_growing_pauses() -> None:
    """Offers do not shorten them: whoever stays silent in rounds may offer as loudly as it likes."""
    known, now_ms = heard("abcd"), NOW
    for doubled in range(3):
        known.round_over(keys("abcd"), keys("d"), now_ms)
        for name in "abcd":
            known.heard(key(name), now_ms)
        pause_ms = PAUSES_MS.first * 2**doubled
        assert seatable(known, now_ms + pause_ms - 1 if pause_ms < WITHIN_MS else now_ms + WITHIN_MS) == "abc"
        now_ms += pause_ms
        for name in "abcd":
            known.heard(key(name), now_ms)
        assert seatable(known, now_ms) == "abcd"
    known.round_over(keys("abcd"), (), now_ms)
    known.round_over(keys("abcd"), keys("d"), now_ms)
    assert seatable(known, now_ms + PAUSES_MS.first) == "abcd", "a contribution makes its pauses short again"


def test_pauses_have_an_end() -> None:
    known = heard("abcd")
    for _ in range(100):
        known.round_over(keys("abcd"), keys("d"), NOW)
    later_ms = NOW + PAUSES_MS.first * 2**7
    known.heard(key("d"), later_ms)
    assert seatable(known, later_ms) == "d"


@pytest.mark.parametrize(("silent", "sit"), [("cd", "ab"), ("bcd", "abcd"), ("abcd", "abcd")])
def test_where_more_than_half_is_silent_nobody_is_to_blame(silent: str, sit: str) -> None:
    known = heard("abcd")
    known.round_over(keys("abcd"), keys(silent), NOW)
    assert seatable(known) == sit


def measure(known: Presence, name: str, offset_ms: int, round_trip_ms: int = 100) -> None:
    known.measured(key(name), NOW, NOW + round_trip_ms, NOW + round_trip_ms // 2 + offset_ms)


@pytest.mark.parametrize(
    ("offset_ms", "sits"), [(0, True), (14_000, True), (15_040, True), (15_100, False), (-300_000, False)]
)
def test_a_clock_that_is_surely_off_by_half_the_skew_costs_the_seat(offset_ms: int, sits: bool) -> None:
    """Surely: even if the reply spent all of the round trip on one way."""
    known = heard("abcd")
    for name in "abc":
        measure(known, name, 0)
    measure(known, "d", offset_ms)
    assert (seatable(known) == "abcd") is sits
    assert known.offset_ms(key("d")) == offset_ms and not known.clock.ours_is_off


def test_where_most_clocks_are_off_it_is_ours() -> None:
    known = heard("abcd")
    for name in "abc":
        measure(known, name, 60_000)
    measure(known, "d", 0)
    assert known.clock.ours_is_off and known.clock.offset_ms == 60_000
    assert seatable(known) == "abcd", "nobody loses a seat for our clock"


def test_liars_with_many_keys_do_not_make_our_clock_wrong_once_enough_are_trusted() -> None:
    known = Presence(SKEW_MS, keys("abc"))
    for name in "abc":
        measure(known, name, 0)
    for name in "defg":
        measure(known, name, 3_600_000)
    assert known.clock == module.ClockView(3, 0, ours_is_off=False)
    assert seatable(known) == "abc"


def test_two_clocks_prove_nothing_about_ours() -> None:
    known = heard("ab")
    measure(known, "a", 60_000)
    measure(known, "b", 60_000)
    assert not known.clock.ours_is_off and seatable(known) == ""


def test_round_trips_are_believed_within_bounds() -> None:
    known = Presence(SKEW_MS)
    assert known.round_trip_ms(key("a")) == 0 and known.offset_ms(key("a")) is None
    measure(known, "a", 0, 300)
    measure(known, "b", 0, 60_000)
    assert (known.round_trip_ms(key("a")), known.round_trip_ms(key("b"))) == (300, module.ROUND_TRIP_MS_MAX)


def test_strangers_do_not_push_out_who_is_trusted_or_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODES_MAX", 4)
    known = Presence(SKEW_MS, keys("a"))
    known.heard(key("a"), NOW)
    measure(known, "b", 0)
    for name in "cdefgcdefg":
        known.heard(key(name), NOW)
    assert seatable(known) == "abfg"


def test_nodes_that_answered_once_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODES_MAX", 4)
    known = Presence(SKEW_MS)
    for name in "abcd":
        measure(known, name, 0)
    measure(known, "e", 0)
    measure(known, "f", 0)
    assert seatable(known) == "cdef"


def test_the_trusted_may_be_more_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODES_MAX", 2)
    known = Presence(SKEW_MS, keys("abc"))
    for name in "abc":
        known.heard(key(name), NOW)
    assert seatable(known) == "bc"
