"""R15: who gives nothing says so, and nobody waits for it; what that may change, and what not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consensus.certificates.closings import Missing
from consensus.certificates.evidence import slot_of
from consensus.certificates.record import Phase, RoundRecord, check_contribution
from consensus.rounds import effects as fx
from consensus.rounds import member
from consensus.rounds.events import Generated, Judged, Pulled, Received, Unable
from consensus.rounds.membership import Restored
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import Decline
from protocol.types import (
    ABSTAIN,
    ONE,
    DeclinedPhase,
    DeclineReason,
    Kind,
    Objection,
    Outcome,
    OutcomeReason,
    StopReason,
)
from tests.support.hand import Hand
from tests.support.machines import NOW, AtMember, AtRequester, contributed, of_kind


def test_only_phases_that_can_be_missed_without_harm_can_be_declined() -> None:
    """Who could withhold its opening without a word against it would choose among beacons."""
    assert {phase.value for phase in DeclinedPhase} == {phase.value for phase in Phase} - {
        "opening",
        "failed",
        "cancelled",
    }


# -- what counts -------------------------------------------------------------------------------------------------------


def test_a_decline_is_of_the_present_phase_by_who_was_asked() -> None:
    hand = Hand("abcd")
    assert check_contribution(hand.record, hand.decline("b")) is None
    early = hand.decline("b", phase=DeclinedPhase.JUDGING)
    assert refused(hand, early) is FaultReason.WRONG_PHASE
    assert refused(hand, hand.decline("b", wave=1)) is FaultReason.WRONG_PHASE
    assert refused(hand, hand.decline("b", on=bytes(32))) is FaultReason.WRONG_CHAIN
    before = hand.decline("b")
    hand.to_opening()
    assert refused(hand, before) is FaultReason.WRONG_PHASE, "nobody declines to open"
    hand = Hand("abcd").to_judging()
    assert check_contribution(hand.record, hand.decline("b")) is None
    hand = Hand("abcd").to_cosigning()
    assert check_contribution(hand.record, hand.decline("b")) is None


def refused(hand: Hand, message: object) -> FaultReason | None:
    fault = check_contribution(hand.record, message)  # type: ignore[arg-type]
    return fault.reason if fault else None


def test_each_phase_and_wave_is_a_slot_of_its_own() -> None:
    hand = Hand("abcd")
    phases = [
        (DeclinedPhase.ANSWERING, 0),
        (DeclinedPhase.COSIGNING, 0),
        *((DeclinedPhase.JUDGING, n) for n in range(4)),
    ]
    slots = {slot_of(hand.decline("b", phase=phase, wave=wave)) for phase, wave in phases}
    assert len(slots) == len(phases)
    two = (hand.decline("b"), hand.decline("b", DeclineReason.EMPTY))
    assert slot_of(two[0]) == slot_of(two[1]), "a second reason is an equivocation"


# -- closings ----------------------------------------------------------------------------------------------------------


def test_the_commits_closing_names_declines_that_ride_along() -> None:
    hand = Hand("abcd")
    decline = hand.decline("d")
    closing = hand.close_commits("abc", declines=(decline.id,), ride_along=(decline.envelope,))
    assert isinstance(hand.extend(closing), RoundRecord)
    assert hand.record.declined(DeclinedPhase.ANSWERING) == {hand.key("d")}
    assert hand.record.expected() == {hand.key(name) for name in "abc"}


def test_a_closing_that_names_a_decline_which_is_not_at_hand() -> None:
    hand = Hand("abcd")
    decline = hand.decline("d")
    assert hand.extend(hand.close_commits("abc", declines=(decline.id,))) == Missing((decline.id,))
    assert isinstance(hand.extend(hand.close_commits("abc", declines=(decline.id,)), decline), RoundRecord)


BAD: dict[str, Callable[[Hand], tuple[object, ...]]] = {
    "beside its commitment": lambda hand: (hand.close_commits("abcd", **named(hand.decline("d"))),),
    "twice": lambda hand: (
        hand.close_commits("abc", **named(hand.decline("d"), hand.decline("d", DeclineReason.EMPTY))),
    ),
    "of a stranger": lambda hand: (hand.close_commits("abc", **named(hand.decline("z"))),),
    "of another phase": lambda hand: (
        hand.close_commits("abc", **named(hand.decline("d", phase=DeclinedPhase.COSIGNING))),
    ),
    "what is none": lambda hand: (hand.close_commits("abc", **named(hand.commit("d"))),),
}


def named(*messages: object) -> dict[str, tuple[bytes, ...]]:
    ordered = sorted(messages, key=lambda message: message.id)  # type: ignore[attr-defined]
    return {
        "declines": tuple(message.id for message in ordered),  # type: ignore[attr-defined]
        "ride_along": tuple(message.envelope for message in ordered),  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_declines_that_void_a_closing(make: Callable[[Hand], tuple[object, ...]]) -> None:
    hand = Hand("abcd")
    (closing,) = make(hand)
    assert isinstance(hand.extend(closing), Fault)  # type: ignore[arg-type]


def test_a_decline_is_no_ballot() -> None:
    hand = Hand("abcd").to_judging()
    others = [hand.ballot(name) for name in "abc"]
    both = hand.close_tally([*others, hand.decline("d")])
    assert isinstance(hand.extend(both), Fault)


def test_a_judge_that_declines_leaves_the_wave_spent_and_the_ranking_as_it_is() -> None:
    without, with_it = Hand("abcd").to_judging(), Hand("abcd").to_judging()
    ballots = [without.ballot(name) for name in "abc"]
    assert isinstance(without.extend(without.close_tally(ballots)), RoundRecord)
    at = AtRequester(with_it)
    at.receive(*ballots, with_it.decline("d"))
    tallies = [hand.record.closings[-1].body for hand in (without, at.hand)]
    assert [tally.stop for tally in tallies] == [StopReason.BUDGET, StopReason.SPENT]  # type: ignore[union-attr]
    assert tallies[0].ranking_digest == tallies[1].ranking_digest  # type: ignore[union-attr]


# -- the requester -----------------------------------------------------------------------------------------------------


def test_nobody_waits_for_who_declines() -> None:
    at = AtRequester(Hand("abcd"))
    hand = at.hand
    at.receive(*(hand.commit(name) for name in "abc"))
    assert at.state.record.phase is Phase.ANSWERING
    effects = at.receive(hand.decline("d"))
    assert at.published(effects) == [Kind.CLOSE_COMMITS]
    assert hand.record.declined(DeclinedPhase.ANSWERING) == {hand.key("d")}
    assert at.state.waiting.contributed == {hand.key(name) for name in "abc"}, "who only declines will sit out"


def test_what_comes_after_a_decline_does_not_count_and_the_other_way() -> None:
    at = AtRequester(Hand("abcd"))
    hand = at.hand
    at.receive(hand.decline("d"), hand.commit("d"), hand.commit("c"), hand.decline("c"))
    assert at.state.received.keys() == {hand.key("c")} and at.state.declines.keys() == {hand.key("d")}


def test_a_round_in_which_all_decline_fails_at_once_and_says_so() -> None:
    at = AtRequester(Hand("abcd"))
    effects = at.receive(*(at.hand.decline(name) for name in "abcd"))
    (decide,) = of_kind(effects, fx.Decide)
    assert (decide.ranking.outcome, decide.ranking.reason) == (Outcome.FAILED, OutcomeReason.DECLINED)
    assert at.state.over and at.published(effects) == [Kind.CLOSE_TALLY]
    (*_, progress) = [each for each in of_kind(effects, fx.Progress) if each.declined]
    assert set(progress.declined.values()) == {DeclineReason.ENGINE}


def test_a_member_that_was_found_out_has_no_decline() -> None:
    at = AtRequester(Hand("abcd"))
    hand = at.hand
    at.receive(hand.decline("d"), hand.evidence("b", *hand.equivocation("d")))
    at.receive(*(hand.commit(name) for name in "abc"))
    assert hand.record.phase is Phase.OPENING and not hand.record.declines


@pytest.mark.parametrize("phase", ["answering", "cosigning"])
def test_a_decline_closes_nothing_sooner_than_silence_does(phase: str) -> None:
    """Two of eight decline, five give theirs after two seconds: that is no quorum, which counts all eight."""
    ends_ms = []
    for declining in ("", "gh"):
        hand = Hand("abcdefgh")
        at = AtRequester(hand if phase == "answering" else hand.to_cosigning())
        give = at.hand.commit if phase == "answering" else at.hand.cosign
        at.receive(*(at.hand.decline(name) for name in declining))
        at.receive(*(give(name) for name in "abcde"), now_ms=NOW + 2_000)
        ends_ms.append(at.state.patience_ends_ms)
        effects = at.receive(give("f"), now_ms=NOW + 2_100)
        assert bool(of_kind(effects, fx.Publish)) == bool(declining), "nobody else is waited for"
    silent, declined = ends_ms
    assert silent == declined and silent is not None and silent > NOW + 3_000


# -- the member --------------------------------------------------------------------------------------------------------


def test_a_member_says_at_once_that_its_engine_failed_and_sticks_to_it() -> None:
    at = AtMember(Hand())
    journal, sent = at.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE))
    assert isinstance(journal, fx.Journal) and isinstance(sent, fx.Contribute) and journal.message is sent.message
    (body,) = contributed((sent,))
    assert isinstance(body, Decline) and (body.phase, body.reason) == (DeclinedPhase.ANSWERING, DeclineReason.ENGINE)
    assert not at.generated(), "a late answer"
    assert not at.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.CAPACITY)), "once"


def test_what_a_closing_names_and_evidence_find_a_place_in_a_full_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """R2, R13: whoever fills the pool must not make a member miss the closing, or its requester's equivocation."""
    monkeypatch.setattr(member, "POOL_MAX", 2)

    def filled() -> AtMember:
        at = AtMember(Hand("abcdef"))
        at.close(at.hand.close_commits("acdef"))
        for name in "ef":
            at.step(Received(at.hand.decline(name, phase=DeclinedPhase.JUDGING)))
        assert len(at.state.pool) == 2
        return at

    at = filled()
    answers = [at.hand.answer(name) for name in "acd"]
    at.step(Received(answers[0]))
    assert len(at.state.pool) == 2
    slate = at.hand.close_slate(answers, ride_along=())
    (pull,) = of_kind(at.step(Received(slate)), fx.Pull)
    assert set(pull.ids) == {answer.id for answer in answers}
    at.step(Pulled(tuple(answers)))
    assert at.state.record.phase is Phase.JUDGING
    at = filled()
    closings = (at.hand.close_slate(answers), at.hand.close_slate(answers[:2]))
    (finish,) = of_kind(at.step(Received(at.hand.evidence("c", *closings))), fx.RoundEnded)
    assert finish.ending is fx.Ending.VOID
    at = filled()
    for finder in "acd":
        at.step(Received(at.hand.evidence(finder, *at.hand.equivocation("f"))))
    assert len(at.state.pool) == 3, "one piece against each"


def test_who_committed_in_an_earlier_life_does_not_decline() -> None:
    """Even where its opening cannot be read any more."""
    first = AtMember(Hand())
    journal, _ = first.generated()
    assert isinstance(journal, fx.Journal)
    again = AtMember(Hand(), restored=Restored({journal.slot: journal.message}))
    assert not contributed(again.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE)))


def test_who_has_committed_does_not_decline() -> None:
    at = AtMember(Hand())
    at.generated()
    assert not at.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE))


@pytest.mark.parametrize(
    ("text", "reason"), [("", DeclineReason.EMPTY), ("fn x() {}" * 10_000, DeclineReason.CAPACITY)]
)
def test_an_answer_that_would_not_count_is_declined(text: str, reason: DeclineReason) -> None:
    at = AtMember(Hand())
    (body,) = contributed(at.step(Generated(replace(at.hand.content("b"), text=text), b"b" * 32)))
    assert isinstance(body, Decline) and body.reason is reason
    assert at.state.opening is None


def test_a_ballot_that_would_be_void_is_declined_and_its_omission_is_no_censorship() -> None:
    at = AtMember(Hand("abcde"))
    hand = at.hand
    at.generated()
    at.close(hand.close_commits("abcde"))
    at.close(hand.close_slate([hand.answer(name) for name in "abcde"]))
    pairs = len(hand.record.assignment[at.state.key])
    (body,) = contributed(at.step(Judged(0, (ABSTAIN,) * pairs)))
    assert isinstance(body, Decline) and (body.phase, body.reason) == (DeclinedPhase.JUDGING, DeclineReason.ABSTAINS)
    assert not at.step(Judged(0, (ONE,) * pairs))
    at.close(hand.close_tally([hand.ballot(name) for name in "acde"]), NOW + 100_000)
    assert at.state.objection is Objection.NONE


def test_a_member_that_restarts_repeats_its_decline_and_asks_its_engine_for_nothing() -> None:
    """R12, for both kinds of work."""
    first = AtMember(Hand())
    journal, _ = first.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE))
    assert isinstance(journal, fx.Journal)
    again = AtMember(Hand(), restored=Restored({journal.slot: journal.message}))
    assert [each.message for each in of_kind(again.begun, fx.Contribute)] == [journal.message]
    assert not of_kind(again.begun, fx.Generate)

    def judging(restored: Restored) -> tuple[AtMember, tuple[fx.Effect, ...]]:
        at = AtMember(Hand(), restored=restored)
        at.close(at.hand.close_commits("acd"))
        return at, at.close(at.hand.close_slate([at.hand.answer(name) for name in "acd"]))

    at, _ = judging(Restored())
    journal, _ = at.step(Unable(DeclinedPhase.JUDGING, 0, DeclineReason.ENGINE))
    assert isinstance(journal, fx.Journal)
    _, effects = judging(Restored({journal.slot: journal.message}))
    assert [each.message for each in of_kind(effects, fx.Contribute)] == [journal.message]
    assert not of_kind(effects, fx.Judge)


def test_an_engine_that_fails_after_the_phase_changes_nothing() -> None:
    at = AtMember(Hand())
    at.close(at.hand.close_commits("acd"))
    assert not at.step(Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.ENGINE))
    assert not at.step(Unable(DeclinedPhase.JUDGING, 0, DeclineReason.ENGINE))


def test_what_a_decline_says_is_small() -> None:
    """It rides along in closings, and costs the certificate little."""
    assert len(codec.encode(Hand("abcd").decline("d").body)) < 256
