"""The requester's arms that the transcripts do not reach."""

from dataclasses import replace

import pytest

from consensus.rounds import effects as fx
from consensus.rounds.events import Event, Generated, Judged, Pulled, Tick
from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import FaultReason
from protocol.messages import CloseSlate, CloseTally
from protocol.types import Digest, Kind, Objection, Outcome, OutcomeReason, StopReason
from tests.support.hand import Hand
from tests.support.machines import NOW, AtRequester, of_kind
from tests.support.swarm import params

# -- R11: when a phase closes ---------------------------------------------------------------------------------------


def test_all_that_are_expected_close_a_phase_at_once() -> None:
    at = AtRequester(Hand())
    assert not at.published(at.receive(*(at.hand.commit(name) for name in "abc")))
    assert at.published(at.receive(at.hand.commit("d"))) == [Kind.CLOSE_COMMITS]


def test_a_quorum_starts_the_clock_of_patience() -> None:
    at = AtRequester(Hand())
    at.receive(at.hand.commit("a"), at.hand.commit("b"))
    assert at.state.wake_at_ms == NOW + 2_000, "two of four are no quorum"
    at.receive(at.hand.commit("c"), now_ms=NOW + 50)
    assert at.state.wake_at_ms == NOW + 350
    assert not at.step(Tick(), NOW + 349)
    assert at.published(at.step(Tick(), NOW + 350)) == [Kind.CLOSE_COMMITS]
    assert set(at.state.record.commitments) == {at.hand.key(name) for name in "abc"}
    assert at.state.wake_at_ms == NOW + 350 + 1_000, "the next phase has its own budget, and no patience yet"


def test_patience_does_not_outlast_the_budget() -> None:
    at = AtRequester(Hand(answer_ms=100, patience_ms=300))
    at.receive(*(at.hand.commit(name) for name in "abc"))
    assert at.state.wake_at_ms == NOW + 100


def test_the_budget_ends_a_phase_without_quorum() -> None:
    at = AtRequester(Hand())
    at.receive(at.hand.commit("a"))
    assert not at.step(Tick(), NOW + 1_999)
    assert at.published(at.step(Tick(), NOW + 2_000)) == [Kind.CLOSE_COMMITS]


@pytest.mark.parametrize("opened", [False, True], ids=["no commitments", "no answers"])
def test_a_phase_without_any_contribution_fails_the_round(opened: bool) -> None:
    at = AtRequester(Hand())
    if opened:
        at.receive(*(at.hand.commit(name) for name in "abcd"))
    effects = at.step(Tick(), at.state.wake_at_ms)
    (tally,) = (effect.message.body for effect in of_kind(effects, fx.Publish))
    assert isinstance(tally, CloseTally) and tally.outcome is Outcome.FAILED
    assert tally.reason is (OutcomeReason.NO_ANSWERS if opened else OutcomeReason.NO_COMMITMENTS)
    (decide,) = of_kind(effects, fx.Decide)
    assert decide.answer == ""
    assert at.state.over and of_kind(effects, fx.RoundEnded)[0].outcome is Outcome.FAILED
    assert not at.step(Tick(), NOW + 60_000) and not at.receive(at.hand.commit("a"))


def test_the_journal_comes_before_the_word() -> None:
    """R12, for every closing and for the notice."""
    at = AtRequester(Hand())
    effects = at.receive(*(at.hand.commit(name) for name in "abcd"))
    effects += at.receive(*(at.hand.answer(name) for name in "abcd"))
    effects += at.receive(*(at.hand.ballot(name) for name in "abcd"))
    effects += at.receive(*(at.hand.cosign(name) for name in "abcd"))
    spoken = of_kind(effects, fx.Publish)
    assert [each.message.kind for each in spoken] == [
        Kind.CLOSE_COMMITS, Kind.CLOSE_SLATE, Kind.CLOSE_TALLY, Kind.NOTICE,
    ]  # fmt: skip
    for publish in spoken:
        journal = next(each for each in of_kind(effects, fx.Journal) if each.message is publish.message)
        assert effects.index(journal) < effects.index(publish)
    (certify,) = of_kind(effects, fx.Certify)
    assert certify.outcome is Outcome.DECIDED and at.state.over


def test_what_does_not_count_is_not_received() -> None:
    at = AtRequester(Hand())
    hand = at.hand
    wrong = [hand.commit("z"), hand.commit("b", on=Digest(bytes(32))), hand.cosign("b"), hand.close_commits("abcd")]
    assert not at.receive(*wrong) and not at.state.received
    at.receive(hand.commit("b"))
    first = at.state.received
    assert not at.receive(hand.commit("b", commitment=Digest(bytes(32)))), "the second of a slot is evidence, not news"
    assert at.state.received == first


def test_a_requester_has_no_engine() -> None:
    at = AtRequester(Hand())
    events: list[Event] = [Generated(at.hand.content("a"), bytes(32)), Judged(0, ()), Pulled(())]
    for event in events:
        with pytest.raises(AssertionError):
            at.step(event)


def test_a_wave_in_which_nobody_has_a_pair_left_is_over_at_once() -> None:
    """R6: in a swarm of four each judge has three pairs, and no judge gets one twice."""
    at = AtRequester(Hand(waves=(3, 2)))
    at.receive(*(at.hand.commit(name) for name in "abcd"))
    at.receive(*(at.hand.answer(name) for name in "abcd"))
    effects = at.receive(*(at.hand.ballot(name) for name in "abcd"))
    assert at.published(effects) == [Kind.CLOSE_WAVE, Kind.CLOSE_TALLY]
    (decide,) = of_kind(effects, fx.Decide)
    assert decide.ranking.stop is StopReason.SPENT


def test_a_certain_winner_ends_the_waves() -> None:
    """R8: the plan has a second wave, the threshold makes it needless."""
    at = AtRequester(Hand("abcde", waves=(2, 1), threshold=1))
    at.receive(*(at.hand.commit(name) for name in "abcde"))
    at.receive(*(at.hand.answer(name) for name in "abcde"))
    at.receive(*(at.hand.ballot(name) for name in "abcde"))
    tally = at.state.record.closings[-1].body
    assert isinstance(tally, CloseTally) and tally.stop is StopReason.CERTAIN


def test_riders_are_the_smallest_within_the_limit() -> None:
    sizes = sorted(len(Hand().to_opening().answer(name).envelope) for name in "abcd")
    room = sum(sizes[:2]) + 1
    at = AtRequester(Hand("abcd", replace(params(), ride_along_bytes_max=room)))
    at.receive(*(at.hand.commit(name) for name in "abcd"))
    at.receive(*(at.hand.answer(name) for name in "abcd"))
    slate = at.state.record.closings[-1].body
    assert isinstance(slate, CloseSlate) and len(slate.answers) == 4
    assert len(slate.ride_along) == 2 and sum(map(len, slate.ride_along)) <= room


# -- R3 at the requester --------------------------------------------------------------------------------------------


def test_evidence_takes_out_what_was_received_and_is_listed_next() -> None:
    at = AtRequester(Hand("abcde"))
    hand = at.hand
    at.receive(*(hand.commit(name) for name in "abcde"))
    evidence = hand.evidence("b", *hand.equivocation("e"))
    at.receive(hand.answer("e"), hand.answer("a"), hand.answer("b"), hand.answer("c"))
    at.receive(evidence)
    assert hand.key("e") not in at.state.received
    assert not at.receive(hand.answer("e")), "not taken again either"
    assert at.published(at.receive(hand.answer("d"))) == [Kind.CLOSE_SLATE], "nobody waits for e"
    record = at.state.record
    assert record.removed == {hand.key("e")} and record.evidence == (evidence,)
    assert not at.state.accusations
    assert not at.receive(hand.evidence("c", *hand.equivocation("e"))), "listed once"


def test_evidence_during_the_answer_phase_waits_for_the_slate() -> None:
    """The commits closing has no place for it."""
    at = AtRequester(Hand("abcde"))
    hand = at.hand
    at.receive(hand.evidence("b", *hand.equivocation("e")))
    assert at.published(at.receive(*(hand.commit(name) for name in "abcd"))) == [Kind.CLOSE_COMMITS]
    assert set(at.state.accusations) == {hand.key("e")}
    at.receive(*(hand.answer(name) for name in "abcd"))
    assert at.state.record.removed == {hand.key("e")}


def test_evidence_that_does_not_concern_the_round() -> None:
    at = AtRequester(Hand())
    elsewhere = Hand(nonce=b"o" * 32)
    foreign = elsewhere.evidence("b", *elsewhere.equivocation("c"))
    stranger = at.hand.evidence("b", *at.hand.equivocation("z"))
    assert not at.receive(foreign, stranger) and not at.state.accusations


def test_a_second_closing_under_our_own_key_voids_the_round() -> None:
    at = AtRequester(Hand())
    two = at.hand.close_commits("abcd"), at.hand.close_commits("abc")
    (finish,) = of_kind(at.receive(at.hand.evidence("b", *two)), fx.RoundEnded)
    assert finish.ending is fx.Ending.VOID and finish.fault.reason is FaultReason.EQUIVOCATION
    assert at.state.over


def test_objections_are_kept_and_not_certified() -> None:
    at = AtRequester(Hand())
    for make in (at.hand.commit, at.hand.answer, at.hand.ballot):
        at.receive(*(make(name) for name in "abcd"))
    effects = at.receive(*(at.hand.cosign(name) for name in "abc"), at.hand.cosign("d", Objection.CENSORED))
    assert at.state.objections == {at.hand.key("d"): Objection.CENSORED}
    (certify,) = of_kind(effects, fx.Certify)
    certificate = codec.decode(Certificate, certify.certificate)
    assert isinstance(certificate, Certificate) and len(certificate.cosigns) == 3
