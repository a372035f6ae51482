"""Whole rounds through the pure machines, as golden transcripts.

`STRAND_UPDATE=1 pytest tests/transcripts` writes the transcripts anew; read the difference before you commit it.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from consensus.certificates.record import bodies
from consensus.rounds import effects as fx
from protocol import codec
from protocol.certificate import Certificate
from protocol.hashing import digest_of_tests
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import Answer, CloseSlate, CloseTally, Commit, Decline, EquivocationProof
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import ONE, CompileStatus, DeclinedPhase, DeclineReason, Kind, Outcome, OutcomeReason, StopReason
from simnet.audit import Audited, audit
from tests.support.findings import found, plan
from tests.support.swarm import START_MS, Interceptor, Node, Swarm, answer_text, keypair, params

GOLDEN = Path(__file__).parent / "golden"


def check(swarm: Swarm, name: str) -> None:
    """Compare a trace with the one that was read and kept."""
    path = GOLDEN / f"{name}.txt"
    trace = "\n".join(swarm.trace) + "\n"
    if os.environ.get("STRAND_UPDATE"):
        path.write_text(trace)
    assert trace == path.read_text()


def drop(kind: Kind) -> Interceptor:
    """A member that keeps its contributions of one kind to itself."""

    def intercept(_swarm: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        return [] if isinstance(effect, fx.Contribute) and effect.message.kind is kind else None

    return intercept


def test_happy() -> None:
    """Given four honest nodes, when one asks, then all agree and the certificate is full."""
    swarm = Swarm("abcd")
    swarm.ask()
    swarm.run()
    check(swarm, "happy")
    verified = swarm.verified()
    assert verified.full and len(verified.cosigners) == 4
    assert verified.ranking.outcome is Outcome.DECIDED
    assert swarm.name(verified.ranking.ranked[0].author) == "a"
    assert verified.ranking.stop is StopReason.SPENT


def test_silent_member() -> None:
    """A member that never speaks costs patience, not the round."""
    swarm = Swarm("abcde")
    swarm.nodes["e"].up = False
    swarm.ask()
    swarm.run()
    check(swarm, "silent_member")
    assert swarm.verified().ranking.outcome is Outcome.DECIDED
    assert swarm.verified().ranking.stop is StopReason.BUDGET


def test_everybody_declines() -> None:
    """R15: nobody waits for engines that are not there, and the asker reads why there is no answer."""
    swarm = Swarm("abcd")
    for node in swarm.nodes.values():
        node.unable_to_answer = DeclineReason.ENGINE
    swarm.ask(answer_ms=10_000)
    swarm.run()
    check(swarm, "everybody_declines")
    assert swarm.decision is not None and swarm.decision.ranking.reason is OutcomeReason.DECLINED
    assert swarm.now_ms - START_MS < 2_000 and swarm.certificate is None


def test_declines() -> None:
    """R15: who cannot answer may judge, who cannot judge may answer, and the certificate says so."""
    swarm = Swarm("abcde")
    swarm.nodes["d"].unable_to_answer = DeclineReason.CAPACITY
    swarm.nodes["e"].unable_to_judge = DeclineReason.ABSTAINS
    swarm.ask(answer_ms=10_000, judge_ms=10_000)
    swarm.run()
    check(swarm, "declines")
    verified = swarm.verified()
    assert verified.ranking.outcome is Outcome.DECIDED and verified.ranking.stop is StopReason.SPENT
    told = {(swarm.name(each.author), each.phase) for each in bodies(verified.record.declines, Decline)}
    assert told == {("d", DeclinedPhase.ANSWERING), ("e", DeclinedPhase.JUDGING)}
    assert verified.full and len(verified.cosigners) == 5
    assert swarm.certificate is not None and isinstance(audit(swarm.certificate), Audited)


def test_late_member() -> None:
    """R11: whoever a closing misses is not waited for later, but may still judge."""
    swarm = Swarm("abcde")
    swarm.nodes["e"].generate_ms = 1_500
    swarm.ask()
    swarm.run()
    check(swarm, "late_member")
    verified = swarm.verified()
    assert len(verified.record.answers) == 4
    assert {swarm.name(ballot.author) for ballot in verified.record.ballots} == set("abcde")


def test_unopened_commitment() -> None:
    """R4: the certificate names who committed and did not open."""
    swarm = Swarm("abcd")
    swarm.interceptors["d"] = drop(Kind.ANSWER)
    swarm.ask()
    swarm.run()
    check(swarm, "unopened_commitment")
    assert swarm.names(swarm.verified().unopened) == "d"


def test_copied_commitment() -> None:
    """R4: another's commitment cannot be opened: its author's key is inside."""
    swarm = Swarm("abcd")

    def copy(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Contribute):
            return None
        body = effect.message.body
        if isinstance(body, Commit):
            theirs = world.nodes["b"].journal[next(s for s in world.nodes["b"].journal if s.kind is Kind.COMMIT)].body
            assert isinstance(theirs, Commit)
            copied = Commit(author=body.author, query=body.query, on=body.on, commitment=theirs.commitment)
            return [fx.Contribute(effect.requester, effect.topic, seal(keypair("d"), world.params.digest, copied))]
        return None

    swarm.interceptors["d"] = copy
    swarm.nodes["d"].generate_ms = 110
    swarm.ask()

    def open_theirs() -> None:
        theirs = next(message for message in swarm.heard["a"] if isinstance(message.body, Answer))
        body = theirs.body
        assert isinstance(body, Answer)
        forged = Answer(author=keypair("d").public, query=body.query, on=body.on, content=body.content, salt=body.salt)
        message = seal(keypair("d"), swarm.params.digest, forged)
        swarm.perform(swarm.nodes["d"], [fx.Contribute(keypair("a").public, topic(swarm.params, "rust", 0), message)])

    swarm.at(200, open_theirs)
    swarm.run()
    check(swarm, "copied_commitment")
    assert swarm.names(swarm.verified().unopened) == "d"
    assert len(swarm.verified().record.answers) == 3


def test_equivocating_member() -> None:
    """R3: two commitments of one member are evidence; the slate lists it, and the member is out."""
    swarm = Swarm("abcde")

    def equivocate(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Contribute) or not isinstance(effect.message.body, Commit):
            return None
        body = effect.message.body
        other = Commit(author=body.author, query=body.query, on=body.on, commitment=b"x" * 32)
        second = seal(keypair("e"), world.params.digest, other)
        for listener in "abcd":
            for message in (effect.message, second):
                world.gossip(world.nodes[listener], topic(world.params, "rust", 0), message)
        return []

    swarm.interceptors["e"] = equivocate
    swarm.ask()
    swarm.run()
    check(swarm, "equivocating_member")
    verified = swarm.verified()
    assert swarm.names(verified.record.removed) == "e"
    assert [type(message.body) for message in verified.record.evidence] == [EquivocationProof]
    assert swarm.names(verified.cosigners) == "a b c d" and verified.full


def test_equivocating_requester() -> None:
    """R2: two different slates void the round; nobody co-signs."""
    swarm = Swarm("abcd")

    def equivocate(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Publish) or not isinstance(effect.message.body, CloseSlate):
            return None
        body = effect.message.body
        riders = set(body.ride_along[:-1])
        fewer = [answer for answer in world.heard["a"] if answer.envelope in riders]
        other = CloseSlate(
            author=body.author,
            query=body.query,
            prev=body.prev,
            answers=tuple(sorted(answer.id for answer in fewer)),
            evidence=(),
            ride_along=tuple(answer.envelope for answer in fewer),
        )
        second = seal(keypair("a"), world.params.digest, other)
        world.say("a => c d  another close slate")
        for listener in "cd":
            world.gossip(world.nodes[listener], effect.topics[0], second)
        for listener in "b":
            world.gossip(world.nodes[listener], effect.topics[0], effect.message)
            world.at(5, lambda: world.gossip(world.nodes["b"], effect.topics[0], second))
        return []

    swarm.interceptors["a"] = equivocate
    swarm.ask()
    swarm.run()
    check(swarm, "equivocating_requester")
    for name in "bcd":
        assert [finish.ending for finish in swarm.nodes[name].finished] == [fx.Ending.VOID]
    assert swarm.nodes["a"].finished[-1].ending is fx.Ending.VOID
    assert swarm.certificate is None


def test_censored_member() -> None:
    """R10: a member whose timely commitment is left out objects instead of co-signing."""
    swarm = Swarm("abcd")
    swarm.nodes["d"].generate_ms = 50
    for name in "abc":
        swarm.nodes[name].generate_ms = 400
    swarm.deaf["a"] = lambda message: swarm.name(message.author) == "d" and message.kind is Kind.COMMIT
    swarm.ask()
    swarm.run()
    check(swarm, "censored_member")
    assert "censored" in "\n".join(swarm.trace)
    assert swarm.names(swarm.verified().cosigners) == "a b c"


def test_too_few_answers() -> None:
    """R9: two openings give a degraded outcome, named."""
    swarm = Swarm("abcd")
    swarm.interceptors["c"] = swarm.interceptors["d"] = drop(Kind.ANSWER)
    swarm.ask()
    swarm.run()
    check(swarm, "too_few_answers")
    ranking = swarm.verified().ranking
    assert (ranking.outcome, ranking.reason) == (Outcome.DEGRADED, OutcomeReason.TOO_FEW_ANSWERS)


def test_low_confidence() -> None:
    """R8, R9: a swarm that is not sure enough asks on, then abstains; everyone finds the same and co-signs it."""
    swarm = Swarm("abcde")
    swarm.ask(waves=(1, 1), threshold=1, confidence_min=ONE)
    swarm.run()
    check(swarm, "low_confidence")
    verified = swarm.verified()
    assert (verified.ranking.outcome, verified.ranking.reason) == (Outcome.DEGRADED, OutcomeReason.LOW_CONFIDENCE)
    assert verified.full and verified.record.wave == 1


def test_no_answers() -> None:
    """No commitment at all fails the round, and the members hear of it."""
    swarm = Swarm("abc")
    for node in swarm.nodes.values():
        node.generate_ms = 10_000
    swarm.ask()
    swarm.run()
    check(swarm, "no_answers")
    assert swarm.certificate is None and swarm.decision is not None
    assert swarm.decision.ranking.reason is OutcomeReason.NO_COMMITMENTS
    assert all(node.finished[-1].outcome is Outcome.FAILED for node in swarm.nodes.values())


def test_two_members() -> None:
    """Two members have no pair that either may judge: degraded, at once."""
    swarm = Swarm("ab")
    swarm.ask()
    swarm.run()
    check(swarm, "two_members")
    assert swarm.verified().ranking.outcome is Outcome.DEGRADED
    assert not swarm.verified().record.ballots


def test_one_cluster() -> None:
    """R9: equal answers need no ballots."""
    swarm = Swarm("abcd")
    for node in swarm.nodes.values():
        node.text = answer_text("a").replace("{", "{ // so says " + node.name + "\n")
    swarm.ask()
    swarm.run()
    check(swarm, "one_cluster")
    verified = swarm.verified()
    assert verified.ranking.outcome is Outcome.DECIDED and verified.ranking.stop is StopReason.UNANIMOUS
    assert verified.ranking.ranked[0].cluster_size == 4 and not verified.record.ballots


@pytest.mark.parametrize("when_ms", [60, 125, 160, 240, 242])
def test_restart(when_ms: int) -> None:
    """R12: a member that dies and returns repeats its own bytes or is silent; it never fills a slot twice."""
    swarm = Swarm("abcd")
    swarm.ask(patience_ms=1_000)
    swarm.at(when_ms, lambda: swarm.kill("c"))
    swarm.at(when_ms + 30, lambda: swarm.restart("c"))
    swarm.run()
    check(swarm, f"restart_{when_ms}")
    assert swarm.verified().ranking.outcome is Outcome.DECIDED
    slots: dict[tuple[Kind, int], set[bytes]] = {}
    for message in swarm.heard["a"]:
        if swarm.name(message.author) == "c":
            slots.setdefault((message.kind, getattr(message.body, "wave", 0)), set()).add(message.id)
    assert slots and all(len(ids) == 1 for ids in slots.values())
    assert not any("refuses" in line and "slot" in line for line in swarm.trace)


def test_cancelled() -> None:
    """R16: the asker goes away while members judge; they stop, and the round keeps its place to the end."""
    swarm = Swarm("abcd")
    query = swarm.ask()
    swarm.at(200, lambda: swarm.cancel(query) and None)
    swarm.run()
    check(swarm, "cancelled")
    assert swarm.certificate is None and swarm.decision is None
    assert {effect.ending for node in swarm.nodes.values() for effect in node.finished} == {fx.Ending.CANCELLED}


def test_private_query() -> None:
    """A private query's text is pulled by the members from the requester, and its digest checked."""
    swarm = Swarm("abcd")
    swarm.ask(turns=())
    swarm.run()
    check(swarm, "private_query")
    assert swarm.verified().ranking.outcome is Outcome.DECIDED
    assert swarm.verified().turns == ()


def test_contributions_that_do_not_ride_are_pulled() -> None:
    """R13: a closing without room for its contributions names them; members fetch what they lack."""
    swarm = Swarm("abcd", replace(params(), ride_along_bytes_max=0))
    swarm.ask()
    swarm.run()
    check(swarm, "pulled")
    verified = swarm.verified()
    assert verified.full and len(verified.record.ballots) == 4


def test_declines_that_do_not_ride_are_pulled_and_stand_in_the_certificate() -> None:
    """R13, R15: the same for who gives nothing."""
    swarm = Swarm("abcd", replace(params(), ride_along_bytes_max=0))
    swarm.nodes["d"].unable_to_answer = swarm.nodes["d"].unable_to_judge = DeclineReason.ENGINE
    swarm.ask()
    swarm.run()
    verified = swarm.verified()
    assert verified.full and len(verified.record.declines) == 2
    assert swarm.certificate is not None
    certificate = codec.decode(Certificate, swarm.certificate, bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(certificate, Certificate) and len(certificate.declines) == 2
    assert isinstance(audit(swarm.certificate), Audited)


def test_lost_closing_is_repaired() -> None:
    """A member that misses a closing pulls the chain when the next one comes."""
    swarm = Swarm("abcd")
    swarm.deaf["c"] = lambda message: message.kind is Kind.CLOSE_SLATE
    swarm.ask()
    swarm.run()
    check(swarm, "lost_closing")
    assert swarm.names(swarm.verified().cosigners) == "a b c d"


def test_two_waves() -> None:
    """The second wave's pairs follow from the first wave's closing."""
    swarm = Swarm("abcde")
    swarm.ask(waves=(1, 2))
    swarm.run()
    check(swarm, "two_waves")
    verified = swarm.verified()
    assert len(verified.record.ballots) == 10
    assert len(verified.record.closings) == 4


def test_tally_that_does_not_follow() -> None:
    """R8: members recount; a requester that names another winner gets objections, and no certificate that holds."""
    swarm = Swarm("abcd")

    def lie(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Publish) or not isinstance(effect.message.body, CloseTally):
            return None
        honest = effect.message.body
        worse = next(answer for answer in _answers(world) if answer.id != honest.winner)
        body = CloseTally(
            **{name: getattr(honest, name) for name in CloseTally.__slots__ if name != "winner"}, winner=worse.id
        )
        return [fx.Publish(effect.topics, seal(keypair("a"), world.params.digest, body))]

    swarm.interceptors["a"] = lie
    swarm.ask()
    swarm.run()
    check(swarm, "lying_tally")
    assert sum("objects, mismatch" in line for line in swarm.trace) == 3


def _answers(swarm: Swarm) -> list[VerifiedMessage]:
    return [message for message in swarm.heard["a"] if message.kind is Kind.ANSWER]


def test_certificates_are_compact() -> None:
    """What rides along in a closing is not written twice."""
    swarm = Swarm("abcd")
    swarm.ask()
    swarm.run()
    assert swarm.certificate is not None
    certificate = codec.decode(Certificate, swarm.certificate, bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(certificate, Certificate)
    assert certificate.answers == certificate.ballots == ()


def test_testing_with_the_askers_tests() -> None:
    """R17: answers are tested with tests that nobody has before the commits are closed, a liar costs a second stage."""
    tests = "#[test] fn two() { assert_eq!(f(1), 2); }"
    swarm = Swarm("abcdefgh", tool_versions="g1")
    swarm.nodes["b"].finds = lambda answer, _: found(answer, status=CompileStatus.FAILS)
    swarm.ask(tests, findings=plan(tests_digest=digest_of_tests(tests)))
    swarm.run()
    check(swarm, "testing")
    record = swarm.verified().record
    assert swarm.verified().full and all(each.behaviour for each in record.findings)


def test_agreement_without_ballots() -> None:
    """R18: most of the votes behave alike, and nobody is asked to judge."""
    swarm = Swarm("abcde", tool_versions="g1")
    odd = swarm.nodes["e"].text
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(answer, "odd" if text == odd else "alike")
    swarm.ask(findings=plan(agreed_share=ONE // 2))
    swarm.run()
    check(swarm, "agreement")
    assert swarm.verified().ranking.stop is StopReason.AGREED


def test_futile_judging() -> None:
    """R19: judges in doubt are not asked again."""
    swarm = Swarm("abcde")
    for node in swarm.nodes.values():
        node.quality = 0.5
    swarm.ask(waves=(3, 3), futility=ONE // 64)
    swarm.run()
    check(swarm, "futile")
    assert swarm.verified().ranking.stop is StopReason.FUTILE
