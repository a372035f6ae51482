"""R13, R17: whole rounds with a testing phase, driven as the daemon drives them."""

from collections.abc import Callable
from typing import Any

import pytest

from consensus.certificates.record import RoundRecord
from consensus.rounds import effects as fx
from consensus.rounds.pulls import ServedPull
from consensus.rounds.working import TEXT_PULLS_MAX
from protocol import codec
from protocol.errors import Fault
from protocol.hashing import digest_of_tests
from protocol.messages import Decline, Report
from protocol.signing import VerifiedMessage
from protocol.streams import PullReply, PullRequest
from protocol.types import ONE, CompileStatus, DeclinedPhase, Digest, Kind, StopReason
from tests.support.findings import found, plan
from tests.support.swarm import Node, Swarm, keypair

TESTS = "#[test] fn two() { assert_eq!(f(1), 2); }"


def swarm_of(names: str = "abcdef") -> Swarm:
    return Swarm(names, tool_versions="g1")


def of_kind(swarm: Swarm, kind: Kind) -> list[VerifiedMessage]:
    """All different messages of a kind that anybody heard."""
    return list({each.id: each for heard in swarm.heard.values() for each in heard if each.kind is kind}.values())


def test_a_round_tests_before_it_judges() -> None:
    swarm = swarm_of()
    swarm.ask(findings=plan())
    swarm.run()
    verified = swarm.verified()
    kinds = [closing.kind for closing in verified.record.closings]
    assert kinds == [Kind.CLOSE_COMMITS, Kind.CLOSE_SLATE, Kind.CLOSE_REPORTS, Kind.CLOSE_TALLY]
    assert len(verified.record.reports) == 6
    assert verified.full and all(each.status == "compiles" for each in verified.record.findings)


def test_agreement_ends_the_round_before_anybody_judges() -> None:
    swarm = swarm_of()
    for node in swarm.nodes.values():
        node.finds = lambda answer, _: found(answer, "right")
    swarm.ask(findings=plan(agreed_share=ONE * 6 // 10))
    swarm.run()
    verified = swarm.verified()
    assert verified.ranking.stop is StopReason.UNANIMOUS and not verified.record.ballots and verified.full


def test_the_order_of_work_saves_ballots() -> None:
    swarm = swarm_of()
    odd = swarm.nodes["f"].text
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(answer, "odd" if text == odd else "right")
    swarm.ask(findings=plan(agreed_share=ONE * 6 // 10))
    swarm.run()
    verified = swarm.verified()
    assert verified.ranking.stop is StopReason.AGREED and not verified.record.ballots


def test_a_liar_among_the_testers_costs_a_second_stage_and_changes_nothing() -> None:
    swarm = swarm_of("abcdefgh")
    swarm.nodes["b"].finds = lambda answer, _: found(answer, status=CompileStatus.FAILS, error=1)
    swarm.ask(findings=plan())
    swarm.run()
    record = swarm.verified().record
    assert sum(closing.kind is Kind.CLOSE_REPORTS for closing in record.closings) == 2
    assert all(each.behaviour for each in record.findings)


def test_testers_that_are_silent_delay_the_round_no_longer_than_the_stage() -> None:
    swarm = swarm_of()
    for name in "def":
        swarm.nodes[name].testing_ms = 10**9
    swarm.ask(findings=plan(budget_ms=700))
    swarm.run()
    record = swarm.verified().record
    assert {each.author for each in record.reports} <= {keypair(name).public for name in "abc"}


def test_a_node_without_tools_is_asked_for_no_report() -> None:
    swarm = swarm_of()
    swarm.nodes["f"].tool_versions = ""
    swarm.ask(findings=plan())
    swarm.run()
    assert keypair("f").public not in {each.author for each in swarm.verified().record.reports}


# -- the asker's tests ---------------------------------------------------------------------------------------------


def pulled_tests(swarm: Swarm, query: Digest, member: str) -> str:
    """The tests that this member gets by pulling the chain now."""
    served = swarm.nodes["a"].participant.serve_pull(
        keypair(member).public, codec.encode(PullRequest(query=query, ids=()))
    )
    assert isinstance(served, ServedPull)
    reply = codec.decode(PullReply, served.reply)
    assert isinstance(reply, PullReply)
    return reply.tests


def test_nobody_gets_the_tests_before_the_commits_are_closed() -> None:
    swarm = swarm_of()
    query = swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS)))
    seen: list[tuple[str, str]] = []

    def look() -> None:
        record = swarm.nodes["a"].participant.record(query)
        assert isinstance(record, RoundRecord)
        seen.append((str(record.phase), pulled_tests(swarm, query, "b")))

    for after_ms in range(0, 400, 10):
        swarm.at(after_ms, look)
    swarm.run()
    assert {tests for phase, tests in seen if phase == "answering"} == {""}
    assert {tests for phase, tests in seen if phase != "answering"} == {TESTS}
    assert {phase for phase, _ in seen} >= {"answering", "testing"}


def test_all_testers_get_the_tests_by_pulling() -> None:
    swarm = swarm_of()
    swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS)))
    swarm.run()
    assert {name for name, _ in swarm.ran_tests} == set("abcdef")
    assert {work.tests for _, work in swarm.ran_tests} == {TESTS}
    assert TESTS not in repr(swarm.verified().record), "the certificate holds their digest alone"


def loses_pulls(of: str, count: int) -> Callable[[Swarm, Node, fx.Effect], list[fx.Effect] | None]:
    """A node whose first pulls fail: every source is out of reach, or too late."""
    left = [count]

    def lose(swarm: Swarm, node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Pull) or effect.ids or node.name != of or not left[0]:
            return None
        left[0] -= 1
        swarm.say(f"{of} pulls the chain in vain")
        return []

    return lose


def work_of(swarm: Swarm, name: str) -> list[fx.RunTests]:
    return [work for who, work in swarm.ran_tests if who == name]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_pull_of_the_tests_that_fails_is_repeated_in_time(lost: int) -> None:
    swarm = swarm_of()
    swarm.interceptors["c"] = loses_pulls("c", lost)
    swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS), budget_ms=2_000), patience_ms=1_000)
    swarm.run()
    (work,), (other,) = work_of(swarm, "c"), work_of(swarm, "b")
    assert work.tests == TESTS
    assert work.deadline_ms == other.deadline_ms, "what the pulls took is no longer there for the tests"
    assert keypair("c").public in {each.author for each in swarm.verified().record.reports}


def test_a_tester_that_never_gets_the_tests_reports_without_them() -> None:
    swarm = swarm_of()
    swarm.interceptors["c"] = loses_pulls("c", 10**9)
    swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS), budget_ms=2_000), patience_ms=1_000)
    swarm.run()
    (work,) = work_of(swarm, "c")
    assert work.tests == "" and sum("in vain" in line for line in swarm.trace) == TEXT_PULLS_MAX
    record = swarm.verified().record
    assert keypair("c").public in {each.author for each in record.reports}
    # Nobody waits for the rest of the budget, nor for all of the patience.
    began, ended = (
        next(int(line.split()[0]) for line in swarm.trace if f"a => all  close {kind}" in line)
        for kind in ("slate", "reports")
    )
    assert ended - began < 1_000


def test_tests_that_come_after_the_work_has_begun_do_not_begin_it_anew() -> None:
    swarm = swarm_of()
    swarm.interceptors["c"] = loses_pulls("c", 10**9)
    swarm.nodes["c"].testing_ms = 400
    query = swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS), budget_ms=2_000), patience_ms=1_000)

    def come_late() -> None:
        node = swarm.nodes["c"]
        reply = codec.encode(PullReply(turns=(), tests=TESTS, envelopes=()))
        effects = node.participant.on_pull_reply(query, reply, swarm.now_ms)
        assert isinstance(effects, list)
        swarm.perform(node, effects)

    swarm.at(1_100, come_late)
    swarm.run()
    assert [work.tests for work in work_of(swarm, "c")] == [""]


def test_a_tester_without_the_conversation_of_a_private_query_declines() -> None:
    swarm = swarm_of()
    swarm.interceptors["c"] = loses_pulls("c", 10**9)
    swarm.ask(findings=plan(budget_ms=2_000), turns=(), patience_ms=1_000, answer_ms=2_000)
    swarm.run()
    assert not work_of(swarm, "c")
    (declined,) = (each.body for each in of_kind(swarm, Kind.DECLINE) if each.author == keypair("c").public)
    assert isinstance(declined, Decline) and declined.phase is DeclinedPhase.TESTING


def test_other_tests_than_those_of_the_digest_are_refused() -> None:
    swarm = swarm_of()
    query = swarm.ask(TESTS, findings=plan(tests_digest=digest_of_tests(TESTS)))
    swarm.run(100)
    forged = codec.encode(PullReply(turns=(), tests="fn easy() {}", envelopes=()))
    fault = swarm.nodes["b"].participant.on_pull_reply(query, forged, swarm.now_ms)
    assert isinstance(fault, Fault) and fault.rule == "R17"


@pytest.mark.parametrize("when_ms", [130, 150, 200])
def test_a_tester_that_dies_repeats_its_report_or_is_silent(when_ms: int) -> None:
    swarm = swarm_of()
    swarm.ask(findings=plan())
    swarm.at(when_ms, lambda: swarm.kill("c"))
    swarm.at(when_ms + 100, lambda: swarm.restart("c"))
    swarm.run()
    theirs: dict[Any, set[Digest]] = {}
    for each in of_kind(swarm, Kind.REPORT):
        assert isinstance(each.body, Report)
        theirs.setdefault((each.author, each.body.stage), set()).add(each.id)
    assert all(len(ids) == 1 for ids in theirs.values()), "one report for each slot"
    assert swarm.verified().record.evidence == ()
