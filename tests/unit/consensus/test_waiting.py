"""R11: whom a requester waits for, and how long."""

from dataclasses import replace

import pytest

from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from consensus.rounds.admission import Refusal
from consensus.rounds.events import Alive, Replied, Tick
from consensus.rounds.waiting import PROBE_MS, QUERIES_MAX, SILENT_LONG_MS, SILENT_MS, SILENT_ROUND_TRIPS
from protocol.messages import Seat
from protocol.params import NetworkParams
from protocol.types import ONE, Kind
from tests.support.hand import Hand
from tests.support.machines import NOW, AtRequester, of_kind
from tests.support.swarm import keypair, params

PATIENT = replace(params(), phase_ms_max=60_000)
"""A network whose phases may last longer than anybody may be silent."""

MINUTES = {"answer_ms": 60_000, "open_ms": 60_000, "judge_ms": 60_000, "cosign_ms": 60_000}
LONG = {"answer_ms": 10_000, "open_ms": 10_000, "judge_ms": 10_000, "cosign_ms": 10_000}


def weighing(
    names: str,
    votes: dict[str, int],
    judges: dict[str, int] | None = None,
    network: NetworkParams | None = None,
    **changes: object,
) -> Hand:
    """A round whose seats have these weights, in units of ONE; nothing said is nothing."""
    judges = votes if judges is None else judges
    base = Hand(names).record.query.roster
    by_key = {keypair(name).public: name for name in names}

    def seat(each: Seat) -> Seat:
        name = by_key[each.member]
        return replace(each, vote_weight=votes.get(name, 0) * ONE, judge_weight=judges.get(name, 0) * ONE)

    return Hand(names, network, roster=tuple(seat(each) for each in base), **{**LONG, **changes})


def silent(at: AtRequester) -> str:
    return "".join(sorted(name for name in at.hand.names if at.hand.key(name) in at.state.waiting.silent))


def probed(at: AtRequester, effects: object) -> str:
    """Who is asked for a sign of life: in capitals if by the query, else by a ping."""
    by_key = {at.hand.key(name): name for name in at.hand.names}
    found = of_kind(effects, fx.Probe)  # type: ignore[arg-type]
    return "".join(sorted(by_key[p.member].upper() if p.message is not None else by_key[p.member] for p in found))


# -- signs of life ---------------------------------------------------------------------------------------------------


def test_who_gives_no_sign_is_asked_three_times_and_then_awaited_no_longer() -> None:
    at = AtRequester(Hand("abcdef", **LONG))
    at.receive(*(at.hand.commit(name) for name in "abc"))
    assert at.state.wake_at_ms == NOW + PROBE_MS
    assert probed(at, at.step(Tick(), NOW + PROBE_MS)) == "DEF"
    assert probed(at, at.step(Tick(), NOW + 2 * PROBE_MS)) == "def", "the query's date is out of the window of 2 s"
    effects = at.step(Tick(), NOW + SILENT_MS)
    assert silent(at) == "def" and not probed(at, effects)
    assert at.published(effects) == [Kind.CLOSE_COMMITS], "all who are awaited are in"


def test_while_too_few_are_in_for_an_outcome_silence_takes_longer() -> None:
    """Seen under loss, and on a machine with more nodes than it can serve: nobody is heard for six seconds."""
    at = AtRequester(Hand("abcdef", PATIENT, **MINUTES))
    at.receive(at.hand.commit("a"), at.hand.commit("b"))
    effects = at.step(Tick(), NOW + SILENT_MS)
    assert silent(at) == "" and probed(at, effects) == "cdef", "they are asked on"
    at.receive(at.hand.commit("c"), now_ms=NOW + 7_000)
    assert at.published(at.step(Tick(), at.state.wake_at_ms)) == [Kind.CLOSE_COMMITS]
    assert at.state.waiting.began_ms <= NOW + 8_000, "three are in, and the others are silent by now"
    at = AtRequester(Hand("abcdef", PATIENT, **MINUTES))
    at.receive(at.hand.commit("a"), at.hand.commit("b"))
    assert at.published(at.step(Tick(), NOW + SILENT_LONG_MS)) == [Kind.CLOSE_COMMITS], "but not for ever"


def test_round_trips_lengthen_silence() -> None:
    at = AtRequester(Hand("abcdef", PATIENT, **MINUTES), slack_ms=500)
    at.receive(*(at.hand.commit(name) for name in "abc"))
    at.step(Tick(), NOW + SILENT_MS)
    assert silent(at) == ""
    at.step(Tick(), NOW + SILENT_MS + 500 * SILENT_ROUND_TRIPS)
    assert silent(at) == "def"


def test_a_sign_of_life_of_any_kind_is_one() -> None:
    at = AtRequester(Hand("abcd", **LONG))
    at.receive(at.hand.commit("a"), at.hand.commit("b"))
    at.step(Tick(), NOW + PROBE_MS)
    at.step(Alive(at.hand.key("c")), NOW + 3_000)
    at.step(Replied(at.hand.key("d"), None), NOW + 3_000)
    assert not at.published(at.step(Tick(), NOW + SILENT_MS)) and silent(at) == ""
    assert probed(at, at.step(Tick(), NOW + SILENT_MS + PROBE_MS)) == "cd"


def test_the_query_is_repeated_as_long_as_it_may_be_admitted() -> None:
    hand = Hand("ab", **LONG)
    at = AtRequester(hand)
    at.receive(at.hand.commit("a"))
    repeated = of_kind(at.step(Tick(), NOW + PROBE_MS), fx.Probe)
    assert [probe.message for probe in repeated] == [hand.query], "the same envelope: the same id"
    assert hand.params.clock_skew_ms == PROBE_MS
    (ping,) = of_kind(at.step(Tick(), NOW + 2 * PROBE_MS), fx.Probe)
    assert ping.message is None


def test_the_query_is_repeated_three_times_at_most() -> None:
    at = AtRequester(Hand("ab", **LONG, sent_at_ms=NOW + 60_000))
    at.receive(at.hand.commit("a"))
    sent = []
    for beat in range(1, QUERIES_MAX + 2):
        at.step(Alive(at.hand.key("b")), NOW + PROBE_MS * beat - PROBE_MS)
        sent += of_kind(at.step(Tick(), NOW + PROBE_MS * beat), fx.Probe)
    assert [probe.message is not None for probe in sent] == [True] * QUERIES_MAX + [False]


def test_who_has_the_query_is_only_pinged() -> None:
    at = AtRequester(Hand("abc", **LONG, sent_at_ms=NOW + 60_000))
    at.receive(at.hand.commit("a"))
    at.step(Replied(at.hand.key("b"), None), NOW)
    assert probed(at, at.step(Tick(), NOW + PROBE_MS)) == "Cb"


def test_the_silent_count_until_the_closing_and_are_awaited_again_when_they_are_heard() -> None:
    at = AtRequester(Hand("abcdefg", **LONG))
    at.receive(*(at.hand.commit(name) for name in "abc"))
    for name in "efg":
        at.step(Alive(at.hand.key(name)), NOW + 5_000)
    at.step(Tick(), NOW + SILENT_MS)
    assert silent(at) == "d"
    at.receive(at.hand.commit("d"), now_ms=NOW + SILENT_MS)
    assert silent(at) == "" and at.hand.key("d") in at.state.received


def test_who_gave_its_part_long_ago_is_not_silent_when_the_next_phase_begins() -> None:
    """It was not asked for anything meanwhile: its silence counts from the beginning of the phase."""
    at, late_ms = AtRequester(Hand("abcd", **LONG)), NOW + 9_000
    at.receive(at.hand.commit("a"), at.hand.commit("b"))
    at.receive(at.hand.commit("c"), at.hand.commit("d"), now_ms=late_ms)
    assert at.state.record.phase.value == "opening"
    assert not at.published(at.step(Tick(), late_ms)) and silent(at) == ""


def test_we_are_never_silent_to_ourselves() -> None:
    at = AtRequester(Hand("abcd", PATIENT, **MINUTES))
    effects = at.step(Tick(), NOW + SILENT_LONG_MS)
    assert silent(at) == "bcd" and not at.published(effects) and not probed(at, effects)
    assert at.state.wake_at_ms == NOW + 60_000, "our own engine has its budget"


def test_a_phase_in_which_nobody_is_awaited_is_over_at_once() -> None:
    at = AtRequester(Hand("abc", **LONG))
    at.receive(at.hand.commit("b"), at.hand.commit("c"))
    at.step(Replied(at.hand.key("b"), Refusal.BUSY), NOW)
    at.step(Replied(at.hand.key("c"), Refusal.BUSY), NOW)
    assert at.published(at.step(Tick(), at.state.closes_at_ms)) == [Kind.CLOSE_COMMITS]
    closed_ms = at.state.waiting.began_ms
    assert at.state.wake_at_ms <= closed_ms
    assert at.published(at.step(Tick(), closed_ms)) == [Kind.CLOSE_TALLY], "nobody opens: failed, without a wait"


# -- refusals --------------------------------------------------------------------------------------------------------


def test_who_refuses_is_not_awaited() -> None:
    at = AtRequester(Hand("abcd", **LONG))
    at.receive(at.hand.commit("a"), at.hand.commit("b"), at.hand.commit("c"))
    effects = at.step(Replied(at.hand.key("d"), Refusal.BUSY), NOW + 100)
    assert at.published(effects) == [Kind.CLOSE_COMMITS]
    (progress, *_) = of_kind(effects, fx.Progress)
    assert progress.refused == {at.hand.key("d"): Refusal.BUSY}


def test_nobody_refuses_for_others() -> None:
    at = AtRequester(Hand("abcd", **LONG))
    assert not at.step(Replied(keypair("z").public, Refusal.BUSY), NOW)
    assert not at.state.waiting.refused


# -- weight ----------------------------------------------------------------------------------------------------------


def test_nobody_waits_beyond_patience_for_the_weightless() -> None:
    at = AtRequester(weighing("abcdef", dict.fromkeys("abc", 1)))
    at.receive(*(at.hand.commit(name) for name in "ab"))
    assert at.state.patience_ends_ms is not None, "half of the weight is in, so that there is an end"
    at.receive(at.hand.commit("c"), now_ms=NOW + 100)
    assert at.state.patience_ends_ms == NOW + 400, "all of weight are in; patience"
    at = AtRequester(weighing("abcdef", dict.fromkeys("abc", 1)))
    at.receive(at.hand.commit("a"))
    at.receive(*(at.hand.commit(name) for name in "bc"), now_ms=NOW + 5_000)
    assert at.state.closes_at_ms == NOW + 5_300


def test_one_heavy_seat_of_seven_does_not_decide_alone_when_a_phase_ends() -> None:
    weights = {"a": 16, **dict.fromkeys("bcdefg", 1)}
    at = AtRequester(weighing("abcdefg", weights, network=PATIENT, **MINUTES))
    at.receive(at.hand.commit("a"))
    assert at.state.closes_at_ms == NOW + SILENT_LONG_MS + 300, "more than half of the weight, but one head of three"
    at = AtRequester(weighing("abcdefg", weights, network=PATIENT, **MINUTES))
    at.receive(at.hand.commit("a"), now_ms=NOW + 12_000)
    assert at.state.closes_at_ms == NOW + 24_300, "as long again, and patience"
    at.receive(at.hand.commit("b"), at.hand.commit("c"), now_ms=NOW + 12_100)
    assert at.state.closes_at_ms == NOW + 12_400


def test_openings_that_are_too_few_for_an_outcome_wait_for_a_lost_packet() -> None:
    """Seen under loss: three of five commit, two openings are in within a moment, and the third comes 3 s later."""
    at = AtRequester(Hand("abcde", PATIENT, **MINUTES))
    at.receive(*(at.hand.commit(name) for name in "abc"))
    at.step(Tick(), at.state.closes_at_ms)
    began_ms = at.state.waiting.began_ms
    assert at.state.record.phase is Phase.OPENING
    at.receive(at.hand.answer("a"), at.hand.answer("b"), now_ms=began_ms + 10)
    assert at.state.closes_at_ms == began_ms + SILENT_LONG_MS + 300
    at.receive(at.hand.answer("c"), now_ms=began_ms + 3_000)
    assert at.state.record.phase is Phase.JUDGING, "all are in"


def test_cosignatures_that_are_too_few_are_not_waited_for_so_long() -> None:
    """The outcome stands by then."""
    at = AtRequester(Hand("abcd", **LONG))
    at.receive(*(at.hand.commit(name) for name in "abcd"))
    at.receive(*(at.hand.answer(name) for name in "abcd"))
    at.receive(*(at.hand.ballot(name) for name in "abcd"))
    assert at.state.record.phase is Phase.COSIGNING
    at.receive(*(at.hand.cosign(name) for name in "abc"), now_ms=NOW + 10)
    assert at.state.closes_at_ms <= NOW + 320


def test_where_nobody_has_weight_everyone_counts_as_one() -> None:
    at = AtRequester(weighing("abcdefg", {}))
    at.receive(*(at.hand.commit(name) for name in "abcd"), now_ms=NOW + 1_000)
    assert at.state.closes_at_ms == NOW + 2_300, "more than half"
    at.receive(at.hand.commit("e"), now_ms=NOW + 1_100)
    assert at.state.closes_at_ms == NOW + 1_400, "more than two thirds"


def test_where_fewer_have_weight_than_an_outcome_needs_everyone_counts_as_one() -> None:
    """Closing as soon as the one of weight is in would cost every such round its answers."""
    at = AtRequester(weighing("abcdefg", {"a": 1}))
    at.receive(at.hand.commit("a"))
    assert at.state.patience_ends_ms is None


def test_judges_weigh_by_their_weight_whatever_its_sign() -> None:
    at = AtRequester(weighing("abcd", dict.fromkeys("abcd", 1), {"a": 2, "b": -2, "c": 0, "d": 0}))
    at.receive(*(at.hand.commit(name) for name in "abcd"))
    at.receive(*(at.hand.answer(name) for name in "abcd"))
    at.receive(at.hand.ballot("c"), at.hand.ballot("d"), now_ms=NOW + 1_000)
    assert at.state.patience_ends_ms is None, "the weightless are no quorum"
    at.receive(at.hand.ballot("a"), at.hand.ballot("b"), now_ms=NOW + 1_000)
    assert at.state.record.phase.value == "cosigning", "all are in"


@pytest.mark.parametrize(("slack_ms", "ends_ms"), [(0, 300), (400, 700), (60_000, 1_000)])
def test_round_trips_lengthen_patience_within_the_networks_bound(slack_ms: int, ends_ms: int) -> None:
    at = AtRequester(Hand("abcd", **LONG), slack_ms=slack_ms)
    at.receive(*(at.hand.commit(name) for name in "abc"))
    assert at.state.patience_ends_ms == NOW + ends_ms


def test_who_acknowledges_and_never_contributes_costs_as_long_again_as_the_others_took() -> None:
    """Two of six, with as much weight as everybody: exactly a third, so that the other four are no quorum."""
    at = AtRequester(Hand("abcdef", **LONG))
    at.receive(*(at.hand.commit(name) for name in "abcd"), now_ms=NOW + 2_000)
    for name in "ef":
        at.step(Replied(at.hand.key(name), None), NOW + 2_100)
    assert at.state.closes_at_ms == NOW + 4_300
