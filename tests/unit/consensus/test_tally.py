"""R8, R9: outcomes, reasons to stop, and tallies that do not follow from what they name."""

from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.record import Phase, RoundRecord
from consensus.certificates.tally import Ranking, check_tally, rank
from protocol.errors import Fault, FaultReason
from protocol.messages import Query
from protocol.types import ABSTAIN, ONE, Digest, Outcome, OutcomeReason, Role, StopReason, TaskType
from tests.support.hand import Hand
from tests.support.swarm import Swarm


def weighted(names: str, weights: dict[str, tuple[int, int]], **changes: Any) -> Hand:
    """A round in which some seats have another (vote, judge) weight."""
    keys = {Hand(names).key(name): weight for name, weight in weights.items()}
    query = Swarm(names).query(**changes)
    seats = tuple(
        replace(seat, vote_weight=keys[seat.member][0], judge_weight=keys[seat.member][1])
        if seat.member in keys
        else seat
        for seat in query.roster
    )
    return Hand(names, roster=seats, **changes)


def judged(hand: Hand, judges: str, preference: int = ONE // 2) -> Ranking:
    """Close the tally over these judges' ballots; the ranking that everyone finds."""
    hand.to_judging()
    closing = hand.close_tally([hand.ballot(name, preference) for name in judges])
    record = hand.extend(closing)
    assert isinstance(record, RoundRecord) and record.phase is Phase.COSIGNING, record
    return rank(record)


def outcome(ranking: Ranking) -> tuple[Outcome, OutcomeReason, StopReason]:
    return ranking.outcome, ranking.reason, ranking.stop


def test_decided() -> None:
    ranking = judged(Hand(), "abcd")
    assert outcome(ranking) == (Outcome.DECIDED, OutcomeReason.NONE, StopReason.SPENT)
    assert len(ranking.ranked) == 4 and ranking.winner == ranking.ranked[0].answer
    assert sum(each.p_best for each in ranking.ranked) == pytest.approx(ONE, abs=4)


def test_no_weight() -> None:
    hand = weighted("abcd", dict.fromkeys("abcd", (0, 0)))
    assert outcome(judged(hand, "abcd"))[:2] == (Outcome.DEGRADED, OutcomeReason.NO_WEIGHT)


def test_no_weight_goes_before_too_few_answers() -> None:
    """One reason is named, the graver one first."""
    hand = weighted("ab", dict.fromkeys("ab", (0, 0)))
    hand.to_judging()
    assert rank(hand.record).reason is OutcomeReason.NO_WEIGHT


@pytest.mark.parametrize(("names", "reason"), [("ab", OutcomeReason.TOO_FEW_ANSWERS), ("abc", OutcomeReason.NONE)])
def test_too_few_answers(names: str, reason: OutcomeReason) -> None:
    hand = Hand("abcd").to_judging(names)
    tally = hand.close_tally([hand.ballot(name) for name in "abcd" if hand.key(name) in hand.record.assignment])
    record = hand.extend(tally)
    assert isinstance(record, RoundRecord) and rank(record).reason is reason


def test_too_few_judges_have_weight() -> None:
    """Ballots without weight are counted in the certificate, but they decide nothing."""
    hand = weighted("abcd", dict.fromkeys("bcd", (ONE, 0)))
    assert outcome(judged(hand, "abcd"))[:2] == (Outcome.DEGRADED, OutcomeReason.TOO_FEW_JUDGES)


def test_there_is_no_certainty_without_judges_enough() -> None:
    """R8: votes alone make P(best) reach the threshold; another wave may bring the judges that R9 asks for."""
    for weight, stop in ((0, StopReason.SPENT), (ONE, StopReason.CERTAIN)):
        hand = weighted("abcd", dict.fromkeys("bcd", (ONE, weight)), threshold=1)
        assert outcome(judged(hand, "abcd"))[2] is stop


def test_no_ballots_in_time() -> None:
    expected = (Outcome.DEGRADED, OutcomeReason.TOO_FEW_JUDGES, StopReason.BUDGET)
    assert outcome(judged(Hand(), "")) == expected


def test_a_judge_that_abstains_has_not_seen_the_answer() -> None:
    """R9 counts judges that compared the answer, not those that were asked to."""
    hand = Hand().to_judging()

    def reason(abstaining: str) -> OutcomeReason:
        ballots = [hand.ballot(name, ABSTAIN if name in abstaining else ONE // 2) for name in "abcd"]
        return rank(replace(hand.record, ballots=tuple(ballots))).reason

    assert reason("") is OutcomeReason.NONE
    assert reason("bcd") is OutcomeReason.TOO_FEW_JUDGES


def test_certain() -> None:
    """The threshold stops a round whose winner is certain enough, also before the plan is spent."""
    hand = Hand(threshold=1, waves=(3, 1))
    assert judged(hand, "abcd").stop is StopReason.CERTAIN


def test_nothing_is_certain_without_a_ballot() -> None:
    assert judged(Hand(threshold=0), "").stop is StopReason.BUDGET


def test_nothing_is_certain_by_ballots_that_do_not_count() -> None:
    hand = Hand("abcde", threshold=0, waves=(1, 1)).to_judging()
    record = replace(hand.record, ballots=(hand.ballot("e"),), removed=frozenset({hand.key("e")}))
    assert rank(record).stop is StopReason.BUDGET


def test_the_swarm_abstains_below_the_confidence_asked_for() -> None:
    """R9: one step above what there is, and no other reason."""
    record = Hand().to_cosigning().record
    told = rank(record)
    sure, unsure = (
        rank(replace(record, query=replace(record.query, confidence_min=told.p_correct + more))) for more in (0, 1)
    )
    assert outcome(sure) == (Outcome.DECIDED, OutcomeReason.NONE, StopReason.SPENT)
    assert outcome(unsure) == (Outcome.DEGRADED, OutcomeReason.LOW_CONFIDENCE, StopReason.SPENT)
    assert unsure.ranked == told.ranked, "its best guess is told all the same"


@pytest.mark.parametrize(
    ("calibration", "confident"),
    [((0, ONE), True), ((-5 * ONE, ONE), False), ((0, ONE // 8), False), ((4 * ONE, 0), True)],
)
def test_confidence_is_what_the_calibration_makes_of_p_best(calibration: tuple[int, int], confident: bool) -> None:
    intercept, slope = calibration
    asked: dict[str, Any] = {"calibration_intercept": intercept, "calibration_slope": slope}
    ranking = rank(_unanimous(Hand(confidence_min=ONE * 9 // 10, **asked)).record)
    assert (ranking.p_best, ranking.calibrated) == (ONE, calibration != (0, ONE))
    assert (ranking.reason is OutcomeReason.NONE) is confident is (ranking.p_correct >= ONE * 9 // 10)


def test_graver_reasons_go_before_low_confidence() -> None:
    assert judged(Hand(confidence_min=ONE), "").reason is OutcomeReason.TOO_FEW_JUDGES
    assert rank(Hand("ab", confidence_min=ONE).to_judging().record).reason is OutcomeReason.TOO_FEW_ANSWERS


def test_a_round_that_is_not_sure_enough_goes_on() -> None:
    """R8: P(best) at the threshold is not certain while P(correct) is below what was asked for."""
    asked: dict[str, Any] = {"threshold": 1, "waves": (1, 1), "confidence_min": ONE}
    hand = Hand("abcde", **asked).to_judging()
    ballots = [hand.ballot(name) for name in "abcde"]
    assert isinstance(hand.extend(hand.close_tally(ballots)), Fault)
    assert isinstance(hand.extend(hand.close_wave(ballots)), RoundRecord)


def test_a_tally_that_hides_its_doubt_does_not_follow() -> None:
    """The requester's word for `decided` where everyone finds too little confidence, and the other way."""
    for confidence_min, said in ((ONE, (Outcome.DECIDED, "none")), (0, (Outcome.DEGRADED, "low_confidence"))):
        hand = Hand(confidence_min=confidence_min).to_judging()
        changes = {"outcome": said[0], "reason": OutcomeReason(said[1])}
        result = hand.extend(hand.close_tally([hand.ballot(name) for name in "abcd"], **changes))
        assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_TALLY, result


def test_budget_while_the_plan_has_another_wave() -> None:
    assert judged(Hand("abcde", waves=(1, 1)), "abc").stop is StopReason.BUDGET


def test_budget_when_a_ballot_is_missing() -> None:
    assert judged(Hand(), "abc").stop is StopReason.BUDGET


def test_unanimous() -> None:
    """R9: one cluster that holds every answer needs no ballots."""
    hand = _unanimous(Hand(threshold=0))
    ranking = rank(hand.record)
    assert outcome(ranking) == (Outcome.DECIDED, OutcomeReason.NONE, StopReason.UNANIMOUS)
    assert {each.cluster_size for each in ranking.ranked} == {4}
    assert {each.p_best for each in ranking.ranked} == {ONE}
    assert not hand.record.assignment


def _unanimous(hand: Hand) -> Hand:
    shared = hand.content("a")
    hand.content = lambda _name: shared  # type: ignore[method-assign]
    return hand.to_judging()


def test_ties_fall_by_the_beacon() -> None:
    """Equal answers of equal weight are ordered by nothing that one party chooses alone."""
    hand = _unanimous(Hand())
    first = rank(hand.record).ranked[0].author
    winners = {rank(replace(hand.record, beacon=bytes((number,)) * 32)).ranked[0].author for number in range(64)}
    assert first in winners and winners == {hand.key(name) for name in "abcd"}


@pytest.mark.parametrize(
    ("phase", "reason"), [("answering", OutcomeReason.NO_COMMITMENTS), ("opening", OutcomeReason.NO_ANSWERS)]
)
def test_failed(phase: str, reason: OutcomeReason) -> None:
    hand = Hand()
    if phase == "opening":
        hand.to_opening()
    ranking = rank(hand.record)
    assert outcome(ranking) == (Outcome.FAILED, reason, StopReason.ABORTED)
    assert (ranking.winner, ranking.p_best, ranking.p_correct, ranking.digest) == (b"", 0, 0, b"")
    record = hand.extend(hand.close_tally([]))
    assert isinstance(record, RoundRecord) and record.phase is Phase.FAILED
    assert not record.expected()


def test_removed_authors_are_not_ranked() -> None:
    """R3: neither their answers nor their ballots count from the listing on."""
    hand = Hand("abcde").to_judging()
    ballots = tuple(sorted((hand.ballot(name) for name in "abcde"), key=lambda message: message.id))
    record = replace(hand.record, ballots=ballots)
    with_e, without = rank(record), rank(replace(record, removed=frozenset({hand.key("e")})))
    assert {each.author for each in with_e.ranked} - {each.author for each in without.ranked} == {hand.key("e")}
    silent = replace(
        record,
        ballots=tuple(ballot for ballot in ballots if ballot.author != hand.key("e")),
        removed=frozenset({hand.key("e")}),
    )
    assert without == rank(silent)


def test_everyone_removed_leaves_nothing_to_rank() -> None:
    record = replace(Hand().to_judging().record, removed=frozenset(Hand().record.seats))
    assert outcome(rank(record)) == (Outcome.FAILED, OutcomeReason.NO_ANSWERS, StopReason.ABORTED)


def test_open_tasks_do_not_count_equal_texts_as_votes() -> None:
    """Three equal answers and one other: their number speaks in a code task, and says nothing in an open one."""
    tops = {}
    for task in (TaskType.CODE, TaskType.OPEN):
        hand = Hand(task=task)
        contents = {name: hand.content("a" if name in "abc" else name) for name in "abcd"}
        hand.content = contents.__getitem__  # type: ignore[method-assign]
        ranked = rank(hand.to_judging().record).ranked
        tops[task] = {each.author == hand.key("d"): each.p_best for each in ranked}
    assert tops[TaskType.CODE][False] > tops[TaskType.OPEN][False]
    assert tops[TaskType.OPEN][False] < 3 * ONE // 4


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.DEGRADED},
        {"reason": OutcomeReason.TOO_FEW_JUDGES},
        {"stop": StopReason.CERTAIN},
        {"stop": StopReason.BUDGET},
        {"winner": b""},
        {"winner": bytes(32)},
        {"p_best": 0},
        {"p_best": ONE},
        {"ranking_digest": b""},
        {"ranking_digest": bytes(32)},
        {"ranking_digest": b"h" * 32},
    ],
    ids=lambda changes: "-".join(f"{name}={value!s}"[:24] for name, value in changes.items()),
)
def test_a_tally_that_does_not_follow(changes: dict[str, Any]) -> None:
    hand = Hand().to_judging()
    result = hand.extend(hand.close_tally([hand.ballot(name) for name in "abcd"], **changes))
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_TALLY, result


def test_a_requester_may_not_stop_where_it_likes_the_result() -> None:
    """R8: with every ballot of a wave in, and the winner not certain, the plan goes on."""
    hand = Hand("abcde", waves=(1, 1)).to_judging()
    result = hand.extend(hand.close_tally([hand.ballot(name) for name in "abcde"]))
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_TALLY, result


def test_a_tally_that_follows() -> None:
    hand = Hand().to_cosigning()
    tally: Any = hand.record.closings[-1].body
    assert check_tally(hand.record, tally) is None


def test_a_tally_may_not_claim_failure_while_answers_stand() -> None:
    hand = Hand().to_judging()
    failed: dict[str, Any] = {
        "outcome": Outcome.FAILED,
        "reason": OutcomeReason.NO_ANSWERS,
        "stop": StopReason.ABORTED,
        "winner": b"",
        "p_best": 0,
        "ranking_digest": b"",
    }
    result = hand.extend(hand.close_tally([], **failed))
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_TALLY


def test_the_digest_is_of_order_strengths_and_probabilities() -> None:
    ranking = rank(Hand().to_cosigning().record)
    first, *rest = ranking.ranked
    others = [
        replace(ranking, ranked=(*rest, first)),
        replace(ranking, ranked=(replace(first, strength=first.strength + 1), *rest)),
        replace(ranking, ranked=(replace(first, p_best=first.p_best - 1), *rest)),
        replace(ranking, ranked=(replace(first, answer=Digest(bytes(32))), *rest)),
    ]
    assert len({ranking.digest, *(other.digest for other in others)}) == 5


def test_only_judges_are_asked_to_judge() -> None:
    query = Hand("abcde").query.body
    assert isinstance(query, Query)
    seats = tuple(replace(seat, roles=Role.ANSWER) if seat.member == Hand().key("b") else seat for seat in query.roster)
    hand = Hand("abcde", roster=seats).to_judging()
    assert hand.key("b") not in hand.record.assignment and len(hand.record.assignment) == 4


# -- R19: futility -----------------------------------------------------------------------------------------------------


def after_one_wave(**changes: Any) -> Hand:
    """A round of five whose first wave of two is judged by all, each with this preference."""
    return Hand("abcde", **{"waves": (3, 3), "threshold": ONE, **changes}).to_judging()


def test_a_wave_that_can_change_little_is_not_held() -> None:
    hand = after_one_wave(futility=ONE)
    closing = hand.close_tally([hand.ballot(name) for name in "abcde"])
    assert isinstance(hand.extend(closing), RoundRecord)
    assert rank(hand.record).stop is StopReason.FUTILE


def test_without_a_threshold_nothing_is_futile() -> None:
    hand = after_one_wave(futility=0)
    fault = hand.extend(hand.close_tally([hand.ballot(name) for name in "abcde"]))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_TALLY


def test_judges_in_no_doubt_are_asked_on() -> None:
    """A wave of sure judges explains much, so its gain is above a small threshold."""
    hand = after_one_wave(futility=200)
    ballots = [hand.ballot(name, ONE) for name in "abcde"]
    assert rank(replace(hand.record, ballots=tuple(ballots))).stop is StopReason.BUDGET


def test_a_missing_ballot_makes_no_wave_futile() -> None:
    """A requester cannot stop by leaving out whom it does not like."""
    hand = after_one_wave(futility=ONE)
    fault = hand.extend(hand.close_tally([hand.ballot(name) for name in "abcd"], stop=StopReason.FUTILE))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_TALLY


def test_the_last_wave_is_spent_not_futile() -> None:
    hand = after_one_wave(futility=ONE, waves=(3,))
    assert isinstance(hand.extend(hand.close_tally([hand.ballot(name) for name in "abcde"])), RoundRecord)
    assert rank(hand.record).stop is StopReason.SPENT
