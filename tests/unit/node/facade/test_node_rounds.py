"""What certificates show that one node did: place of its answer, judgements, failings, and what was right."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from consensus.learning.experience import GoldRound
from node.api.reputation import NodeRound
from node.facade import node_rounds
from node.facade.node_rounds import NodeRounds
from node.storage import CertificateSummary, Store
from protocol.types import DeclinedPhase, DeclineReason, Digest, Kind, Outcome, TaskType
from tests.support.stores import opened
from tests.support.swarm import Interceptor, Swarm, keypair
from tests.support.updates import told
from tests.transcripts.test_rounds import drop
from tests.vectors.certificates import FOLDER

Found = dict[str, NodeRound]


async def keep(store: Store, raw: bytes, id: Digest) -> None:
    await store.put_certificate(CertificateSummary(id, Outcome.DECIDED, b"w" * 32, 7), raw)


async def of(store: Store, name: str, *gold: GoldRound) -> tuple[tuple[NodeRound, ...], bool]:
    return await NodeRounds(store, trio.CapacityLimiter(1)).of(keypair(name).public, gold)


async def held(store: Store, swarm: Swarm, **changes: object) -> Digest:
    """Keep the certificate of a round of this swarm."""
    swarm.ask(**changes)
    swarm.run()
    assert swarm.certificate is not None
    id = swarm.verified().record.id
    await keep(store, swarm.certificate, id)
    return id


async def each_of(folder: Path, names: str, **interceptors: Interceptor) -> Found:
    """What one round shows of each of these nodes."""
    swarm = Swarm(names)
    swarm.interceptors.update(interceptors)
    async with opened(folder) as store:
        await held(store, swarm)
        found = {name: await of(store, name) for name in names}
    assert all(complete for _, complete in found.values())
    return {name: round_ for name, ((round_,), _) in found.items()}


async def test_places_are_those_of_the_ranking(tmp_path: Path) -> None:
    found = await each_of(tmp_path, "abcd")
    assert [found[name].place for name in "abcd"] == [1, 2, 3, 4]
    assert [found[name].in_winning_group for name in "abcd"] == [True, False, False, False]
    for each in found.values():
        assert (each.answered, each.places, each.outcome, each.right) == (True, 4, Outcome.DECIDED, None)
        assert each.comparisons == 3
        assert not (each.removed or each.unopened or each.silent_judge or each.ours or each.declined)


async def test_failings_are_told_apart(tmp_path: Path) -> None:
    """One opens nothing, one casts no ballot, the others do their part."""
    found = await each_of(tmp_path, "abcde", d=drop(Kind.ANSWER), e=drop(Kind.BALLOT))
    assert [name for name in "abcde" if found[name].unopened] == ["d"]
    assert [name for name in "abcde" if not found[name].answered] == ["d"]
    assert [name for name in "abcde" if found[name].silent_judge] == ["e"]
    assert (found["d"].place, found["d"].places, found["d"].in_winning_group) == (None, 4, None)
    assert found["e"].comparisons == 0


async def test_declines_come_with_their_reason(tmp_path: Path) -> None:
    swarm = Swarm("abcd")
    swarm.nodes["d"].unable_to_answer = DeclineReason.ENGINE
    async with opened(tmp_path) as store:
        await held(store, swarm)
        ((round_,), _) = await of(store, "d")
    assert round_.declined == {DeclinedPhase.ANSWERING: DeclineReason.ENGINE}


async def test_who_was_removed_has_no_place(tmp_path: Path) -> None:
    raw = (FOLDER / "wire-3-hbt-3-forms-1-draws-1" / "evidence.certificate").read_bytes()
    async with opened(tmp_path) as store:
        await keep(store, raw, Digest(b"q" * 32))
        rounds = {name: (await of(store, name))[0] for name in "abcde"}
    assert [name for name in "abcde" if rounds[name] and rounds[name][0].removed] == ["e"]
    assert rounds["e"][0].place is None


async def test_what_is_known_to_be_right_is_told(tmp_path: Path) -> None:
    """Of gold rounds that are still kept; one whose answer was set aside has no truth there."""
    round_ = told({"a": "A", "b": "B", "c": "A"})
    gold = round_.update("A").gold
    assert gold is not None
    async with opened(tmp_path) as store:
        await keep(store, round_.certificate, round_.record.id)
        right = {name: (await of(store, name, gold))[0][0].right for name in "abc"}
        assert (await of(store, "a"))[0][0].right is None
    assert right == {"a": True, "b": False, "c": True}


async def test_certificates_of_others_and_of_former_versions_are_passed_over(tmp_path: Path) -> None:
    former = (FOLDER / "wire-2-hbt-2-forms-1-draws-1" / "full.certificate").read_bytes()
    async with opened(tmp_path) as store:
        id = await held(store, Swarm("abc"))
        await keep(store, former, Digest(b"f" * 32))
        await keep(store, b"no certificate", Digest(b"n" * 32))
        assert await of(store, "z") == ((), True)
        (found,), complete = await of(store, "b")
    assert (found.query_id, found.task, complete) == (id.hex(), TaskType.CODE, True)


async def test_the_latest_rounds_come_first_and_no_more_than_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        ids = [(await held(store, Swarm("abc"), nonce=bytes([number]) * 32)).hex() for number in range(3)]
        monkeypatch.setattr(node_rounds, "PAGE", 2)
        rounds, complete = await of(store, "a")
        assert ([each.query_id for each in rounds], complete) == (ids[::-1], True)
        for bound in ("ROUNDS_MAX", "LOOKED_MAX"):
            with monkeypatch.context() as patched:
                patched.setattr(node_rounds, bound, 2)
                rounds, complete = await of(store, "a")
            assert ([each.query_id for each in rounds], complete) == (ids[:0:-1], False)
        monkeypatch.setattr(node_rounds, "LOOKING_S", -1.0)
        assert await of(store, "a") == ((), False)
