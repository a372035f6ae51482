"""What those who follow a round hear of it, and when; the rounds are real ones, in virtual time."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
import trio

from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from node.api import events
from node.api.events import PLAIN_KEYS, BaseEvent, RoundEvent
from node.rounds.following import telling
from node.rounds.following.hub import REQUESTER, Subscription
from node.rounds.following.observer import PROGRESS_MS
from protocol.types import ONE, CompileStatus, DeclineReason, Digest, Key
from tests.support.findings import found, plan
from tests.support.observed import ObservedSwarm, asks

QUERY: Final = Digest(b"q" * 32)


def heard(subscription: Subscription) -> list[BaseEvent]:
    """All that waits."""
    found = []
    with pytest.raises((trio.WouldBlock, trio.EndOfChannel)):
        while True:
            found.append(subscription.receive_nowait())
    return found


def kinds(found: Sequence[BaseEvent]) -> list[str]:
    """Their kinds, phases and roles in order, each run of one kind once."""
    told: list[str] = []
    for each in found:
        name = msgspec.to_builtins(each)["event"]
        if isinstance(each, events.Progress):
            name = f"{name} {each.phase}"
        if isinstance(each, events.Ended):
            name = f"{name} {each.role}"
        if told[-1:] != [name]:
            told.append(name)
    return told


def test_a_round_is_told_from_the_question_to_the_end_in_order() -> None:
    swarm = ObservedSwarm("abcd")
    with swarm.hub.subscribe() as everything:
        swarm.begin(waves=(2, 2))
        swarm.run()
        found = heard(everything)
    assert kinds(found) == [
        "asked",
        "progress answering",
        "joined",
        "generation_started",
        "progress answering",
        "progress opening",
        "answer_opened",
        "progress judging",
        "judging_started",
        "progress judging",
        "ballot_counted",
        "strengths",
        "progress judging",
        "judging_started",
        "progress judging",
        "ballot_counted",
        "strengths",
        "decided",
        "progress cosigning",
        "ended member",
        "progress cosigning",
        "certified",
        "ended requester",
    ]
    assert [each.seq for each in found] == list(range(1, len(found) + 1))
    assert [each.at_ms for each in found] == sorted(each.at_ms for each in found)
    assert {each.query_id for each in found} == {found[0].query_id}
    assert not any(each.missed for each in found)
    assert [msgspec.json.decode(msgspec.json.encode(each), type=RoundEvent) for each in found] == found


def test_what_is_told_is_what_the_certificate_says() -> None:
    """Answers, ballots with their pairs, and the last strengths are those that anybody recounts."""
    swarm = ObservedSwarm("abcd")
    with swarm.hub.subscribe() as everything:
        swarm.begin(waves=(2, 2))
        swarm.run()
        found = heard(everything)
    verified = swarm.verified()
    record, ranking = verified.record, verified.ranking
    opened = [each for each in found if isinstance(each, events.AnswerOpened)]
    assert [(each.number, each.answer_id) for each in opened] == [
        (number, message.id.hex()) for number, message in enumerate(record.answers)
    ]
    assert {(each.answer_tokens, each.finish) for each in opened} == {(20, "stop")}
    ballots = [each for each in found if isinstance(each, events.BallotCounted)]
    assert [telling.ballot(message) for message in record.ballots] == [
        msgspec.structs.replace(each, query_id="", at_ms=0, seq=0) for each in ballots
    ]
    assert Counter(each.wave for each in ballots) == {0: 4, 1: 4}
    assert {pair.preference for each in ballots for pair in each.pairs} <= {ONE * 9 // 10 / ONE, ONE // 10 / ONE}
    *_, strengths = [each for each in found if isinstance(each, events.Strengths)]
    assert [(each.author, each.strength) for each in strengths.ranking] == [
        (each.author.hex(), each.strength / 1e6) for each in ranking.ranked
    ]
    for each in strengths.ranking:
        assert each.interval is not None and each.interval[0] < each.strength < each.interval[1]
    (decided,) = [each for each in found if isinstance(each, events.Decided)]
    winner = record.contents[ranking.ranked[0].answer]
    assert (decided.winner, decided.answer) == (ranking.winner.hex(), winner.text)
    assert (decided.finish, decided.prompt_tokens, decided.answer_tokens) == (winner.finish, 10, 20)
    assert decided.stop is ranking.stop


def test_the_plan_of_a_round_is_told_with_its_beginning() -> None:
    swarm = ObservedSwarm("abcd")
    with swarm.hub.subscribe() as everything:
        swarm.begin(waves=(2, 1))
        swarm.run()
        asked, *_ = [each for each in heard(everything) if isinstance(each, events.Asked)]
    query = swarm.verified().record.query
    assert (asked.waves, asked.threshold) == ((2, 1), query.threshold / ONE)
    assert list(asked.budgets_ms) == ["answering", "opening", "judging", "cosigning"]
    assert asked.budgets_ms["judging"] == query.judge_ms


def test_who_fetches_the_text_of_a_private_query_is_told_once() -> None:
    """The asker's own member has the text already; a published text is nobody's to fetch."""
    swarm = ObservedSwarm("abcd")
    with swarm.hub.subscribe(kinds=[events.TextSent]) as sent:
        swarm.begin(turns=())
        swarm.run()
        assert isinstance(swarm.verified().ranking.winner, bytes)
        members = [swarm.name(bytes.fromhex(each.member)) for each in heard(sent) if isinstance(each, events.TextSent)]
        assert sorted(members) == ["b", "c", "d"]
        swarm = ObservedSwarm("abcd")
        swarm.begin()
        swarm.run()
        assert heard(sent) == []


def test_an_asker_is_told_its_own_events_alone() -> None:
    swarm = ObservedSwarm("abc")
    with swarm.hub.subscribe(kinds=PLAIN_KEYS, roles=REQUESTER) as asked:
        swarm.begin()
        swarm.run()
        found = heard(asked)
    assert {type(each) for each in found} == set(PLAIN_KEYS)
    assert [each.role for each in found if isinstance(each, events.Ended)] == ["requester"]


def test_a_member_that_declines_says_so() -> None:
    swarm = ObservedSwarm("abcd")
    swarm.nodes["a"].unable_to_judge = DeclineReason.ENGINE
    with swarm.hub.subscribe(kinds=[events.Declined]) as declined:
        swarm.begin(waves=(3,))
        swarm.run()
        (told,) = heard(declined)
    assert isinstance(told, events.Declined)
    assert (told.phase, told.wave, told.reason) == ("judging", 0, "engine")


def test_who_comes_late_is_told_what_follows() -> None:
    swarm = ObservedSwarm("abcd")
    swarm.begin(waves=(2, 2))
    swarm.run(until_ms=200)
    with swarm.hub.subscribe() as late:
        swarm.run()
        found = heard(late)
    assert kinds(found)[0].startswith("progress judging")
    assert "answer_opened" not in kinds(found)
    assert {each.wave for each in found if isinstance(each, events.BallotCounted)} == {0, 1}
    assert kinds(found)[-1] == "ended requester"


def test_where_nobody_listens_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever listens to another round, or to other kinds, costs no more."""

    def made(*_: object) -> BaseEvent:
        raise AssertionError("nobody listens to this")

    for name in ("asked", "progress", "answer", "ballot", "strengths", "decided", "ended"):
        monkeypatch.setattr(telling, name, made)
    monkeypatch.setattr(telling, "rank", made)
    swarm = ObservedSwarm("abcd")
    with swarm.hub.subscribe(QUERY), swarm.hub.subscribe(kinds=[events.Certified]) as certified:
        swarm.begin(waves=(2, 2))
        swarm.run()
        assert len(heard(certified)) == 1
    assert swarm.observer.wake_at_ms is None


# -- progress ----------------------------------------------------------------------------------------------------------


def progress(query: Digest, received: int, phase: Phase = Phase.ANSWERING) -> fx.Progress:
    """Told by the number of members that are in."""
    return fx.Progress(query, phase, 0, frozenset(Key(bytes([n]) * 32) for n in range(received)), frozenset())


def told(subscription: Subscription) -> list[tuple[int, str, int]]:
    """When, of which phase, and how many are in."""
    found = [each for each in heard(subscription) if isinstance(each, events.Progress)]
    return [(each.at_ms, each.phase, len(each.received)) for each in found]


def begun() -> tuple[ObservedSwarm, Digest]:
    """A round of whose effects only those are told that the test makes up."""
    swarm = ObservedSwarm("abc")
    swarm.observer.asked(QUERY, swarm.query(), asks())
    return swarm, QUERY


def test_a_phase_is_told_at_once_and_its_progress_now_and_then() -> None:
    swarm, query = begun()
    began_ms = swarm.now_ms
    with swarm.hub.subscribe(query) as following:
        swarm.observer.saw(progress(query, 0))
        assert told(following) == [(0, "answering", 0)]
        for received in (1, 2):
            swarm.now_ms += 1
            swarm.observer.saw(progress(query, received))
        assert swarm.observer.wake_at_ms == began_ms + PROGRESS_MS
        swarm.observer.tick(began_ms + PROGRESS_MS - 1)
        assert told(following) == []
        swarm.observer.tick(began_ms + PROGRESS_MS)
        assert told(following) == [(2, "answering", 2)]
        assert swarm.observer.wake_at_ms is None
        swarm.now_ms = began_ms + PROGRESS_MS + 1
        swarm.observer.saw(progress(query, 3))
        assert swarm.observer.wake_at_ms == began_ms + 2 * PROGRESS_MS


def test_what_was_held_comes_before_the_next_phase_and_before_a_result() -> None:
    swarm, query = begun()
    with swarm.hub.subscribe(query) as following:
        for received, phase in ((0, Phase.ANSWERING), (7, Phase.ANSWERING), (0, Phase.OPENING), (3, Phase.OPENING)):
            swarm.observer.saw(progress(query, received, phase))
            swarm.now_ms += 1
        swarm.observer.saw(fx.RoundEnded(query, "requester", fx.Ending.FINISHED))
        found = heard(following)
    assert [each.at_ms for each in found] == [0, 1, 2, 3, 4]
    assert kinds(found) == ["progress answering", "progress opening", "ended requester"]
    assert swarm.observer.wake_at_ms is None


def test_progress_that_nobody_hears_is_not_held() -> None:
    swarm, query = begun()
    for received in range(3):
        swarm.observer.saw(progress(query, received))
    assert swarm.observer.wake_at_ms is None


def test_a_round_that_tests_tells_reports_and_what_they_settle() -> None:
    swarm = ObservedSwarm("abcd", "rustc 1.95.0 g1 x1")
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(
            answer, "x", status=CompileStatus.FAILS if "'b'" in text else CompileStatus.COMPILES
        )
    with swarm.hub.subscribe() as everything:
        swarm.begin(waves=(2,), findings=plan())
        swarm.run()
        told = heard(everything)
    order = kinds(told)
    testing = order.index("progress testing")
    assert order.index("answer_opened") < testing < order.index("report_counted")
    assert order[order.index("report_counted") + 1 :][:1] == ["findings_settled"]
    assert "answer_testing_started" in order[testing:]
    reports = [each for each in told if isinstance(each, events.ReportCounted)]
    assert sum(len(each.answers) for each in reports) == 3 * 4, "three testers for each answer"
    (settled,) = [each for each in told if isinstance(each, events.FindingsSettled)]
    assert (settled.stage, settled.tool_versions) == (0, "rustc 1.95.0 g1 x1")
    assert [each.findings.reports for each in settled.answers] == [3] * 4
    assert sorted(each.findings.status for each in settled.answers) == ["compiles"] * 3 + ["fails"]
    (decided,) = [each for each in told if isinstance(each, events.Decided)]
    assert decided.findings is not None and decided.findings.status is CompileStatus.COMPILES
    line = msgspec.json.encode(settled)
    assert msgspec.json.decode(line, type=RoundEvent) == settled
