"""The courses that a node shows: of rounds that are open, over, of others, of a former version, and of no round."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from node.api.replays import ReplaySource, RoundAnswers
from node.facade.replays import OTHER_VERSION, ReplaysFacade
from node.rounds.replaying import replayed, texts_of
from node.storage import CertificateSummary, Store
from protocol.errors import Fault
from protocol.types import Digest, Key, Outcome
from tests.support.observed import ObservedSwarm
from tests.support.stores import opened, query
from tests.support.swarm import keypair
from tests.vectors.certificates import FOLDER

OWN = keypair("a").public


def over(store: Store, swarm: ObservedSwarm, own: Key = OWN) -> ReplaysFacade:
    """The courses that a node shows whose store this is and whose rounds the swarm's asker holds."""
    return ReplaysFacade(own, swarm.nodes["a"].participant.record, store, trio.CapacityLimiter(1))


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
