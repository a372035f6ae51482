"""R2-R7: what counts in a phase, and which closings stand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates import tally
from consensus.certificates.closings import Missing
from consensus.certificates.record import Phase, RoundRecord, check_contribution, commit_to
from consensus.ranking import bradley_terry
from protocol.errors import Fault, FaultReason
from protocol.messages import AnswerContent, Ballot, BallotEntry, CloseCommits, Commitment
from protocol.signing import VerifiedMessage
from protocol.types import ABSTAIN, ONE, Digest, Role
from tests.support.hand import Hand, changed_query
from tests.support.swarm import params

ZERO = Digest(bytes(32))


def counts(hand: Hand, message: VerifiedMessage, reason: FaultReason | None) -> None:
    fault = check_contribution(hand.record, message)
    assert (fault.reason if fault else None) is reason, fault


def void(hand: Hand, closing: VerifiedMessage, reason: FaultReason, *pool: VerifiedMessage) -> None:
    """A closing that does not stand leaves the record as it was."""
    before = hand.record
    result = hand.extend(closing, *pool)
    assert isinstance(result, Fault) and result.reason is reason, result
    assert hand.record is before


def test_nobody_is_asked_about_the_answers_of_the_removed() -> None:
    """R3, R6: what cannot win is not worth a comparison; where all that stand are equal, nothing is left to judge."""
    hand = Hand("abcdef", waves=(1, 3)).to_judging()
    caught = hand.evidence("a", *hand.equivocation("f"))
    closing = hand.close_wave([hand.ballot(name) for name in "abcde"], evidence=(caught.id,))
    record = hand.extend(closing, caught)
    assert isinstance(record, RoundRecord) and record.removed == {hand.key("f")}
    gone = next(at for at, answer in enumerate(record.answers) if answer.author == hand.key("f"))
    assert len(record.assignment) == 5
    assert all(gone not in pair for pairs in record.assignment.values() for pair in pairs)
    hand = Hand("abcd", waves=(1, 1))
    contents = {name: hand.content("d" if name == "d" else "a") for name in "abcd"}
    hand.content = contents.__getitem__  # type: ignore[method-assign]
    hand.to_judging()
    caught = hand.evidence("a", *hand.equivocation("d"))
    judges = [name for name in "abc" if hand.key(name) in hand.record.assignment]
    record = hand.extend(hand.close_wave([hand.ballot(name) for name in judges], evidence=(caught.id,)), caught)
    assert isinstance(record, RoundRecord) and not record.assignment


def test_figures_that_no_fit_follows_from_void_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """R8: a hostile query can bring the fit to its last step. It costs its own round, not the node."""
    hand = Hand().to_judging()
    closing = hand.close_tally([hand.ballot(name, ONE) for name in "abcd"])
    tally._fit.cache_clear()
    monkeypatch.setattr(bradley_terry, "_STEPS_MAX", 1)
    void(hand, closing, FaultReason.NO_FIT)
    hand = Hand("abcde", waves=(1, 1)).to_judging()
    void(hand, hand.close_wave([hand.ballot(name, ONE) for name in "abcde"]), FaultReason.NO_FIT)


# -- contributions --------------------------------------------------------------------------------------------------


def test_each_phase_takes_its_own_kind() -> None:
    hand = Hand()
    early: list[tuple[Callable[[], Hand], Callable[[str], VerifiedMessage]]] = [
        (lambda: hand, hand.commit),
        (hand.to_opening, hand.answer),
    ]
    for advance, make in early:
        advance()
        counts(hand, make("b"), None)
        counts(hand, hand.cosign("b"), FaultReason.WRONG_PHASE)
        counts(hand, make("z"), FaultReason.NOT_A_MEMBER)
    counts(hand, hand.commit("b"), FaultReason.WRONG_PHASE)
    assert isinstance(hand.extend(hand.close_slate([hand.answer(name) for name in "abcd"])), RoundRecord)
    counts(hand, hand.ballot("b"), None)
    counts(hand, hand.answer("b"), FaultReason.WRONG_PHASE)


def test_contributions_act_on_the_head_of_their_round() -> None:
    hand = Hand()
    for changes in ({"on": ZERO}, {"query": ZERO}):
        counts(hand, hand.commit("b", **changes), FaultReason.WRONG_CHAIN)
    hand.to_opening()
    for changes in ({"on": hand.record.id}, {"query": ZERO}):
        counts(hand, hand.answer("b", **changes), FaultReason.WRONG_CHAIN)
    hand = Hand().to_judging()
    for changes in ({"on": hand.record.id}, {"query": ZERO}, {"wave": 1}):
        counts(hand, hand.ballot("b", **changes), FaultReason.WRONG_CHAIN)


def test_only_answering_seats_commit() -> None:
    base = Hand()
    seats = tuple(
        replace(seat, roles=Role.JUDGE) if seat.member == base.key("b") else seat for seat in base.record.query.roster
    )
    hand = Hand(roster=seats)
    counts(hand, hand.commit("b"), FaultReason.NOT_A_MEMBER)
    void(hand, hand.close_commits("abcd"), FaultReason.NOT_A_MEMBER)


def test_openings() -> None:
    """R4: only what was committed to, by whom it was committed to."""
    hand = Hand().to_opening("abc")
    counts(hand, hand.answer("d"), FaultReason.NOT_COMMITTED)
    counts(hand, hand.answer("b", salt=bytes(32)), FaultReason.WRONG_OPENING)
    counts(hand, hand.answer("b", content=hand.content("c")), FaultReason.WRONG_OPENING)
    counts(hand, hand.answer("b", content=hand.content("c"), salt=b"c" * 32), FaultReason.WRONG_OPENING)
    for changes in ({"answer_tokens": 21}, {"prompt_tokens": 9}):
        counts(hand, hand.answer("b", content=replace(hand.content("b"), **changes)), FaultReason.WRONG_OPENING)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", FaultReason.EMPTY_ANSWER),
        ("```rust\n// nothing but a comment\n```", FaultReason.EMPTY_ANSWER),
        ("x" * (params().answer_bytes_max + 1), FaultReason.OVER_LIMIT),
        ("x" * params().answer_bytes_max, None),
    ],
    ids=["empty", "comment", "too long", "long"],
)
def test_answers_that_do_not_count(text: str, reason: FaultReason | None) -> None:
    hand = Hand()
    content = replace(hand.content("b"), text=text)
    contents: dict[str, AnswerContent] = {name: hand.content(name) for name in "acd"} | {"b": content}
    hand.content = contents.__getitem__  # type: ignore[method-assign]
    hand.to_opening()
    assert hand.record.commitments[hand.key("b")] == commit_to(hand.record, hand.key("b"), content, b"b" * 32)
    counts(hand, hand.answer("b"), reason)


def test_ballots_list_exactly_their_pairs() -> None:
    """R6: in the order and the direction in which they were assigned."""
    hand = Hand().to_judging()
    mine, theirs = (_judgements(hand.ballot(name)) for name in "bc")
    turned = replace(mine[0], first=mine[0].second, second=mine[0].first)
    for wrong in (mine[:-1], (*mine, mine[0]), mine[::-1], (turned, *mine[1:]), theirs):
        counts(hand, hand.ballot("b", judgements=wrong), FaultReason.WRONG_PAIRS)


def _judgements(ballot: VerifiedMessage) -> tuple[BallotEntry, ...]:
    assert isinstance(ballot.body, Ballot)
    return ballot.body.judgements


@pytest.mark.parametrize(("abstentions", "reason"), [(1, None), (2, FaultReason.VOID_BALLOT)])
def test_a_judge_may_abstain_on_half(abstentions: int, reason: FaultReason | None) -> None:
    hand = Hand().to_judging()
    mine = _judgements(hand.ballot("b"))
    shy = tuple(replace(each, preference=ABSTAIN if place < abstentions else ONE) for place, each in enumerate(mine))
    counts(hand, hand.ballot("b", judgements=shy), reason)


def test_a_removed_member_has_no_say() -> None:
    hand = Hand("abcde").to_opening()
    hand.record = replace(hand.record, removed=frozenset({hand.key("e")}))
    counts(hand, hand.answer("e"), FaultReason.REMOVED)


# -- closings -------------------------------------------------------------------------------------------------------


def test_closings_follow_the_head_and_are_the_requesters() -> None:
    hand = Hand()
    closing = hand.close_commits("abcd")
    void(hand, hand.seal("b", closing.body), FaultReason.WRONG_AUTHOR)
    void(hand, hand.close_commits("abcd", prev=ZERO), FaultReason.WRONG_CHAIN)
    void(hand, hand.close_commits("abcd", query=ZERO), FaultReason.WRONG_CHAIN)
    void(hand, hand.commit("a"), FaultReason.WRONG_PHASE)
    hand.extend(closing)
    void(hand, closing, FaultReason.WRONG_CHAIN)
    void(hand, hand.close_commits("abcd"), FaultReason.WRONG_PHASE)


def test_commitments_are_members_in_order() -> None:
    hand = Hand()
    body = hand.close_commits("abcd").body
    assert isinstance(body, CloseCommits)
    entries = body.commitments
    void(hand, hand.close_commits("a", commitments=entries[::-1]), FaultReason.UNSORTED)
    void(hand, hand.close_commits("a", commitments=(entries[0], *entries)), FaultReason.UNSORTED)
    stranger = sorted((*entries, Commitment(member=hand.key("z"), commitment=ZERO)), key=lambda entry: entry.member)
    void(hand, hand.close_commits("a", commitments=tuple(stranger)), FaultReason.NOT_A_MEMBER)


def test_closings_come_in_the_order_of_the_phases() -> None:
    hand = Hand()
    nothing: list[VerifiedMessage] = []
    answers = [Hand().to_opening().answer(name) for name in "abcd"]
    void(hand, hand.close_slate(answers), FaultReason.WRONG_PHASE)
    void(hand, hand.close_wave(nothing), FaultReason.WRONG_PHASE)
    hand.to_opening()
    void(hand, hand.close_wave(nothing), FaultReason.WRONG_PHASE)
    hand = Hand().to_cosigning()
    void(hand, hand.close_tally(nothing), FaultReason.WRONG_PHASE)


def test_a_wave_is_closed_in_its_turn() -> None:
    hand = Hand("abcde", waves=(1, 1)).to_judging()
    ballots = [hand.ballot(name) for name in "abcde"]
    void(hand, hand.close_wave(ballots, wave=1), FaultReason.WRONG_PHASE)
    first = hand.record.assignment
    assert isinstance(hand.extend(hand.close_wave(ballots)), RoundRecord)
    assert hand.record.wave == 1 and hand.record.assignment != first
    void(hand, hand.close_wave([hand.ballot(name) for name in "abcde"]), FaultReason.WRONG_PHASE)


def test_a_judge_that_misses_a_wave_is_not_waited_for_in_the_next() -> None:
    """R6, R11: a round with one dead judge lasted for the whole budget of its last wave."""
    hand = Hand("abcde", waves=(1, 1)).to_judging()
    dead = hand.key("e")
    assert dead in hand.record.expected()
    assert isinstance(hand.extend(hand.close_wave([hand.ballot(name) for name in "abcd"])), RoundRecord)
    assert hand.record.assignment.keys() == {hand.key(name) for name in "abcd"} == hand.record.expected()


def test_lists_of_ids_are_ascending() -> None:
    hand = Hand().to_opening()
    answers = [hand.answer(name) for name in "abcd"]
    ids = sorted(answer.id for answer in answers)
    slate: Any = hand.close_slate(answers).body
    for wrong in (tuple(reversed(ids)), (ids[0], *ids)):
        void(hand, hand.seal("a", replace(slate, answers=wrong)), FaultReason.UNSORTED)


def test_one_contribution_of_each_author() -> None:
    """R3: two that would count each are still one too many."""
    hand = Hand().to_judging()
    two = [hand.ballot("b", 0), hand.ballot("b", ONE), hand.ballot("c")]
    void(hand, hand.close_tally(two), FaultReason.DUPLICATE)


def test_what_is_named_must_count() -> None:
    hand = Hand().to_opening("abc")
    forged = hand.answer("b", salt=bytes(32))
    void(hand, hand.close_slate([hand.answer("a"), forged]), FaultReason.WRONG_OPENING)
    void(hand, hand.close_slate([hand.answer("d")]), FaultReason.NOT_COMMITTED)


def test_what_is_not_at_hand_is_missing_and_no_fault() -> None:
    hand = Hand().to_opening()
    answers = [hand.answer(name) for name in "abcd"]
    closing = hand.close_slate(answers, ride_along=(answers[0].envelope,))
    result = hand.extend(closing, answers[1])
    assert isinstance(result, Missing) and set(result.ids) == {answers[2].id, answers[3].id}
    assert isinstance(hand.extend(closing, *answers[1:]), RoundRecord)


def test_riders_are_named() -> None:
    """R13: nothing travels in a closing that is not part of it, and nothing twice."""
    hand = Hand().to_opening()
    a, b, c = (hand.answer(name) for name in "abc")
    void(hand, hand.close_slate([a, b], ride_along=(a.envelope, b.envelope, c.envelope)), FaultReason.SURPLUS)
    void(hand, hand.close_slate([a, b], ride_along=(a.envelope, a.envelope, b.envelope)), FaultReason.SURPLUS)
    void(hand, hand.close_slate([a, b], ride_along=(bytes(100),)), FaultReason.UNKNOWN_KIND)


def test_listed_evidence_removes_its_author() -> None:
    hand = Hand("abcde").to_opening()
    evidence = hand.evidence("b", *hand.equivocation("e"))
    with_e = hand.close_slate([hand.answer(name) for name in "abcde"], evidence=(evidence.id,))
    void(hand, with_e, FaultReason.REMOVED, evidence)
    closing = hand.close_slate([hand.answer(name) for name in "abcd"], evidence=(evidence.id,))
    assert isinstance(hand.extend(closing), Missing)
    assert isinstance(hand.extend(closing, evidence), RoundRecord)
    assert hand.record.removed == {hand.key("e")} and hand.key("e") not in hand.record.assignment
    assert hand.record.phase is Phase.JUDGING and hand.key("e") not in hand.record.expected()


def test_evidence_that_may_not_be_listed() -> None:
    hand = Hand("abcde").to_opening()
    answers = [hand.answer(name) for name in "abcd"]
    elsewhere = Hand("abcde", nonce=b"o" * 32)
    one = hand.commit("e", on=hand.record.id)
    foreign = [
        elsewhere.evidence("b", *elsewhere.equivocation("e")),
        hand.evidence("b", *hand.equivocation("z")),
        hand.evidence("b", one, one),
        hand.cosign("b"),
    ]
    for evidence in foreign:
        void(hand, hand.close_slate(answers, evidence=(evidence.id,)), FaultReason.WRONG_EVIDENCE, evidence)
    told = sorted((hand.evidence(finder, *hand.equivocation("e")) for finder in "bc"), key=lambda evidence: evidence.id)
    both = hand.close_slate(answers, evidence=tuple(evidence.id for evidence in told))
    void(hand, both, FaultReason.WRONG_EVIDENCE, *told)


def test_a_requester_does_not_list_its_own_equivocation() -> None:
    hand = Hand()
    two = hand.close_commits("abcd"), hand.close_commits("abc")
    hand.to_opening()
    evidence = hand.evidence("b", *two)
    closing = hand.close_slate([hand.answer(name) for name in "abcd"], evidence=(evidence.id,))
    void(hand, closing, FaultReason.EQUIVOCATION, evidence)


def test_the_beacon_depends_on_every_salt_and_on_the_commits() -> None:
    """R5: nobody knows the assignment before all have bound themselves."""
    hands = [Hand().to_judging(), Hand().to_judging("abc"), Hand(nonce=b"o" * 32).to_judging()]
    assert len({hand.record.beacon for hand in hands}) == 3
    assert Hand().to_judging().record.beacon == hands[0].record.beacon


def test_another_query_is_another_round() -> None:
    hand = Hand()
    assert changed_query(hand, nonce=b"o" * 32).id != hand.record.id
