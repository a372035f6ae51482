"""Arms of the two round machines, and of the participant around them, that whole rounds do not reach."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from consensus import effects as fx
from consensus import member, requester
from consensus.events import Event, Generated, Judged, Pulled, Received, Tick
from consensus.evidence import Slot
from consensus.member import PULLS_MAX, REPAIR_MS, Restored
from consensus.participant import Participant
from consensus.record import Phase
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import Certificate, CloseSlate, CloseTally, Cosign, Opening, PullReply, PullRequest
from protocol.signing import VerifiedMessage
from protocol.topics import topic
from protocol.types import ABSTAIN, ONE, Digest, Kind, Objection, Outcome, OutcomeReason, StopReason
from tests.support.hand import Hand
from tests.support.swarm import START_MS, Swarm, keypair, params
from tests.unit.consensus.test_certificate import APART, equivocate

NOW = START_MS
GRACE_MS = params().grace_ms


def of_kind(effects: Iterable[fx.Effect], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


class AtRequester:
    """The requester's machine, beside a hand that follows what it publishes."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.state = requester.start(hand.record, hand.pair("a"), NOW).state

    def step(self, event: Event, now_ms: int = NOW) -> tuple[fx.Effect, ...]:
        transition = requester.step(self.state, event, now_ms)
        self.state = transition.state
        self.hand.record = self.state.record
        return transition.effects

    def receive(self, *messages: VerifiedMessage, now_ms: int = NOW) -> list[fx.Effect]:
        return [effect for message in messages for effect in self.step(Received(message), now_ms)]

    def published(self, effects: Iterable[fx.Effect]) -> list[Kind]:
        return [effect.message.kind for effect in of_kind(effects, fx.Publish)]


class AtMember:
    """The machine of the member `b`, beside a hand that says what the others say."""

    def __init__(self, hand: Hand, *, content: str = "Which?", restored: Restored | None = None) -> None:
        self.hand = hand
        begun = member.start(hand.record, hand.pair("b"), content, NOW, restored or Restored())
        self.state, self.begun = begun.state, begun.effects

    def step(self, event: Event, now_ms: int = NOW) -> tuple[fx.Effect, ...]:
        transition = member.step(self.state, event, now_ms)
        self.state = transition.state
        return transition.effects

    def close(self, closing: VerifiedMessage, now_ms: int = NOW, *pool: VerifiedMessage) -> tuple[fx.Effect, ...]:
        """A closing that stands comes to the member, and the hand's record grows with it."""
        extended = self.hand.extend(closing, *pool)
        assert extended is self.hand.record, extended
        return self.step(Received(closing), now_ms)

    def generated(self, now_ms: int = NOW) -> tuple[fx.Effect, ...]:
        return self.step(Generated(self.hand.content("b"), b"b" * 32), now_ms)


def contributed(effects: Iterable[fx.Effect]) -> list[Any]:
    return [effect.message.body for effect in of_kind(effects, fx.Contribute)]


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
    assert at.state.over and of_kind(effects, fx.Finish)[0].outcome is Outcome.FAILED
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


def test_a_certain_winner_ends_the_waves() -> None:
    """R8: the plan has a second wave, the threshold makes it needless."""
    at = AtRequester(Hand("abcde", waves=(1, 2), threshold=1))
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
    (finish,) = of_kind(at.receive(at.hand.evidence("b", *two)), fx.Finish)
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
    assert isinstance(finish, fx.Finish) and finish.ending is fx.Ending.LOST
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
    assert of_kind(effects, fx.Finish)[0].ending is fx.Ending.FINISHED


# -- closings at a member -------------------------------------------------------------------------------------------


def test_a_closing_that_comes_early_waits_and_the_chain_is_pulled() -> None:
    at = AtMember(Hand())
    commits = at.hand.close_commits("abcd")
    at.hand.extend(commits)
    slate = at.hand.close_slate([at.hand.answer(name) for name in "abcd"])
    (pull,) = at.step(Received(slate))
    assert isinstance(pull, fx.Pull) and pull.ids == ()
    assert at.state.early == (slate,)
    assert of_kind(at.step(Received(commits)), fx.Judge)
    assert at.state.early == () and at.state.record.phase is Phase.JUDGING
    assert not at.step(Received(slate)), "a repetition is nothing new"


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
    assert isinstance(finish, fx.Finish) and finish.ending is fx.Ending.VOID
    assert finish.fault is not None and finish.fault.reason is FaultReason.EQUIVOCATION


def test_a_closing_that_breaks_a_rule_voids_the_round_in_silence() -> None:
    at = AtMember(Hand())
    entries: Any = at.hand.close_commits("abcd").body
    backwards = at.hand.seal("a", replace(entries, commitments=entries.commitments[::-1]))
    (finish,) = at.step(Received(backwards))
    assert isinstance(finish, fx.Finish) and finish.fault is not None
    assert (finish.ending, finish.fault.reason) == (fx.Ending.VOID, FaultReason.UNSORTED)


def test_a_tally_that_does_not_follow_is_objected_to() -> None:
    at = AtMember(Hand())
    at.close(at.hand.close_commits("abcd"))
    at.close(at.hand.close_slate([at.hand.answer(name) for name in "abcd"]))
    lie = at.hand.close_tally([at.hand.ballot(name) for name in "abcd"], p_best=ONE)
    effects = at.step(Received(lie))
    assert word(effects) is Objection.MISMATCH
    assert isinstance(effects[-1], fx.Finish) and effects[-1].ending is fx.Ending.VOID


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
    at = AtMember(Hand(content=""), content="")
    assert [type(effect) for effect in at.begun] == [fx.Pull]
    (generate,) = at.step(Pulled((), "Which?"))
    assert isinstance(generate, fx.Generate) and generate.content == "Which?"
    assert not at.step(Pulled((), "Which?")), "asked once"


def test_an_answer_that_is_ready_too_late_is_of_no_use() -> None:
    at = AtMember(Hand())
    at.close(at.hand.close_commits("acd"))
    assert not at.generated() and at.state.opening is None


def test_a_second_answer_is_not_committed_to() -> None:
    at = AtMember(Hand())
    assert len(contributed(at.generated())) == 1
    assert not at.step(Generated(at.hand.content("c"), bytes(32)))


@pytest.mark.parametrize("judged", [(1, (0, 0, 0)), (0, (0, 0)), (0, (0,) * 4), (0, ()), (0, (ABSTAIN, ABSTAIN, 0))])
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


# -- R13: pulls -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served() -> tuple[Swarm, Participant, Digest]:
    """A round that is over, at its requester."""
    swarm = Swarm("abcd", APART)
    query = swarm.ask()
    swarm.run()
    swarm.nodes["a"].participant._rounds[query].served.clear()
    swarm.nodes["a"].participant._rounds[query].served_bytes.clear()
    return swarm, swarm.nodes["a"].participant, query


def pull(from_: Participant, query: Digest, *ids: Digest, by: str = "b") -> list[bytes] | FaultReason:
    reply = from_.serve_pull(keypair(by).public, codec.encode(PullRequest(query=query, ids=ids)))
    if isinstance(reply, Fault):
        return reply.reason
    decoded = codec.decode(PullReply, reply, bytes_max=APART.pull_bytes_max)
    assert isinstance(decoded, PullReply)
    return list(decoded.envelopes)


def test_pulled_once_for_each_member(served: tuple[Swarm, Participant, Digest]) -> None:
    swarm, asked, query = served
    record = swarm.verified().record
    ids = [message.id for message in (*record.answers, *record.ballots)]
    assert pull(asked, query, *ids) == [message.envelope for message in (*record.answers, *record.ballots)]
    assert pull(asked, query, *ids) == []
    assert pull(asked, query, ids[0], by="c") == [record.answers[0].envelope]
    assert pull(asked, query, Digest(bytes(32))) == [], "what no closing names is not there"


def test_the_chain_is_served_again_until_the_budget_is_spent(served: tuple[Swarm, Participant, Digest]) -> None:
    _, asked, query = served
    asked.params = replace(APART, pull_bytes_max=3 * 8_192)
    replies = [pull(asked, query) for _ in range(20)]
    assert isinstance(replies[0], list) and len(replies[0]) == 4
    assert replies[1] == replies[0]
    assert replies[-1] is FaultReason.BUSY
    assert isinstance(pull(asked, query, by="c"), list), "each member has its own budget"


def test_who_may_not_pull(served: tuple[Swarm, Participant, Digest]) -> None:
    _, asked, query = served
    assert pull(asked, query, by="z") is FaultReason.NOT_A_MEMBER
    assert pull(asked, Digest(bytes(32))) is FaultReason.UNKNOWN_ROUND
    for raw, reason in ((b"", FaultReason.MALFORMED), (bytes(8_193), FaultReason.TOO_LARGE)):
        result = asked.serve_pull(keypair("b").public, raw)
        assert isinstance(result, Fault) and result.reason is reason


def test_replies_that_are_nonsense(served: tuple[Swarm, Participant, Digest]) -> None:
    """A fault tells the driver to ask the next source; nothing of the reply is kept."""
    swarm, _, query = served
    member_of = swarm.nodes["b"].participant
    wrong = codec.encode(PullReply(content="What?", envelopes=()))
    forged = codec.encode(PullReply(content="", envelopes=(bytes(100),)))
    nothing = codec.encode(PullReply(content="", envelopes=()))
    for raw in (b"\xc0", wrong, forged, nothing):
        assert isinstance(member_of.pulled(query, raw, swarm.now_ms), Fault)
    assert member_of.pulled(Digest(bytes(32)), wrong, swarm.now_ms) == []


def test_evidence_is_pulled_although_we_found_the_same_ourselves() -> None:
    """Every member saw the equivocation and told of it; the slate names the requester's telling, which is pulled."""
    swarm = Swarm("abcde", APART)
    swarm.interceptors["e"] = equivocate("abcd")
    swarm.ask()
    swarm.run()
    assert swarm.names(swarm.verified().cosigners) == "a b c d"


def test_a_third_message_of_a_slot_is_pulled_when_a_closing_names_it() -> None:
    """`e` shows the requester one answer and b two others, before the requester can list the evidence."""
    swarm = Swarm("abcde", APART)

    def three(world: Swarm, _node: Any, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Contribute) or effect.message.kind is not Kind.ANSWER:
            return None
        body: Any = effect.message.body
        for letter in b"xy":
            other = Hand("abcde", APART).seal("e", replace(body, salt=bytes((letter,)) * 32))
            world.gossip(world.nodes["b"], topic(APART, "rust", 0), other)
        return None

    swarm.interceptors["e"] = three
    swarm.deaf["a"] = lambda message: message.kind is Kind.EVIDENCE
    swarm.ask()
    swarm.run()
    assert swarm.nodes["b"].finished[-1].ending is fx.Ending.FINISHED
