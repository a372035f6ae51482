"""A recorded participant does the same when it is told the same."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from consensus.rounds import effects as fx
from consensus.rounds import recording as told
from consensus.rounds.admission import PlacesOnly, Shares
from consensus.rounds.recording import Recording, read
from node.rounds.recording import recording
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import Commit, Offer
from protocol.signing import seal
from protocol.streams import PullRequest
from protocol.topics import topic
from protocol.types import Digest, Role
from simnet.replay import Step, replay
from tests.support.recorded import RecordedSwarm
from tests.support.swarm import START_MS, Node, Swarm, keypair, params


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def check(swarm: RecordedSwarm) -> dict[str, list[Step]]:
    """Replay every life; what it does, in every detail, is what it did."""
    replayed = {life: list(replay(swarm.recorded(life), keypair(life[0]))) for life in swarm.did}
    for life, did in swarm.did.items():
        assert [effect for step in replayed[life] for effect in step.effects] == did, life
    return replayed


def certificates(steps: list[Step]) -> list[bytes]:
    return [effect.certificate for step in steps for effect in step.effects if isinstance(effect, fx.Certify)]


def inputs(steps: list[Step], kind: type[told.Input]) -> int:
    return sum(isinstance(step.told, kind) for step in steps)


def test_a_round(tmp_path: Path, stack: ExitStack) -> None:
    swarm = RecordedSwarm("abcd", tmp_path, stack)
    swarm.ask()
    swarm.run()
    replayed = check(swarm)
    assert certificates(replayed["a-0"]) == [swarm.certificate]
    assert all(step.fault is None for steps in replayed.values() for step in steps)
    assert inputs(replayed["a-0"], told.MailRead) and inputs(replayed["b-0"], told.Compared) == 1


def test_pulls_and_two_waves(tmp_path: Path, stack: ExitStack) -> None:
    """R13: nothing rides along, and the query is private."""
    swarm = RecordedSwarm("abcde", tmp_path, stack, replace(params(), ride_along_bytes_max=0))
    query = swarm.ask(turns=(), waves=(1, 2))
    swarm.run()
    stranger = keypair("z").public
    refused = swarm.nodes["a"].participant.serve_pull(stranger, codec.encode(PullRequest(query=query, ids=())))
    replayed = check(swarm)
    assert isinstance(refused, Fault) and replayed["a-0"][-1].fault == refused
    assert certificates(replayed["a-0"]) == [swarm.certificate]
    assert inputs(replayed["b-0"], told.PullAnswered) and inputs(replayed["a-0"], told.PullServed)


@pytest.mark.parametrize("when_ms", [60, 125, 240])
def test_a_restart(when_ms: int, tmp_path: Path, stack: ExitStack) -> None:
    """R12: what the journal held is an input of the next life."""
    swarm = RecordedSwarm("abcd", tmp_path, stack)
    swarm.ask(patience_ms=1_000)
    swarm.at(when_ms, lambda: swarm.kill("c"))
    swarm.at(when_ms + 30, lambda: swarm.restart("c"))
    swarm.run()
    replayed = check(swarm)
    assert inputs(replayed["c-1"], told.Recovered) == 1 and swarm.did["c-1"]


def test_a_cancelled_round(tmp_path: Path, stack: ExitStack) -> None:
    """R16: the cancel is an input of its asker, and the place is freed by time alone."""
    swarm = RecordedSwarm("abcd", tmp_path, stack)
    query = swarm.ask()
    swarm.run(50)
    assert swarm.cancel(query) and not swarm.cancel(query)
    swarm.run()
    replayed = check(swarm)
    assert inputs(replayed["a-0"], told.Cancelled) == 2 and not inputs(replayed["b-0"], told.Cancelled)
    assert fx.PlaceFreed(query) in swarm.did["a-0"] and fx.PlaceFreed(query) in swarm.did["b-0"]


def test_equivocation_and_what_is_ignored(tmp_path: Path, stack: ExitStack) -> None:
    """R3: rivals, evidence, and the repetitions that are refused."""
    swarm = RecordedSwarm("abcde", tmp_path, stack)

    def equivocate(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Contribute) or not isinstance(effect.message.body, Commit):
            return None
        second = seal(keypair("e"), world.params.digest, replace(effect.message.body, commitment=b"x" * 32))
        for listener in "abcd":
            for message in (effect.message, second, effect.message):
                world.gossip(world.nodes[listener], effect.topic, message)
        return []

    swarm.misbehaviour["e"] = equivocate
    swarm.ask()
    swarm.run()
    replayed = check(swarm)
    assert certificates(replayed["a-0"]) == [swarm.certificate]
    faults = [step.fault for step in replayed["b-0"] if step.fault is not None]
    assert FaultReason.DUPLICATE in {fault.reason for fault in faults}
    assert swarm.names(swarm.verified().record.removed) == "e"


def test_offers_and_a_query_that_an_earlier_life_has_seen(tmp_path: Path, stack: ExitStack) -> None:
    swarm = RecordedSwarm("abc", tmp_path, stack)
    node, other = swarm.nodes["b"], swarm.nodes["c"]
    offer = Offer(
        author=keypair("b").public,
        sequence=0,
        sent_at_ms=0,
        roles=Role.ANSWER,
        specialties=("rust",),
        model="",
        context_tokens=0,
        milli_tokens_per_second=0,
        queue=0,
        tool_versions="",
        addresses=(),
    )
    swarm.perform(node, node.participant.offer(offer, 0, START_MS))
    swarm.perform(node, node.participant.offer(offer, 0, START_MS))
    query = seal(keypair("c"), swarm.params.digest, replace(swarm.query(), author=other.participant.keypair.public))
    source, on_topic = keypair("c").public, topic(swarm.params, "rust", 0)
    admitted = node.participant.validator.admit_gossip(on_topic, source, query.envelope, START_MS)
    assert not isinstance(admitted, Fault)
    node.participant.validator.close(query.id)
    commit = Commit(author=source, query=query.id, on=query.id, commitment=Digest(bytes(32)))
    sealed = seal(keypair("c"), swarm.params.digest, commit)
    late = node.participant.validator.admit_gossip(on_topic, source, sealed.envelope, START_MS)
    swarm.run()
    steps = check(swarm)
    # Of the offer that c has heard nothing is written.
    done = [told.Offered, told.Offered, told.Gossiped, told.Closed, told.Gossiped]
    assert [type(step.told) for step in steps["b-0"]] == done
    assert isinstance(late, Fault) and late.reason is FaultReason.NOT_OURS
    assert [step.fault for step in steps["b-0"]] == [None, None, None, None, late]
    assert steps["c-0"] == []
    sequences = [step.effects[0].message.body.sequence for step in steps["b-0"][:2]]  # type: ignore[union-attr]
    assert sequences == [START_MS, START_MS + 1]


def test_settings(tmp_path: Path) -> None:
    """A node that works in one round at a time, and joins none from before it lost its journal (R12)."""
    queries = [seal(keypair("a"), params().digest, Swarm("ab").query(sent_at_ms=START_MS + ms)) for ms in (-1, 0, 1)]
    done: list[list[fx.Effect] | Fault] = []
    with recording(tmp_path / "recording") as make:
        node = make(keypair("b"), params(), joins_from_ms=START_MS, admission=PlacesOnly(Shares(1)))
        for query in queries:
            admitted = node.validator.admit_gossip(topic(params(), "rust", 0), query.author, query.envelope, START_MS)
            done.append(admitted if isinstance(admitted, Fault) else node.on_admitted(admitted, START_MS))
    recorded = read((tmp_path / "recording").read_bytes())
    assert isinstance(recorded, Recording)
    early, joined, full = done
    assert isinstance(early, Fault) and joined and full == []
    steps = [(step.fault, step.effects) for step in replay(recorded, keypair("b"))]
    asked = (None, ())
    assert steps == [(early, ()), (None, ()), (None, tuple(joined)), asked, (None, ()), (None, ()), asked]


def test_anothers_key(tmp_path: Path, stack: ExitStack) -> None:
    swarm = RecordedSwarm("ab", tmp_path, stack)
    with pytest.raises(ValueError, match="another node"):
        next(replay(swarm.recorded("a-0"), keypair("b")))


def test_a_recording_that_does_not_hang_together(tmp_path: Path, stack: ExitStack) -> None:
    """Faults, not exceptions: a message that was not let in; a journal with what no journal holds."""
    swarm = RecordedSwarm("ab", tmp_path, stack)
    query = seal(keypair("a"), swarm.params.digest, swarm.query())
    taken = told.TakenUp(at_ms=START_MS, message=Digest(bytes(32)))
    journal = told.Recovered(
        query=query.id, asked_by=query.author, deadline_ms=START_MS, messages=(query.envelope,), opening=()
    )
    broken = Recording(swarm.recorded("b-0").beginning, (taken, journal, replace(journal, messages=(bytes(66),))))
    reasons = [step.fault.reason for step in replay(broken, keypair("b")) if step.fault is not None]
    assert reasons == [FaultReason.MISSING, FaultReason.MALFORMED, FaultReason.UNKNOWN_KIND]
