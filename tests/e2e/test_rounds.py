"""Rounds between real processes, some of which are killed: client and launcher as a notebook uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from consensus.certificates.record import bodies
from node.client import Client, FollowedRound, NoCertificateError, Question, follow
from node.inference import EngineConfig
from node.local import NodeSpec, local_swarm, open_swarm
from protocol.messages import Ballot
from tests.support.engine_server import Reply, StandIn, as_json, serving
from tests.support.processes import logged

SCRIPTED = EngineConfig(kind="scripted")
SUM = Question.single("Sum a slice.")


async def test_a_round_decides_without_a_judge_who_is_killed(tmp_path: Path) -> None:
    # The victim's first wave is two prompts, a second each; the others are done at once, and then patience (1 s) runs.
    slow = EngineConfig(kind="scripted", latency_ms=1_000)
    engines = (SCRIPTED, SCRIPTED, SCRIPTED, slow)
    specs = [NodeSpec(tmp_path / str(number), engine, seed=number) for number, engine in enumerate(engines)]
    rounds: list[FollowedRound] = []

    async def ask(client: Client) -> None:
        rounds.append(await follow(client, SUM))

    async with open_swarm(specs) as swarm, swarm.connect() as client, trio.open_nursery() as nursery:
        await swarm.wait_known(0)
        victim = swarm.nodes[3]
        nursery.start_soon(ask, client)
        await logged(victim.log, lambda record: record.get("event") == "judging.started")
        await swarm.kill(3)
    (followed,) = rounds
    verified, killed = followed.verified, bytes.fromhex(victim.key)
    assert (verified.ranking.outcome, len(verified.cosigners), verified.full) == ("decided", 3, True)
    # Whether its answer came within the others' patience is up to the machine; a judge it was either way.
    record = verified.record
    assert killed in record.absent | record.assignment.keys()
    assert killed not in {ballot.author for ballot in bodies(record.ballots, Ballot)}
    assert killed not in verified.cosigners


async def test_the_dead_hold_no_round(tmp_path: Path) -> None:
    """Two of five members are killed while their offers stand, then one asks, under the default budgets of 305 s."""
    async with local_swarm(5, folder=tmp_path) as swarm, swarm.connect() as client:
        for victim in (3, 4):
            await swarm.kill(victim)
        with trio.fail_after(60):
            followed = await follow(client, SUM)
        alive = {node.key for node in swarm.nodes[:3]}
    assert followed.verified.ranking.outcome == "decided"
    assert {key.hex() for key in followed.verified.cosigners} == alive


class Breaking(StandIn):
    """A good model server, until it is out of memory."""

    broken = False

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        if self.broken:
            return as_json({"error": {"message": "CUDA out of memory"}}, "500 Internal Server Error")
        return super().reply_to(path, headers, body)


async def test_a_round_in_which_every_engine_fails_ends_at_once_and_says_why(tmp_path: Path) -> None:
    """Under the default budgets of 305 s; R15. Asked at once, before a probe finds the engine broken."""
    server = Breaking()
    async with serving(server) as url:
        engine = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)
        async with local_swarm(3, engine=engine, folder=tmp_path) as swarm, swarm.connect() as client:
            server.broken = True
            with trio.fail_after(60), pytest.raises(NoCertificateError) as caught:
                await follow(client, SUM)
    told = str(caught.value)
    assert "the round failed: declined; members declined: engine (3)" in told
    assert "this node's own engine:" in told and "CUDA out of memory" in told
