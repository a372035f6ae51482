"""The courses that a node shows: of rounds that are open, over, of others, of a former version, and of no round."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from msgspec import structs

from node.api.events import AnswerOpened, Asked, BaseEvent, Ended, Progress
from node.api.replays import Replay, ReplaySource, RoundAnswers
from node.clock import Clock
from node.facade.replays import OTHER_VERSION, ReplaysFacade
from node.rounds.following.history import RoundHistory
from node.rounds.following.hub import REQUESTER
from node.rounds.following.replaying import replayed, texts_of
from node.storage import CertificateSummary, Store
from protocol.errors import Fault
from protocol.types import Digest, Key, Outcome
from tests.support.observed import ObservedSwarm
from tests.support.stores import opened, query
from tests.support.swarm import keypair
from tests.unit.node.facade.test_history import asked, ended, writing
from tests.unit.node.rounds.following.test_observer import heard
from tests.vectors.certificates import FOLDER

OWN = keypair("a").public


def over(store: Store, swarm: ObservedSwarm, own: Key = OWN, history: RoundHistory | None = None) -> ReplaysFacade:
    """The courses that a node shows whose store this is and whose rounds the swarm's asker holds."""
    history = history or RoundHistory(own, swarm.hub, store, Clock())
    return ReplaysFacade(own, swarm.nodes["a"].participant.record, history, store, trio.CapacityLimiter(1))


async def keep(store: Store, id: Digest, raw: bytes | None) -> None:
    assert raw is not None
    await store.put_certificate(CertificateSummary(id, Outcome.DECIDED, b"w" * 32, 7), raw)


async def test_answers_of_an_open_round_of_ours_come_with_its_slate(tmp_path: Path) -> None:
    swarm = ObservedSwarm("abc")
    async with opened(tmp_path) as store:
        facade = over(store, swarm)
        id = swarm.begin(waves=(2, 2))
        assert await facade.answers(id) == RoundAnswers(()), "they are still sealed"
        assert await over(store, swarm, keypair("b").public).answers(id) is None, "a round of another"
        swarm.run()
        assert await facade.answers(id) == RoundAnswers(texts_of(swarm.verified().record))
        assert await facade.answers(query(9)) is None


async def test_the_course_of_a_round_of_ours_has_its_times(tmp_path: Path) -> None:
    """While it is open, when it is over, and after a restart, when its record comes from its certificate."""
    swarm = ObservedSwarm("abcd")
    async with writing(tmp_path, swarm.hub) as at:
        facade = over(at.store, swarm, history=at.history)
        with swarm.hub.subscribe(roles=REQUESTER) as live:
            id = swarm.begin(waves=(2, 2))
            swarm.run(until_ms=250)
            told = heard(live)
            await at.settle()
            replay = await facade.replay(id)
            assert replay is not None and {type(each) for each in told} >= {AnswerOpened, Progress}
            assert unnumbered(replay) == [structs.replace(each, seq=0) for each in told]
            assert replay.events[-1].seq == told[-1].seq, "the live stream goes on after it"
            swarm.run()
            told += heard(live)
        await at.settle()
        replay = await facade.replay(id)
        await keep(at.store, id, swarm.certificate)
    assert replay is not None
    assert (replay.source, unnumbered(replay)) == (ReplaySource.EVENTS, [structs.replace(each, seq=0) for each in told])
    assert replay.answers == texts_of(swarm.verified().record)
    stranger = ObservedSwarm("a")
    async with writing(tmp_path) as at:
        assert await over(at.store, stranger, history=at.history).replay(id) == replay


async def test_a_round_without_a_certificate_shows_what_was_noted(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        await at.tell(1, ended("void"))
        replay = await over(at.store, ObservedSwarm("a"), history=at.history).replay(query(1))
    assert replay is not None and [type(each) for each in replay.events] == [Asked, Ended]
    assert replay.answers == ()


def unnumbered(replay: Replay) -> list[BaseEvent]:
    return [structs.replace(each, seq=0) for each in replay.events]


async def test_a_certificate_in_the_store_shows_course_and_answers(tmp_path: Path) -> None:
    """Also of a round of another node, in which this one was a member."""
    swarm = ObservedSwarm("abc")
    id = swarm.begin()
    swarm.run()
    async with opened(tmp_path) as store:
        facade = over(store, ObservedSwarm("a"))
        assert await facade.replay(id) is await facade.answers(id) is None
        await keep(store, id, swarm.certificate)
        replay = await facade.replay(id)
        assert swarm.certificate is not None and replay is not None
        assert await facade.answers(id) == RoundAnswers(replay.answers)
        assert await facade.replay_of(swarm.certificate) == replay
    verified = swarm.verified()
    assert (replay.source, replay.query_id, replay.note) == (ReplaySource.CERTIFICATE, id.hex(), "")
    assert replay.events == replayed(verified, len(swarm.certificate))
    assert replay.answers == texts_of(verified.record)


@pytest.mark.parametrize("version", ["wire-1-hbt-2-forms-1-draws-1", "wire-2-hbt-2-forms-1-draws-1"])
async def test_a_certificate_of_a_former_version_says_why_there_is_no_course(tmp_path: Path, version: str) -> None:
    raw = (FOLDER / version / "full.certificate").read_bytes()
    async with opened(tmp_path) as store:
        facade = over(store, ObservedSwarm("a"))
        replay = await facade.replay_of(raw)
        assert not isinstance(replay, Fault)
        assert (replay.events, replay.answers, replay.note) == ((), (), OTHER_VERSION)
        broken = await facade.replay_of(raw[:-1])
        assert isinstance(broken, Fault) and broken.rule == "P1"
        await keep(store, id := Digest(bytes.fromhex(replay.query_id)), raw)
        assert await facade.answers(id) is None


async def test_what_does_not_hold_is_a_fault_with_its_rule(tmp_path: Path) -> None:
    swarm = ObservedSwarm("abc")
    swarm.begin()
    swarm.run()
    assert swarm.certificate is not None
    async with opened(tmp_path) as store:
        for broken in (b"", b"no certificate", swarm.certificate[:-1]):
            assert isinstance(await over(store, swarm).replay_of(broken), Fault)
