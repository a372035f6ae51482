"""R17, R18: the testing phase in a record: who tests what, what is settled, and what follows from it."""

from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.record import Phase, RoundRecord, check_contribution
from consensus.certificates.tally import rank, standing
from consensus.certificates.testing import drop_disputed
from consensus.ranking.settling import UNTESTED, settle
from consensus.ranking.testers import tool_versions_of
from protocol.errors import Fault, FaultReason
from protocol.limits import FURTHER_TESTERS, TESTERS
from protocol.messages import Findings
from protocol.signing import VerifiedMessage
from protocol.types import ONE, CompileStatus, FindingKind, Outcome, OutcomeReason, StopReason, TaskType
from tests.support.findings import found, outcomes, plan
from tests.support.hand import Hand
from tests.support.swarm import Swarm


def in_testing(names: str = "abcdefgh", able: str = "", **changes: Any) -> Hand:
    """A round in which the nodes `able`, or all, can test; its slate is closed."""
    query = Swarm(names, tool_versions="g1").query()
    keys = {Hand(names).key(name) for name in able or names}
    roster = tuple(seat if seat.member in keys else replace(seat, tool_versions="") for seat in query.roster)
    changes = {"findings": plan(), **changes}
    return Hand(names, roster=roster, **changes).to_judging()


def report_all(hand: Hand, said: dict[str, Findings] | None = None, liars: str = "") -> RoundRecord:
    """Close the stage with everybody's report: of each author's answer what `said` has; liars say that it fails."""
    author = {index: hand.name_of(answer) for index, answer in enumerate(hand.record.answers)}
    reports = []
    for name in hand.names:
        positions = hand.record.testers.get(hand.key(name), ())
        told = [replace((said or {}).get(author[index], found(index)), answer=index) for index in positions]
        if name in liars:
            told = [replace(each, status=CompileStatus.FAILS, error=1, outcomes=b"") for each in told]
        if told:
            reports.append(hand.report(name, *told))
    extended = hand.extend(hand.close_reports(reports))
    assert isinstance(extended, RoundRecord), extended
    return extended


def test_each_answer_gets_three_testers_and_never_its_author() -> None:
    hand = in_testing()
    record = hand.record
    assert record.phase is Phase.TESTING and record.stage == 0
    assert record.expected() == record.testers.keys()
    for index, answer in enumerate(record.answers):
        testers = [key for key, positions in record.testers.items() if index in positions]
        assert len(testers) == TESTERS and answer.author not in testers
    assert {len(positions) for positions in record.testers.values()} <= {2, 3, 4}, "work is spread evenly"


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": plan(FindingKind(0))},
        {"task": TaskType.OPEN},
    ],
)
def test_what_asks_for_no_findings_has_no_testing_phase(changes: dict[str, Any]) -> None:
    assert in_testing(**changes).record.phase is Phase.JUDGING


def test_without_anybody_who_can_test_there_is_no_testing_phase() -> None:
    assert Hand(findings=plan()).to_judging().record.phase is Phase.JUDGING


def test_only_seats_of_one_version_test() -> None:
    seats = [
        replace(seat, tool_versions=version)
        for seat, version in zip(Swarm("abcde").query().roster, "xxyyy", strict=True)
    ]
    assert tool_versions_of(seats) == "y"
    heavy = [replace(seat, vote_weight=4 * ONE) if seat.tool_versions == "x" else seat for seat in seats]
    assert tool_versions_of(heavy) == "x", "record weight goes before heads"
    assert tool_versions_of([]) == ""


def test_authors_that_can_test_have_one_tester_less_than_there_are() -> None:
    hand = in_testing("abcd", able="abc")
    for index, answer in enumerate(hand.record.answers):
        testers = {key for key, positions in hand.record.testers.items() if index in positions}
        assert testers == {hand.key(name) for name in "abc"} - {answer.author}


@pytest.mark.parametrize("able", ["ab", "abc"])
def test_where_no_answer_has_three_testers_there_is_no_testing_phase(able: str) -> None:
    assert in_testing("abc", able=able[: len(able)]).record.phase is Phase.JUDGING


def test_a_few_light_keys_with_tools_test_nothing() -> None:
    """Else fresh keys beside members without a compiler would say what every answer does."""
    query = Swarm("abcdexyz", tool_versions="g1").query()
    light = {Hand("a").key(name) for name in "xyz"}

    def phase_of(weight: int) -> Phase:
        roster = tuple(
            replace(seat, vote_weight=weight if seat.member in light else ONE)
            if seat.member in light
            else replace(seat, tool_versions="")
            for seat in query.roster
        )
        return Hand("abcdexyz", roster=roster, findings=plan()).to_judging().record.phase

    assert phase_of(ONE // 6) is Phase.JUDGING
    assert phase_of(ONE) is Phase.TESTING


def test_three_light_reports_settle_nothing_against_a_heavy_one() -> None:
    told = [found(status=CompileStatus.FAILS)] * 3 + [found()]
    assert settle(told).status is CompileStatus.FAILS
    assert settle(told, [1, 1, 1, 6]).status is CompileStatus.UNKNOWN
    assert settle(told, [0, 0, 0, 0]).status is CompileStatus.FAILS, "without any weight heads decide"


# -- reports -------------------------------------------------------------------------------------------------------


def refusal(hand: Hand, message: VerifiedMessage) -> FaultReason | None:
    fault = check_contribution(hand.record, message)
    return fault.reason if isinstance(fault, Fault) else None


def a_tester(hand: Hand) -> tuple[str, tuple[int, ...]]:
    """A node with work, and its work."""
    name = next(name for name in hand.names if hand.key(name) in hand.record.testers)
    return name, hand.record.testers[hand.key(name)]


def test_a_report_lists_exactly_its_answers_in_order() -> None:
    hand = in_testing()
    name, positions = a_tester(hand)
    told = [found(index) for index in positions]
    assert refusal(hand, hand.report(name, *told)) is None
    for wrong in (told[:-1], told[::-1], [*told, found(63)], [found(positions[0])] * len(told)):
        assert refusal(hand, hand.report(name, *wrong)) is FaultReason.WRONG_ANSWERS


def test_outcomes_are_whole_digests() -> None:
    hand = in_testing()
    name, positions = a_tester(hand)
    cut = [found(index, outcomes=b"\1\2\3\4") for index in positions]
    assert refusal(hand, hand.report(name, *cut)) is FaultReason.WRONG_ANSWERS


def test_a_report_acts_on_the_present_closing_and_stage() -> None:
    hand = in_testing()
    name, _ = a_tester(hand)
    assert refusal(hand, hand.report(name, on=hand.query.id)) is FaultReason.WRONG_CHAIN
    assert refusal(hand, hand.report(name, stage=1)) is FaultReason.WRONG_CHAIN


def test_a_report_by_whom_nothing_is_asked() -> None:
    hand = in_testing("abcdefgh", able="abcd")
    assert refusal(hand, hand.report("h", found(0))) is FaultReason.WRONG_ANSWERS


def test_a_ballot_or_tally_cannot_come_before_the_reports_closing() -> None:
    hand = in_testing()
    fault = hand.extend(hand.close_tally([]))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_PHASE
    fault = hand.extend(hand.close_wave([]))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_PHASE


def test_a_closing_of_another_stage() -> None:
    hand = in_testing()
    fault = hand.extend(hand.close_reports([], stage=1))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_PHASE


# -- what is settled -----------------------------------------------------------------------------------------------


def test_no_report_at_all_leads_to_judging_as_without_testing() -> None:
    hand = in_testing()
    hand.extend(hand.close_reports([]))
    record = hand.record
    assert record.phase is Phase.JUDGING and record.assignment
    assert all(each.reports == 0 and not each.open for each in record.findings)
    assert record.clusters == record.texts


def test_answers_that_behave_alike_are_one_cluster() -> None:
    hand = in_testing()
    record = report_all(hand, {name: found(behaviour="same" if name in "abc" else name) for name in hand.names})
    assert record.phase is Phase.JUDGING
    names = {hand.name_of(answer): cluster for answer, cluster in zip(record.answers, record.clusters, strict=True)}
    assert len({names[name] for name in "abc"}) == 1 and len(set(names.values())) == 6
    assert sorted(set(record.clusters)) == list(range(6)), "numbered by first appearance"


def test_one_liar_among_three_leads_to_further_testers_who_settle_it() -> None:
    hand = in_testing()
    record = report_all(hand, {name: found(behaviour=name) for name in hand.names}, liars="b")
    assert record.phase is Phase.TESTING and record.stage == 1
    open_answers = {index for positions in record.testers.values() for index in positions}
    assert len(open_answers) == 3, "those that the liar tested"
    for index in open_answers:
        assert sum(index in positions for positions in record.testers.values()) == FURTHER_TESTERS
    settled = report_all(hand, {name: found(behaviour=name) for name in hand.names}, liars="b")
    assert settled.phase is Phase.JUDGING and settled.stage == 1
    assert all(each.status is CompileStatus.COMPILES for each in settled.findings)
    assert all(each.behaviour for each in settled.findings)


def test_a_dispute_that_nobody_can_settle_is_no_information() -> None:
    hand = in_testing("abcd")
    record = report_all(hand, {}, liars="b")
    assert record.phase is Phase.JUDGING, "there is no further tester"
    assert set(record.findings) == {UNTESTED}, "three of four are disputed: nothing is settled, about the fourth either"
    assert record.clusters == record.texts and record.assignment


@pytest.mark.parametrize(("weights", "kept"), [((1, 1, 1, 1, 1, 1, 1, 1), True), ((3, 3, 1, 1, 1, 1, 1, 1), False)])
def test_what_a_quarter_of_the_weight_leaves_open_settles_nothing(weights: tuple[int, ...], kept: bool) -> None:
    hand = in_testing()
    findings = (*(replace(UNTESTED, open=True) for _ in range(2)), *(replace(UNTESTED, unsafe=1) for _ in range(6)))
    votes = {answer.author: weight * ONE for answer, weight in zip(hand.record.answers, weights, strict=True)}
    seats = {key: replace(seat, vote_weight=votes[key]) for key, seat in hand.record.seats.items()}
    record = replace(hand.record, findings=findings, seats=seats)
    assert (drop_disputed(record) is record) is kept


def test_who_gave_no_report_is_not_asked_again() -> None:
    hand = in_testing()
    author = {index: hand.name_of(answer) for index, answer in enumerate(hand.record.answers)}
    silent = next(name for name in hand.names if hand.key(name) in hand.record.testers)
    reports = [hand.report(name) for name in hand.names if name != silent and hand.key(name) in hand.record.testers]
    hand.extend(hand.close_reports(reports))
    assert hand.record.stage == 1 and author
    assert hand.key(silent) not in hand.record.testers


# -- what follows --------------------------------------------------------------------------------------------------


def failing(**changes: Any) -> Findings:
    return found(status=CompileStatus.FAILS, error=308, **changes)


def test_what_does_not_compile_cannot_win_and_is_not_judged() -> None:
    hand = in_testing()
    record = report_all(hand, {name: failing() for name in "abc"})
    able = {hand.name_of(record.answers[index]) for index in standing(record)}
    assert able == set("defgh")
    aside = set(range(8)) - set(standing(record))
    assert all(not aside & set(pair) for pairs in record.assignment.values() for pair in pairs)
    assert {hand.key(name) for name in "abc"} <= record.assignment.keys(), "its author judges all the same"
    assert {hand.name_of_key(each.author) for each in rank(record).ranked} == able


def test_what_fails_a_given_test_cannot_win() -> None:
    hand = in_testing()
    record = report_all(hand, {"a": found(tests=(3, 1, 0)), "b": found(tests=(4, 0, 0))})
    assert {hand.name_of(record.answers[index]) for index in standing(record)} == set("bcdefgh")


def test_what_all_share_sets_nobody_aside() -> None:
    hand = in_testing()
    record = report_all(hand, {name: failing() for name in hand.names})
    assert len(standing(record)) == 8


def test_where_none_passes_what_compiles_goes_before_what_does_not() -> None:
    hand = in_testing()
    said = {name: failing() if name in "abcd" else found(tests=(1, 1, 0)) for name in hand.names}
    record = report_all(hand, said)
    assert {hand.name_of(record.answers[index]) for index in standing(record)} == set("efgh")


def test_answers_set_aside_count_as_openings() -> None:
    """R9: a slate of four is no smaller because three of them do not compile."""
    hand = in_testing()
    record = report_all(hand, {name: failing() for name in "abcdefg"})
    ranking = rank(record)
    assert ranking.stop is StopReason.UNANIMOUS and ranking.outcome is Outcome.DECIDED
    assert not record.assignment


def test_most_of_the_weight_behaving_alike_decides_without_ballots() -> None:
    hand = in_testing(findings=plan(agreed_share=ONE * 6 // 10))
    alike = {name: found(behaviour="right" if name in "abcde" else name) for name in hand.names}
    record = report_all(hand, alike)
    assert not record.assignment and record.phase is Phase.JUDGING
    ranking = rank(record)
    assert (ranking.stop, ranking.outcome, ranking.reason) == (
        StopReason.AGREED, Outcome.DECIDED, OutcomeReason.NONE
    )  # fmt: skip
    assert isinstance(hand.extend(hand.close_tally([])), RoundRecord)


def test_less_weight_than_that_is_judged() -> None:
    hand = in_testing(findings=plan(agreed_share=ONE * 6 // 10))
    record = report_all(hand, {name: found(behaviour="right" if name in "abcd" else name) for name in hand.names})
    assert record.assignment and rank(record).stop is StopReason.BUDGET


def test_agreement_with_too_little_confidence_is_judged() -> None:
    hand = in_testing(findings=plan(agreed_share=ONE * 6 // 10), confidence_min=ONE)
    record = report_all(hand, {name: found(behaviour="right" if name in "abcde" else name) for name in hand.names})
    assert record.assignment


def test_findings_move_the_ranking() -> None:
    """A cluster with which others agree goes before an answer alone, all else being equal."""
    hand = in_testing()
    record = report_all(hand, {name: found(behaviour="right" if name in "ab" else name) for name in hand.names})
    ranking = rank(record)
    assert {hand.name_of_key(each.author) for each in ranking.ranked[:2]} == {"a", "b"}
    without = rank(replace(record, query=replace(record.query, findings=plan(agreement=0, compiles=0))))
    assert without.p_best < ranking.p_best


def test_a_claim_of_agreement_that_does_not_follow_is_a_wrong_tally() -> None:
    hand = in_testing()
    report_all(hand, {name: found(behaviour=name) for name in hand.names})
    fault = hand.extend(hand.close_tally([], stop=StopReason.AGREED))
    assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_TALLY


def test_one_input_without_information_is_no_behaviour() -> None:
    hand = in_testing()
    cut = outcomes("right")[:-3] + bytes(3)
    record = report_all(hand, {"a": found(outcomes=cut), "b": found(outcomes=cut)})
    assert record.clusters == record.texts
