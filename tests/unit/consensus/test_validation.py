"""V1-V9: what is let in, and what the mesh is told of the rest. Each refusal with its verdict."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.record import query_ms
from consensus.rounds import validation
from consensus.rounds.validation import LINGER_MS, OPEN_ROUNDS_MAX, Admitted, Validator
from protocol.conversation import digest_of, single
from protocol.errors import Fault, FaultReason, Verdict
from protocol.limits import STAGES_MAX
from protocol.messages import Cosign, Notice, Offer, Query, Turn
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import DeclinedPhase, Digest, Key, Kind, Role, TaskType, TurnRole
from tests.support.findings import found, plan
from tests.support.hand import Hand, changed_query
from tests.support.swarm import START_MS, keypair, params

NOW = START_MS
PARAMS = params()
TOPIC = topic(PARAMS, "rust", 0)
REJECT, IGNORE, RELAY, DROP = Verdict.REJECT, Verdict.IGNORE, Verdict.RELAY, Verdict.DROP

OFFER = Offer(
    author=keypair("b").public,
    sequence=NOW,
    sent_at_ms=NOW,
    roles=Role.ANSWER,
    specialties=("rust",),
    model="m",
    context_tokens=1,
    milli_tokens_per_second=1,
    queue=0,
    tool_versions="",
    addresses=(),
)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def validator(hand: Hand) -> Validator:
    """One that follows the hand's round."""
    made = Validator(PARAMS)
    assert isinstance(gossip(made, hand.query), Admitted)
    return made


def gossip(
    to: Validator, message: VerifiedMessage, *, now_ms: int = NOW, on: str = TOPIC, source: Key | None = None
) -> Admitted | Fault:
    return to.admit_gossip(on, source or message.author, message.envelope, now_ms)


def stream(to: Validator, message: VerifiedMessage, source: Key | None = None) -> Admitted | Fault:
    return to.admit_stream(source or message.author, message.envelope, NOW)


def pulled(to: Validator, message: VerifiedMessage) -> Admitted | Fault:
    query = to.round_of(message)
    assert query is not None
    return to.admit_pulled(query, message.envelope, NOW)


def refused(result: Admitted | Fault, reason: FaultReason, verdict: Verdict, rule: str) -> None:
    assert isinstance(result, Fault), "it was let in"
    assert (result.reason, result.verdict, result.rule) == (reason, verdict, rule), result


def offer(**changes: Any) -> VerifiedMessage:
    return seal(keypair("b"), PARAMS.digest, replace(OFFER, **changes))


# -- V1: who sends --------------------------------------------------------------------------------------------------


def test_bytes_that_do_not_verify(validator: Validator, hand: Hand) -> None:
    envelope = hand.commit("b").envelope
    forged = envelope[:-1] + bytes((envelope[-1] ^ 1,))
    ways: list[Callable[[], Admitted | Fault]] = [
        lambda: validator.admit_gossip(TOPIC, hand.key("b"), forged, NOW),
        lambda: validator.admit_stream(hand.key("b"), forged, NOW),
        lambda: validator.admit_pulled(hand.record.id, forged, NOW),
    ]
    for way in ways:
        refused(way(), FaultReason.BAD_SIGNATURE, REJECT, "R1")
    assert isinstance(stream(validator, hand.commit("b")), Admitted), "a forgery does not mark the slot"


def test_the_frame_is_the_authors_own(validator: Validator, hand: Hand) -> None:
    refused(gossip(validator, hand.commit("b"), source=hand.key("c")), FaultReason.WRONG_AUTHOR, REJECT, "V1")
    refused(stream(validator, hand.commit("b"), hand.key("c")), FaultReason.WRONG_AUTHOR, REJECT, "V1")
    assert isinstance(pulled(validator, hand.commit("b")), Admitted), "anyone may serve a pull"


def test_only_contributions_go_by_stream(validator: Validator, hand: Hand) -> None:
    others = [offer(), hand.query, hand.close_commits("abcd"), hand.evidence("b", *hand.equivocation("c"))]
    for message in others:
        refused(stream(validator, message), FaultReason.WRONG_AUTHOR, REJECT, "V1")


def test_evidence_may_be_told_by_anyone_once(validator: Validator, hand: Hand) -> None:
    two = hand.equivocation("c")
    assert isinstance(gossip(validator, hand.evidence("b", *two), source=hand.key("d")), Admitted)
    refused(gossip(validator, hand.evidence("d", *two)), FaultReason.DUPLICATE, IGNORE, "V9")
    refused(gossip(validator, hand.evidence("b", *two)), FaultReason.DUPLICATE, IGNORE, "V9")


def test_evidence_that_proves_nothing(validator: Validator, hand: Hand) -> None:
    refused(gossip(validator, _evidence_of_one(hand)), FaultReason.MALFORMED, REJECT, "R3")


def test_evidence_about_an_unknown_round(hand: Hand) -> None:
    message = hand.evidence("b", *hand.equivocation("c"))
    refused(gossip(Validator(PARAMS), message), FaultReason.UNKNOWN_ROUND, IGNORE, "V9")


def _evidence_of_one(hand: Hand) -> VerifiedMessage:
    commit = hand.commit("c")
    return hand.evidence("b", commit, commit)


def test_evidence_about_who_has_no_seat(validator: Validator, hand: Hand) -> None:
    """What a validator remembers of convictions is bounded by the roster."""
    refused(gossip(validator, hand.evidence("b", *hand.equivocation("z"))), FaultReason.NOT_A_MEMBER, IGNORE, "V9")


# -- V2, V3: offers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent_at_ms", [NOW - PARAMS.offer_valid_ms - 1, NOW + PARAMS.clock_skew_ms + 1])
def test_an_offer_not_in_force(sent_at_ms: int) -> None:
    made = Validator(PARAMS)
    refused(gossip(made, offer(sent_at_ms=sent_at_ms)), FaultReason.LATE, IGNORE, "V2")
    assert not made.offers.valid(NOW)


@pytest.mark.parametrize("sent_at_ms", [NOW - PARAMS.offer_valid_ms, NOW, NOW + PARAMS.clock_skew_ms])
def test_an_offer_in_force(sent_at_ms: int) -> None:
    made = Validator(PARAMS)
    assert isinstance(gossip(made, offer(sent_at_ms=sent_at_ms)), Admitted)
    assert [each.author for each in made.offers.valid(NOW)] == [OFFER.author]


@pytest.mark.parametrize("older_by", [0, 1])
def test_an_offer_no_newer_than_ours(older_by: int) -> None:
    made = Validator(PARAMS)
    assert isinstance(gossip(made, offer()), Admitted)
    stale = offer(sequence=NOW - older_by, queue=7)
    refused(gossip(made, stale), FaultReason.DUPLICATE, IGNORE, "V3")
    assert [each.queue for each in made.offers.valid(NOW)] == [0]


# -- V4-V8: queries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "on", [topic(PARAMS, "go", 0), topic(PARAMS, "rust", 1), topic(params("devnet"), "rust", 0), "/strand"]
)
def test_a_query_on_another_topic(hand: Hand, on: str) -> None:
    refused(gossip(Validator(PARAMS), hand.query, on=on), FaultReason.WRONG_TOPIC, REJECT, "R14")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"turns": single("x" * 4_097), "content_digest": digest_of(single("x" * 4_097))}, "P7"),
        ({"answer_ms": 10_001}, "R11"),
        ({"open_ms": 10_001}, "R11"),
        ({"judge_ms": 10_001}, "R11"),
        ({"cosign_ms": 10_001}, "R11"),
        ({"patience_ms": 1_001}, "R11"),
        ({"waves": (1, 1, 1)}, "P6"),
        ({"waves": (5,)}, "P6"),
        ({"max_tokens": 513}, "P6"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_a_query_outside_of_the_networks_parameters(hand: Hand, changes: dict[str, Any], rule: str) -> None:
    refused(gossip(Validator(PARAMS), changed_query(hand, **changes)), FaultReason.OVER_LIMIT, REJECT, rule)


def test_turns_that_are_not_the_digests(hand: Hand) -> None:
    query = changed_query(hand, turns=single("Another?"))
    refused(gossip(Validator(PARAMS), query), FaultReason.MALFORMED, REJECT, "P7")


def test_a_conversation_that_asks_nothing(hand: Hand) -> None:
    """P7: the last turn is the user's, whoever spoke before."""
    answered = (*single("Which?"), Turn(role=TurnRole.ASSISTANT, text="This."))
    query = changed_query(hand, turns=answered, content_digest=digest_of(answered))
    refused(gossip(Validator(PARAMS), query), FaultReason.NO_QUESTION, REJECT, "P7")


def test_all_turns_together_are_bounded(hand: Hand) -> None:
    turns = (Turn(role=TurnRole.SYSTEM, text="x" * 2_048), *single("y" * 2_048))
    query = changed_query(hand, turns=turns, content_digest=digest_of(turns))
    assert isinstance(gossip(Validator(PARAMS), query), Admitted)
    longer = (*turns[:1], *single("y" * 2_049))
    query = changed_query(hand, turns=longer, content_digest=digest_of(longer))
    refused(gossip(Validator(PARAMS), query), FaultReason.OVER_LIMIT, REJECT, "P7")


def test_a_query_at_the_bounds(hand: Hand) -> None:
    text = "x" * 4_096
    query = changed_query(
        hand,
        turns=single(text),
        content_digest=digest_of(single(text)),
        answer_ms=10_000,
        patience_ms=1_000,
        waves=(4, 4),
    )
    assert isinstance(gossip(Validator(PARAMS), query), Admitted)


def test_a_roster_of_too_many() -> None:
    crowd = Hand("abcdefgh", replace(PARAMS, members_max=8))
    seats = crowd.query.body.roster  # type: ignore[union-attr]
    ninth = replace(seats[0], member=keypair("i").public)
    query = changed_query(crowd, roster=tuple(sorted((*seats, ninth), key=lambda seat: seat.member)))
    refused(gossip(Validator(PARAMS), query), FaultReason.OVER_LIMIT, REJECT, "P6")


@pytest.mark.parametrize("order", [lambda seats: seats[::-1], lambda seats: (seats[0], *seats)], ids=["order", "twice"])
def test_a_roster_out_of_order(hand: Hand, order: Callable[[Any], Any]) -> None:
    query = changed_query(hand, roster=order(hand.record.query.roster))
    result = gossip(Validator(PARAMS), query)
    assert isinstance(result, Fault) and result.reason is FaultReason.MALFORMED


def test_a_network_whose_versions_we_do_not_know() -> None:
    """A node that could not recompute a tally takes no part (R8)."""
    future = replace(PARAMS, aggregator="hbt/unknown")
    known = Hand()
    query = seal(keypair("a"), future.digest, known.record.query)
    result = Validator(future).admit_gossip(topic(future, "rust", 0), query.author, query.envelope, NOW)
    refused(result, FaultReason.OVER_LIMIT, REJECT, "R8")


@pytest.mark.parametrize("skew_ms", [-PARAMS.clock_skew_ms - 1, PARAMS.clock_skew_ms + 1])
def test_a_query_of_another_time(hand: Hand, skew_ms: int) -> None:
    refused(gossip(Validator(PARAMS), hand.query, now_ms=NOW + skew_ms), FaultReason.LATE, IGNORE, "V6")


@pytest.mark.parametrize(("off_ms", "taken"), [(-300_000, False), (-500, True), (500, True), (300_000, False)])
def test_clocks_that_are_off(off_ms: int, taken: bool) -> None:
    """Row by row for the network that strangers meet in: half a second is nothing, five minutes are told."""
    devnet = params("devnet")
    made = Validator(devnet)
    ours = Hand("abcd", devnet).query
    told = gossip(made, ours, now_ms=NOW + off_ms, on=topic(devnet, "rust", 0))
    if taken:
        assert isinstance(told, Admitted)
    else:
        refused(told, FaultReason.LATE, IGNORE, "V6")
        assert isinstance(told, Fault) and f"{-off_ms} ms from now" in told.detail


@pytest.mark.parametrize("skew_ms", [-PARAMS.clock_skew_ms, PARAMS.clock_skew_ms])
def test_a_query_just_in_time(hand: Hand, skew_ms: int) -> None:
    assert isinstance(gossip(Validator(PARAMS), hand.query, now_ms=NOW + skew_ms), Admitted)


def test_without_its_journal_a_node_joins_nothing_older_than_itself(hand: Hand) -> None:
    made = Validator(PARAMS, joins_from_ms=NOW + 1)
    refused(gossip(made, hand.query), FaultReason.NOT_OURS, RELAY, "R12")
    refused(gossip(made, hand.query), FaultReason.DUPLICATE, IGNORE, "V7")
    refused(gossip(made, hand.commit("b")), FaultReason.NOT_OURS, RELAY, "V9")
    assert isinstance(gossip(Validator(PARAMS, joins_from_ms=NOW), hand.query), Admitted)


def test_a_query_comes_once(validator: Validator, hand: Hand) -> None:
    refused(gossip(validator, hand.query), FaultReason.DUPLICATE, IGNORE, "V7")
    validator.close(hand.record.id)
    refused(gossip(validator, hand.query), FaultReason.DUPLICATE, IGNORE, "V7")


def test_a_query_is_not_replayed_after_a_restart(hand: Hand) -> None:
    """The guard that the journal restores holds for as long as the query's date would let it in."""
    made = Validator(PARAMS)
    made.guard(hand.record.id, NOW + 2 * PARAMS.clock_skew_ms)
    refused(gossip(made, hand.query), FaultReason.DUPLICATE, IGNORE, "V7")
    refused(gossip(made, hand.query, now_ms=NOW + PARAMS.clock_skew_ms), FaultReason.DUPLICATE, IGNORE, "V7")


def test_no_moment_lets_a_query_in_twice(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    """Also when its round is over and forgotten: the guard outlives the date, in every millisecond that matters."""
    made = Validator(PARAMS)
    early = NOW - PARAMS.clock_skew_ms
    assert isinstance(gossip(made, hand.query, now_ms=early), Admitted)
    made.close(hand.record.id)
    monkeypatch.setattr(validation, "ROUNDS_MAX", 1)
    made.follow(changed_query(hand, nonce=b"o" * 32), early)
    assert hand.record.id not in made._rounds
    for now_ms in range(early, NOW + 2 * PARAMS.clock_skew_ms, 97):
        result = gossip(made, hand.query, now_ms=now_ms)
        assert isinstance(result, Fault) and result.verdict is IGNORE


def test_the_guard_is_bounded(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    monkeypatch.setattr(validation, "GUARD_MAX", 3)
    made = Validator(PARAMS)
    for number in range(5):
        query = changed_query(hand, nonce=bytes((number,)) * 32)
        assert isinstance(gossip(made, query), Admitted)
        made.close(query.id)
    assert len(made._guard) == 3


def test_open_rounds_for_each_key(validator: Validator, hand: Hand) -> None:
    second, third = (changed_query(hand, nonce=letter * 32) for letter in (b"2", b"3"))
    assert isinstance(gossip(validator, second), Admitted)
    refused(gossip(validator, third), FaultReason.TOO_MANY_ROUNDS, RELAY, "V8")
    refused(gossip(validator, third), FaultReason.DUPLICATE, IGNORE, "V7")
    validator.close(second.id)
    assert isinstance(gossip(validator, third), Admitted), "a refusal is not remembered: it may be sent again"


def test_open_rounds_of_all_together(hand: Hand) -> None:
    made = Validator(PARAMS)
    queries = [hand.seal(f"asker {number}", hand.record.query) for number in range(OPEN_ROUNDS_MAX + 1)]
    for query in queries[:-1]:
        assert isinstance(gossip(made, query), Admitted)
    refused(gossip(made, queries[-1]), FaultReason.TOO_MANY_ROUNDS, RELAY, "V8")


def test_rounds_that_are_over_make_room(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    monkeypatch.setattr(validation, "ROUNDS_MAX", 2)
    made = Validator(PARAMS)
    queries = [changed_query(hand, nonce=bytes((number,)) * 32) for number in range(4)]
    for query in queries:
        assert isinstance(gossip(made, query), Admitted)
        made.close(query.id)
    assert list(made._rounds) == [query.id for query in queries[2:]]


# -- V9, R3: in a round ---------------------------------------------------------------------------------------------


def test_who_may_speak(validator: Validator, hand: Hand) -> None:
    """Members contribute, the requester closes; nobody else has a say, and a name is not held against the sender."""
    usurped = hand.seal("b", _body(hand.close_commits("abcd")))
    for stranger in (hand.commit("z"), usurped, hand.seal("b", _notice(hand))):
        refused(gossip(validator, stranger), FaultReason.NOT_A_MEMBER, IGNORE, "V9")
    for speaker in (hand.commit("b"), hand.close_commits("abcd"), hand.seal("a", _notice(hand))):
        assert isinstance(gossip(validator, speaker), Admitted)


def test_an_unknown_round(hand: Hand) -> None:
    for message in (hand.commit("b"), hand.close_commits("abcd")):
        refused(gossip(Validator(PARAMS), message), FaultReason.UNKNOWN_ROUND, IGNORE, "V9")


def test_what_may_be_said_in_a_round_is_bounded_by_its_plan(validator: Validator, hand: Hand) -> None:
    """One wave is planned: else a few members could fill everybody's pool with slots that the round does not have."""
    phases = [(phase, wave) for phase in DeclinedPhase for wave in range(8)]
    planned = [(DeclinedPhase.ANSWERING, 0), (DeclinedPhase.COSIGNING, 0), (DeclinedPhase.JUDGING, 0)]
    for phase, wave in phases:
        result = gossip(validator, hand.decline("b", phase=phase, wave=wave))
        if (phase, wave) in planned:
            assert isinstance(result, Admitted)
        else:
            refused(result, FaultReason.WRONG_PHASE, IGNORE, "V9")
    hand.to_judging()
    refused(gossip(validator, hand.ballot("b", wave=1)), FaultReason.WRONG_PHASE, IGNORE, "V9")
    refused(gossip(validator, hand.close_wave([], wave=1)), FaultReason.WRONG_PHASE, IGNORE, "V9")
    assert isinstance(gossip(validator, hand.ballot("b")), Admitted)


def test_what_may_be_said_while_testing_is_bounded_by_its_stages() -> None:
    hand = Hand("abcdef", PARAMS, findings=plan())
    validator = Validator(PARAMS)
    validator.follow(hand.query, START_MS)
    for stage in range(4):
        result = gossip(validator, hand.decline("b", phase=DeclinedPhase.TESTING, wave=stage))
        if stage < STAGES_MAX:
            assert isinstance(result, Admitted)
        else:
            refused(result, FaultReason.WRONG_PHASE, IGNORE, "V9")


def test_a_round_of_another_task_than_code_has_no_reports() -> None:
    hand = Hand("abcdef", PARAMS, findings=plan(), task=TaskType.FINAL)
    validator = Validator(PARAMS)
    validator.follow(hand.query, START_MS)
    message = hand.report("b", found(0))
    refused(gossip(validator, message), FaultReason.WRONG_PHASE, IGNORE, "V9")


def test_nobody_is_blamed_for_the_round_of_a_query_that_was_not_looked_at(hand: Hand) -> None:
    """Two honest nodes whose budgets admitted different queries of strangers pass on different rounds."""
    made = Validator(PARAMS)
    refused(made.overlook(hand.query.envelope), FaultReason.FLOOD, IGNORE, "V8")
    round_ = (hand.commit("b"), hand.close_commits("abcd"), hand.evidence("b", *hand.equivocation("c")))
    for message in round_:
        refused(gossip(made, message), FaultReason.OVERLOOKED, DROP, "V9")
    assert isinstance(gossip(made, hand.query), Admitted), "it may still be looked at when it comes again"
    for message in round_:
        assert isinstance(gossip(made, message), Admitted)


def test_only_so_many_queries_that_were_not_looked_at_are_remembered(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "OVERLOOKED_MAX", 3)
    made = Validator(PARAMS)
    for number in range(4):
        made.overlook((changed_query(hand, max_tokens=number) if number else hand.query).envelope)
    made.overlook(b"\xff no kind")
    refused(gossip(made, hand.commit("b")), FaultReason.UNKNOWN_ROUND, IGNORE, "V9")


def test_a_full_node_passes_on_nothing_that_others_would_blame_it_for(validator: Validator, hand: Hand) -> None:
    """And notes nothing of the rest: it may come again by stream, or be pulled."""

    def pass_by(to: Validator, message: VerifiedMessage, on: str = TOPIC) -> Fault:
        return to.pass_by(on, message.author, message.envelope)

    wrong, stranger = topic(PARAMS, "rust", 1), Validator(PARAMS)
    over_limit = changed_query(hand, max_tokens=513)
    refused(pass_by(validator, over_limit), FaultReason.OVER_LIMIT, REJECT, "P6")
    for message in (hand.query, hand.commit("b"), hand.evidence("b", *hand.equivocation("c"))):
        refused(pass_by(validator, message, wrong), FaultReason.WRONG_TOPIC, REJECT, "R14")
        refused(pass_by(validator, message), FaultReason.BUSY, RELAY, "V9")
    refused(pass_by(validator, offer(), topic(PARAMS, "python", 0)), FaultReason.WRONG_TOPIC, REJECT, "R14")
    refused(pass_by(validator, offer()), FaultReason.BUSY, RELAY, "V9")
    refused(pass_by(validator, _evidence_of_one(hand)), FaultReason.MALFORMED, REJECT, "R3")
    refused(pass_by(stranger, hand.commit("b")), FaultReason.UNKNOWN_ROUND, IGNORE, "V9")
    refused(pass_by(stranger, hand.query), FaultReason.BUSY, RELAY, "V9")
    refused(pass_by(stranger, hand.commit("b")), FaultReason.OVERLOOKED, DROP, "V9")
    for message in (hand.commit("b"), hand.evidence("b", *hand.equivocation("c")), offer()):
        assert isinstance(gossip(validator, message), Admitted)


def test_the_topic_is_the_querys(validator: Validator, hand: Hand) -> None:
    wrong = topic(PARAMS, "rust", 1)
    refused(gossip(validator, hand.commit("b"), on=wrong), FaultReason.WRONG_TOPIC, REJECT, "R14")
    assert isinstance(gossip(validator, hand.commit("b")), Admitted)


def test_late_after_the_round_is_over(validator: Validator, hand: Hand) -> None:
    """Only the notice, which comes after everything else, is still of interest; the rest is passed on, once."""
    validator.close(hand.record.id)
    for message in (hand.commit("b"), hand.close_commits("abcd")):
        refused(gossip(validator, message), FaultReason.NOT_OURS, RELAY, "V9")
        refused(gossip(validator, message), FaultReason.DUPLICATE, IGNORE, "V7")
    assert isinstance(gossip(validator, hand.seal("a", _notice(hand))), Admitted)


def test_late_after_the_rounds_time(validator: Validator, hand: Hand) -> None:
    end_ms = NOW + query_ms(hand.record.query) + LINGER_MS
    assert isinstance(gossip(validator, hand.commit("b"), now_ms=end_ms), Admitted)
    refused(gossip(validator, hand.commit("c"), now_ms=end_ms + 1), FaultReason.LATE, IGNORE, "V9")
    refused(gossip(validator, hand.seal("a", _notice(hand)), now_ms=end_ms + 1), FaultReason.LATE, IGNORE, "V9")


def test_a_round_takes_all_its_budgets(hand: Hand) -> None:
    query = replace(hand.record.query, answer_ms=1, open_ms=20, judge_ms=300, cosign_ms=5_000, waves=(1, 1))
    assert query_ms(query) == 5_621


def test_duplicates(validator: Validator, hand: Hand) -> None:
    """The same message by stream and by gossip is one message."""
    assert isinstance(stream(validator, hand.commit("b")), Admitted)
    refused(gossip(validator, hand.commit("b")), FaultReason.DUPLICATE, IGNORE, "V7")


def test_what_a_closing_names_is_pulled_whatever_we_have_seen(validator: Validator, hand: Hand) -> None:
    """Neither a full slot nor evidence of our own about it keeps us from what counts."""
    two = hand.equivocation("b")
    for message in two:
        gossip(validator, message)
    validator.admit_own_evidence(hand.evidence("a", *two))
    for message in (hand.commit("b"), two[0], hand.evidence("c", *two)):
        assert pulled(validator, message) == Admitted(message)


def test_a_closing_that_we_pulled_is_passed_on_when_it_is_gossiped(validator: Validator, hand: Hand) -> None:
    closing = hand.close_commits("abcd")
    assert pulled(validator, closing) == Admitted(closing)
    refused(gossip(validator, closing), FaultReason.NOT_OURS, RELAY, "V9")
    refused(gossip(validator, closing), FaultReason.DUPLICATE, IGNORE, "V7")


def test_a_bystander_passes_on_what_belongs_to_an_admitted_query_only(validator: Validator, hand: Hand) -> None:
    """Two messages for each slot of who may speak, once each, until the last budget and a linger are over."""
    validator.close(hand.record.id)
    passed = [*hand.equivocation("b"), hand.commit("c"), hand.close_commits("abcd")]
    for message in passed:
        refused(gossip(validator, message), FaultReason.NOT_OURS, RELAY, "V9")
    for message in passed:
        refused(gossip(validator, message), FaultReason.DUPLICATE, IGNORE, "V7")
    refused(gossip(validator, hand.commit("b")), FaultReason.SLOT_FULL, IGNORE, "R3")
    refused(gossip(validator, hand.commit("z")), FaultReason.NOT_A_MEMBER, IGNORE, "V9")
    end_ms = NOW + query_ms(hand.record.query) + LINGER_MS
    refused(gossip(validator, hand.commit("d"), now_ms=end_ms), FaultReason.NOT_OURS, RELAY, "V9")
    refused(gossip(validator, hand.commit("a"), now_ms=end_ms + 1), FaultReason.LATE, IGNORE, "V9")


def test_the_messages_of_a_round_that_we_have_no_room_for_are_passed_on(validator: Validator, hand: Hand) -> None:
    second, third = (changed_query(hand, nonce=letter * 32) for letter in (b"2", b"3"))
    gossip(validator, second)
    refused(gossip(validator, third), FaultReason.TOO_MANY_ROUNDS, RELAY, "V8")
    commit = hand.seal("b", replace(_body(hand.commit("b")), query=third.id))
    refused(gossip(validator, commit), FaultReason.NOT_OURS, RELAY, "V9")
    refused(gossip(validator, commit), FaultReason.DUPLICATE, IGNORE, "V7")


def test_a_flood_of_queries_makes_room_at_its_authors_expense(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    monkeypatch.setattr(validation, "ROUNDS_MAX", 4)
    made = Validator(PARAMS)
    assert isinstance(gossip(made, hand.query), Admitted)
    made.close(hand.record.id)
    for number in range(20):
        query = hand.seal("flooder", replace(hand.record.query, nonce=bytes((number,)) * 32))
        assert isinstance(gossip(made, query), Admitted)
        made.close(query.id)
    assert len(made._rounds) == 4
    refused(gossip(made, hand.commit("b")), FaultReason.NOT_OURS, RELAY, "V9")


def test_an_offer_that_comes_too_soon_stops_here() -> None:
    made = Validator(PARAMS)
    assert isinstance(gossip(made, offer()), Admitted)
    refused(gossip(made, offer(sequence=NOW + 1)), FaultReason.FLOOD, IGNORE, "V3")


def test_a_pull_is_of_one_round(validator: Validator, hand: Hand) -> None:
    elsewhere = Hand(nonce=b"o" * 32)
    for message in (elsewhere.query, elsewhere.commit("b"), elsewhere.close_commits("abcd"), offer()):
        result = validator.admit_pulled(hand.record.id, message.envelope, NOW)
        refused(result, FaultReason.UNKNOWN_ROUND, IGNORE, "R13")


def test_pulled_closings_show_their_rivals(validator: Validator, hand: Hand) -> None:
    """A requester that says one thing by gossip and another by stream is found out."""
    first, second = hand.close_commits("abcd"), hand.close_commits("abc")
    assert gossip(validator, first) == Admitted(first)
    assert pulled(validator, second) == Admitted(second, rival=first)


def test_a_slot_holds_two(validator: Validator, hand: Hand) -> None:
    """R3: the second, different message comes with its rival, which is the proof; a third adds nothing."""
    first, second = hand.equivocation("b")
    assert gossip(validator, first) == Admitted(first)
    assert gossip(validator, second) == Admitted(second, rival=first)
    refused(gossip(validator, hand.commit("b")), FaultReason.SLOT_FULL, IGNORE, "R3")
    refused(gossip(validator, second), FaultReason.DUPLICATE, IGNORE, "V7")
    assert isinstance(gossip(validator, hand.commit("c")), Admitted)


def test_each_wave_is_a_slot_of_its_own() -> None:
    hand = Hand("abcde", waves=(1, 2))
    made = Validator(PARAMS)
    assert isinstance(gossip(made, hand.query), Admitted)
    hand.to_judging()
    ballot = hand.ballot("b")
    assert gossip(made, ballot) == Admitted(ballot)
    later = hand.seal("b", replace(_body(ballot), wave=1))
    assert gossip(made, later) == Admitted(later)


def test_a_refused_message_marks_nothing_seen(validator: Validator, hand: Hand) -> None:
    """A message is marked last: what is refused today for its source is taken tomorrow from its author."""
    message = hand.commit("b")
    refused(gossip(validator, message, source=hand.key("d")), FaultReason.WRONG_AUTHOR, REJECT, "V1")
    refused(gossip(validator, message, on="/strand"), FaultReason.WRONG_TOPIC, REJECT, "R14")
    assert gossip(validator, message) == Admitted(message)


def test_what_evidence_of_our_own_is_about(validator: Validator, hand: Hand) -> None:
    two = hand.equivocation("c")
    evidence = hand.evidence("a", *two)
    assert validator.round_of(evidence) == hand.record.id
    assert validator.admit_own_evidence(evidence) == hand.record.id
    assert validator.admit_own_evidence(evidence) is None, "told once"
    assert validator.admit_own_evidence(hand.evidence("b", *two)) is None


def test_who_signs_everything_twice_is_told_of_once(validator: Validator, hand: Hand) -> None:
    """R3: one piece of evidence removes a member from the round; for each slot of each of sixty strangers, honest
    nodes published hundreds, and were banned by each other for what most of them had found as well."""
    first = hand.evidence("a", *hand.equivocation("c"))
    on = hand.record.head
    cosigns = [hand.cosign("c", on=Digest(bytes((x,)) * 32)) for x in b"xy"]
    assert validator.admit_own_evidence(first) == on
    assert validator.admit_own_evidence(hand.evidence("a", *cosigns)) is None
    others = hand.evidence("a", *hand.equivocation("d"))
    assert validator.admit_own_evidence(others) == on, "another member"
    assert isinstance(gossip(validator, hand.evidence("b", *cosigns)), Admitted), "others may show another slot"


def test_the_round_of_a_message(validator: Validator, hand: Hand) -> None:
    assert validator.round_of(offer()) is None
    assert validator.round_of(hand.query) == hand.record.id
    assert validator.round_of(hand.cosign("b")) == hand.record.id
    assert validator.round_of(_evidence_of_one(hand)) is None


def _notice(hand: Hand) -> Notice:
    zero = Digest(bytes(32))
    return Notice(author=hand.key("a"), query=hand.record.id, on=zero, certificate_digest=zero, certificate_bytes=1)


def _body(message: VerifiedMessage) -> Any:
    assert not isinstance(message.body, Query | Cosign) and message.kind is not Kind.OFFER
    return message.body
