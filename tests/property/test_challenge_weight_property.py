"""Weights from challenges: capped, fading, rising with what is passed; no gain by more keys."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consensus.learning.challenge_weight import CAP, HALF_LIFE_ROUNDS, LEVEL, ChallengeRecord, challenge_weights
from consensus.learning.roster import STRANGERS_PARTS, Draw, SeatWeights, Trust, choose_roster
from protocol.messages import Seat
from protocol.types import ONE
from tests.support.newcomers import offer
from tests.support.updates import key

counts = st.integers(0, 40)
standings = st.builds(
    ChallengeRecord,
    answers_passed=counts,
    answers_failed=counts,
    judgements_right=counts,
    judgements_wrong=counts,
    void=counts,
    closed_ms=st.just(1),
    earned_at=st.integers(0, 1_000),
)
rounds = st.integers(0, 3_000)
NOTHING = SeatWeights(0, 0)


def weights(record: ChallengeRecord, at: int) -> SeatWeights:
    return challenge_weights(record, at) or NOTHING


@given(standings, rounds)
def test_the_cap_holds_and_lies_below_an_average_record_on_gold(record: ChallengeRecord, at: int) -> None:
    given = weights(record, at)
    assert 0 <= given.vote < CAP < ONE and 0 <= given.judge < CAP
    assert given.vote % LEVEL == given.judge % LEVEL == 0 and given.author == 0


@given(standings, rounds, rounds)
def test_it_only_fades(record: ChallengeRecord, one: int, other: int) -> None:
    sooner, later = weights(record, min(one, other)), weights(record, max(one, other))
    assert later.vote <= sooner.vote and later.judge <= sooner.judge


@given(standings)
def test_it_is_over_after_three_half_lives(record: ChallengeRecord) -> None:
    assert record.earned_at is not None
    assert challenge_weights(record, record.earned_at + 3 * HALF_LIFE_ROUNDS) is None


@given(standings, rounds)
def test_passing_never_costs_and_failing_never_pays(record: ChallengeRecord, at: int) -> None:
    now = weights(record, at)
    assert weights(replace(record, answers_passed=record.answers_passed + 1), at).vote >= now.vote
    assert weights(replace(record, answers_failed=record.answers_failed + 1), at).vote <= now.vote
    assert weights(replace(record, judgements_right=record.judgements_right + 1), at).judge >= now.judge
    assert weights(replace(record, judgements_wrong=record.judgements_wrong + 1), at).judge <= now.judge


@given(standings, rounds)
def test_who_has_not_passed_has_nothing(record: ChallengeRecord, at: int) -> None:
    assert challenge_weights(replace(record, earned_at=None), at) is None


OWN, KNOWN = key("own"), key("known")


def roster(trust: Trust, keys: int, members_max: int = 24) -> tuple[Seat, ...]:
    """The roster of an asker that knows one other node, among so many newcomers that passed."""
    newcomers = [key(f"new {number}") for number in range(keys)]
    offers = [offer(author) for author in (OWN, KNOWN, *newcomers)]
    draw = Draw(OWN, b"lot", frozenset((KNOWN, *newcomers)))
    return choose_roster(offers, "rust", trust, members_max, draw)


@given(st.integers(0, 40), st.integers(1, 16 * ONE), st.sampled_from(range(LEVEL, CAP, LEVEL)))
def test_more_keys_that_pass_have_no_more_weight_together(keys: int, known: int, passed: int) -> None:
    """One engine passes for all of them: they stay strangers, with a third of the seats and a tenth of the votes."""
    challenged = {key(f"new {number}"): SeatWeights(passed, passed) for number in range(keys)}
    seats = roster(Trust(0, {OWN: ONE, KNOWN: known}, challenged=challenged), keys)
    strangers = [seat for seat in seats if seat.member not in (OWN, KNOWN)]
    votes = sum(seat.vote_weight for seat in seats)
    assert STRANGERS_PARTS * sum(seat.vote_weight for seat in strangers) <= votes - sum(
        seat.vote_weight for seat in strangers
    )
    assert 3 * len(strangers) <= len(seats)


@given(st.integers(1, 8))
def test_who_passed_is_drawn_before_other_strangers(passed: int) -> None:
    names = [key(f"new {number}") for number in range(0, 2 * passed, 2)]
    trust = Trust(0, {OWN: ONE, KNOWN: ONE}, challenged={name: SeatWeights(LEVEL, LEVEL) for name in names})
    (drawn,) = (seat for seat in roster(trust, 16) if seat.member not in (OWN, KNOWN))
    assert drawn.member in names and drawn.vote_weight > 0


def test_weights_of_the_configuration_go_before() -> None:
    node = key("new 0")
    passed = {node: SeatWeights(LEVEL, 2 * LEVEL)}
    assert Trust(0, {node: 7}, challenged=passed).seat_weights(node) == SeatWeights(7, 7)
    assert Trust(0, {}, {node: SeatWeights(1, 2)}, challenged=passed).seat_weights(node) == SeatWeights(1, 2)
    assert Trust(2 * LEVEL, {}, challenged=passed).seat_weights(node) == SeatWeights(2 * LEVEL, 2 * LEVEL)
