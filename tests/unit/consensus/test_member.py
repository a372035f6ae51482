"""The member's arms that the transcripts do not reach."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.evidence import Slot
from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from consensus.rounds import member
from consensus.rounds.events import Generated, Judged, Pulled, Received, Tick
from consensus.rounds.member import PULLS_MAX, REPAIR_MS
from consensus.rounds.membership import Restored
from protocol import codec
from protocol.conversation import single
from protocol.errors import FaultReason
from protocol.messages import AnswerContent, Cosign, Decline, Opening
from protocol.types import ABSTAIN, ONE, Digest, FinishReason, Kind, Objection
from tests.support.hand import Hand
from tests.support.machines import GRACE_MS, NOW, AtMember, contributed, of_kind
from tests.support.swarm import params

# -- a member and time ----------------------------------------------------------------------------------------------


def test_overdue_closings_are_pulled_and_then_given_up() -> None:
    """A dead requester holds a member's memory for a bounded time."""
    at = AtMember(Hand())
    assert at.state.wake_at_ms == NOW + 2_000 + REPAIR_MS
    assert not at.step(Tick(), at.state.wake_at_ms - 1)
    for _ in range(PULLS_MAX):
        now_ms = at.state.wake_at_ms
        (pull,) = at.step(Tick(), now_ms)
        assert isinstance(pull, fx.Pull) and pull.ids == ()
        assert at.state.wake_at_ms == now_ms + REPAIR_MS
    (finish,) = at.step(Tick(), at.state.wake_at_ms)
    assert isinstance(finish, fx.RoundEnded) and finish.ending is fx.Ending.LOST
    assert at.state.over and not at.step(Tick(), NOW + 10**9) and not at.generated()


def test_a_closing_renews_the_patience() -> None:
    at = AtMember(Hand())
    for _ in range(PULLS_MAX):
        at.step(Tick(), at.state.wake_at_ms)
    at.close(at.hand.close_commits("abcd"), NOW + 12_000)
    assert at.state.pulls == 0 and at.state.wake_at_ms == NOW + 12_000 + 1_000 + REPAIR_MS


def test_pulls_ask_the_requester_first_then_the_others() -> None:
    at = AtMember(Hand("abcde"))
    (pull,) = at.step(Tick(), at.state.wake_at_ms)
    assert isinstance(pull, fx.Pull)
    assert pull.sources[0] == at.hand.key("a") and at.state.key not in pull.sources
    assert sorted(pull.sources) == sorted(at.hand.key(name) for name in "acde")


# -- R10: what a closing leaves out ---------------------------------------------------------------------------------


def word(effects: Iterable[fx.Effect]) -> Objection:
    (body,) = contributed(effects)
    assert isinstance(body, Cosign)
    return body.objection


@pytest.mark.parametrize(
    ("held_ms", "listed", "expected"),
    [
        (GRACE_MS, False, Objection.CENSORED),
        (GRACE_MS - 1, False, Objection.NONE),
        (GRACE_MS, True, Objection.NONE),
    ],
)
def test_evidence_that_a_closing_omits(held_ms: int, listed: bool, expected: Objection) -> None:
    at = AtMember(Hand("abcde"))
    hand = at.hand
    evidence = hand.evidence("b", *hand.equivocation("e"))
    at.close(hand.close_commits("abcd"))
    at.step(Received(evidence), NOW)
    named = (evidence.id,) if listed else ()
    answers = [hand.answer(name) for name in "abcd"]
    at.close(hand.close_slate(answers, evidence=named), NOW + held_ms, evidence)
    assert at.state.objection is expected


def test_evidence_is_not_missed_in_the_commits_closing() -> None:
    """It lists none; the slate is the first that can."""
    at = AtMember(Hand("abcde"))
    at.step(Received(at.hand.evidence("b", *at.hand.equivocation("e"))), NOW)
    at.close(at.hand.close_commits("abcde"), NOW + 10 * GRACE_MS)
    assert at.state.objection is Objection.NONE


def test_evidence_about_a_stranger_is_no_cause() -> None:
    at = AtMember(Hand())
    hand = at.hand
    at.step(Received(hand.evidence("b", *hand.equivocation("z"))), NOW)
    at.close(hand.close_commits("abcd"))
    at.close(hand.close_slate([hand.answer(name) for name in "abcd"]), NOW + GRACE_MS)
    assert at.state.objection is Objection.NONE


@pytest.mark.parametrize(("after_ms", "expected"), [(GRACE_MS, Objection.CENSORED), (GRACE_MS - 1, Objection.NONE)])
@pytest.mark.parametrize("omitted", ["commit", "answer", "ballot"])
def test_our_own_that_a_closing_omits(omitted: str, after_ms: int, expected: Objection) -> None:
    at = AtMember(Hand("abcde"))
    hand = at.hand
    at.generated()
    commits = "acde" if omitted == "commit" else "abcde"
    at.close(hand.close_commits(commits), NOW + (after_ms if omitted == "commit" else 0))
    answers = "acde" if omitted in ("commit", "answer") else "abcde"
    late = NOW + (after_ms if omitted == "answer" else 0)
    at.close(hand.close_slate([hand.answer(name) for name in answers]), late)
    at.step(Judged(0, (ONE,) * len(hand.record.assignment[at.state.key])), NOW)
    mine = at.state.sent[Slot(hand.record.id, at.state.key, Kind.BALLOT, 0)].message
    ballots = [hand.ballot(name) for name in "acde"] + ([] if omitted == "ballot" else [mine])
    effects = at.close(hand.close_tally(ballots), NOW + (after_ms if omitted == "ballot" else 0))
    assert word(effects) is expected
    assert of_kind(effects, fx.RoundEnded)[0].ending is fx.Ending.FINISHED


def test_what_was_never_delivered_is_not_censored() -> None:
    at = AtMember(Hand("abcde"))
    at.step(Generated(at.hand.content("b"), b"b" * 32), delivered=False)
    at.close(at.hand.close_commits("acde"), NOW + 10 * GRACE_MS)
    assert at.state.objection is Objection.NONE


def test_a_closing_is_judged_by_when_it_came() -> None:
    """A pull that takes long must not make the requester look late."""
    at = AtMember(Hand())
    hand = at.hand
    at.generated()
    commits = hand.close_commits("acd")
    hand.extend(commits)
    slate = hand.close_slate([hand.answer(name) for name in "acd"])
    at.step(Received(slate), NOW)
    at.step(Received(hand.evidence("a", *hand.equivocation("d"))), NOW)
    at.step(Received(commits), NOW + GRACE_MS - 1)
    assert at.state.record.phase is Phase.JUDGING
    assert at.state.objection is Objection.NONE


@pytest.mark.parametrize("text", ["", "// nothing to say", "=" * 70_000, "x" * (params().answer_bytes_max + 1)])
def test_an_answer_that_would_not_count_is_not_committed_to(text: str) -> None:
    at = AtMember(Hand())
    content = replace(at.hand.content("b"), text=text)
    (body,) = contributed(at.step(Generated(content, b"b" * 32)))
    assert isinstance(body, Decline) and at.state.opening is None


# -- closings at a member -------------------------------------------------------------------------------------------


def test_a_closing_that_comes_early_waits_and_the_chain_is_pulled() -> None:
    at = AtMember(Hand())
    commits = at.hand.close_commits("abcd")
    at.hand.extend(commits)
    slate = at.hand.close_slate([at.hand.answer(name) for name in "abcd"])
    (pull,) = at.step(Received(slate))
    assert isinstance(pull, fx.Pull) and pull.ids == ()
    assert [early.message for early in at.state.early] == [slate]
    assert of_kind(at.step(Received(commits)), fx.Judge)
    assert at.state.early == () and at.state.record.phase is Phase.JUDGING
    assert not at.step(Received(slate)), "a repetition is nothing new"


class CutHand(Hand):
    """All answers but the one of "a" were cut."""

    def content(self, name: str) -> AnswerContent:
        return replace(super().content(name), finish=FinishReason.STOP if name == "a" else FinishReason.LENGTH)


@pytest.mark.parametrize(("hand", "uncut"), [(Hand, "abcd"), (CutHand, "a")])
def test_a_judge_hears_which_answers_were_cut(hand: type[Hand], uncut: str) -> None:
    chain = hand().to_judging().record.closings
    (judging,) = of_kind(AtMember(Hand()).step(Pulled(tuple(reversed(chain)))), fx.Judge)
    shown = {text for pair in judging.pairs for text in pair}
    assert len(shown) > 1
    assert judging.cut == shown - {hand().content(name).text for name in uncut}


def test_the_whole_chain_at_once_in_any_order() -> None:
    hand = Hand().to_judging()
    at = AtMember(Hand())
    at.step(Pulled(tuple(reversed(hand.record.closings))))
    assert at.state.record.phase is Phase.JUDGING


def test_early_closings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "EARLY_MAX", 2)
    at = AtMember(Hand())
    for wave in range(4):
        at.step(Received(at.hand.close_wave([], wave=wave, prev=Digest(bytes(32)))))
    assert len(at.state.early) == 2


def test_somebody_elses_closing_is_nothing() -> None:
    at = AtMember(Hand())
    body: Any = at.hand.close_commits("abcd").body
    assert not at.step(Received(at.hand.seal("c", body))) and not at.state.early


def test_two_closings_of_one_slot_void_the_round() -> None:
    """R2: also when the first of them is taken already."""
    at = AtMember(Hand())
    other = at.hand.close_commits("abc")
    at.close(at.hand.close_commits("abcd"))
    (finish,) = at.step(Received(other))
    assert isinstance(finish, fx.RoundEnded) and finish.ending is fx.Ending.VOID
    assert finish.fault is not None and finish.fault.reason is FaultReason.EQUIVOCATION


def test_a_closing_that_breaks_a_rule_voids_the_round_in_silence() -> None:
    at = AtMember(Hand())
    entries: Any = at.hand.close_commits("abcd").body
    backwards = at.hand.seal("a", replace(entries, commitments=entries.commitments[::-1]))
    (finish,) = at.step(Received(backwards))
    assert isinstance(finish, fx.RoundEnded) and finish.fault is not None
    assert (finish.ending, finish.fault.reason) == (fx.Ending.VOID, FaultReason.UNSORTED)


def test_a_tally_that_does_not_follow_is_objected_to() -> None:
    at = AtMember(Hand())
    at.close(at.hand.close_commits("abcd"))
    at.close(at.hand.close_slate([at.hand.answer(name) for name in "abcd"]))
    lie = at.hand.close_tally([at.hand.ballot(name) for name in "abcd"], p_best=ONE)
    effects = at.step(Received(lie))
    assert word(effects) is Objection.MISMATCH
    assert isinstance(effects[-1], fx.RoundEnded) and effects[-1].ending is fx.Ending.VOID


def test_what_a_closing_names_is_pulled_and_taken_from_anywhere() -> None:
    at = AtMember(Hand())
    hand = at.hand
    at.close(hand.close_commits("abcd"))
    answers = [hand.answer(name) for name in "abcd"]
    slate = hand.close_slate(answers, ride_along=())
    (pull,) = at.step(Received(slate))
    assert isinstance(pull, fx.Pull) and set(pull.ids) == {answer.id for answer in answers}
    assert not at.step(Received(answers[0])) and len(at.state.missing) == 3
    (again,) = at.step(Tick(), at.state.wake_at_ms)
    assert isinstance(again, fx.Pull) and set(again.ids) == {answer.id for answer in answers[1:]}
    assert of_kind(at.step(Pulled(tuple(answers[1:]))), fx.Judge)
    assert at.state.record.phase is Phase.JUDGING and not at.state.missing


def test_the_pool_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "POOL_MAX", 3)
    at = AtMember(Hand("abcde"))
    hand = at.hand.to_opening()
    for name in "acde":
        at.step(Received(hand.answer(name)))
    assert len(at.state.pool) == 3


def test_commitments_and_cosignatures_are_not_pooled() -> None:
    at = AtMember(Hand())
    at.step(Received(at.hand.commit("c")))
    at.step(Received(at.hand.cosign("c")))
    assert not at.state.pool


# -- work -----------------------------------------------------------------------------------------------------------


def test_a_private_querys_text_is_pulled_before_anything() -> None:
    at = AtMember(Hand(turns=()), turns=())
    assert [type(effect) for effect in at.begun] == [fx.Pull]
    (generate,) = at.step(Pulled((), single("Which?")))
    assert isinstance(generate, fx.Generate) and generate.turns == single("Which?")
    assert not at.step(Pulled((), single("Which?"))), "asked once"


def test_an_answer_that_is_ready_too_late_is_of_no_use() -> None:
    at = AtMember(Hand())
    at.close(at.hand.close_commits("acd"))
    assert not at.generated() and at.state.opening is None


def test_a_second_answer_is_not_committed_to() -> None:
    at = AtMember(Hand())
    assert len(contributed(at.generated())) == 1
    assert not at.step(Generated(at.hand.content("c"), bytes(32)))


@pytest.mark.parametrize("judged", [(1, (0, 0, 0)), (0, (0, 0)), (0, (0,) * 4), (0, ())])
def test_judgements_that_make_no_ballot(judged: tuple[int, tuple[int, ...]]) -> None:
    at = AtMember(Hand())
    assert not at.step(Judged(0, (0, 0, 0))), "nothing is judged yet"
    at.close(at.hand.close_commits("abcd"))
    at.close(at.hand.close_slate([at.hand.answer(name) for name in "abcd"]))
    assert not at.step(Judged(*judged))
    assert len(contributed(at.step(Judged(0, (ABSTAIN, 0, ONE))))) == 1


def test_an_earlier_life_is_repeated_byte_for_byte() -> None:
    """R12: a fresh engine or another salt changes nothing."""
    first = AtMember(Hand())
    (journal, _) = first.generated()
    assert isinstance(journal, fx.Journal)
    opening = codec.decode(Opening, journal.secret)
    assert isinstance(opening, Opening)
    again = AtMember(Hand(), restored=Restored({journal.slot: journal.message}, opening))
    assert [each.message for each in of_kind(again.begun, fx.Contribute)] == [journal.message]
    assert not of_kind(again.begun, fx.Generate) and not of_kind(again.begun, fx.Journal)


def test_an_earlier_life_in_another_chain_makes_us_silent() -> None:
    """R12, R2: the slot is filled, and what fills it acts on a closing that is not here."""
    hand = Hand().to_judging()
    elsewhere = hand.ballot("b", on=Digest(bytes(32)))
    slot = Slot(hand.record.id, hand.key("b"), Kind.BALLOT, 0)
    at = AtMember(Hand(), restored=Restored({slot: elsewhere}))
    at.close(at.hand.close_commits("abcd"))
    effects = at.close(at.hand.close_slate([at.hand.answer(name) for name in "abcd"]))
    assert not of_kind(effects, fx.Contribute) and not of_kind(effects, fx.Judge)
