"""Rounds between real processes in which one of them is killed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.record import bodies
from node.cli.errors import Exit
from node.cli.processes import Child, NodeSpec, start_node
from node.inference import EngineConfig
from protocol.messages import Ballot
from tests.support.engine_server import Reply, StandIn, as_json, serving
from tests.support.processes import Ran, Shell, logged, wait_offers

SCRIPTED = EngineConfig(kind="scripted")


async def test_a_round_decides_without_a_judge_who_is_killed(shell: Shell, tmp_path: Path) -> None:
    # The victim's first wave is two prompts, a second each; the others are done at once, and then patience (1 s) runs.
    slow = EngineConfig(kind="scripted", latency_ms=1_000)
    async with AsyncExitStack() as stack:
        asked, *_, victim = await _swarm(stack, tmp_path, SCRIPTED, SCRIPTED, SCRIPTED, slow)
        await wait_offers(asked.url, 4)
        certificate = tmp_path / "round.strand"
        question = partial(shell.strand, "ask", "Sum a slice.", "--strict", "--json", "--url", asked.url)
        ran: list[Ran] = []

        async def ask() -> None:
            ran.append(await trio.to_thread.run_sync(partial(question, "--out", certificate)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await logged(victim.log, lambda record: record["event"] == "judging.started")
            victim.process.kill()
    assert ran[0].code == 0, ran[0]
    report = ran[0].json
    assert (report["outcome"], report["cosignatures"], report["full"]) == ("decided", 3, True)
    verified = verify_certificate(certificate.read_bytes())
    assert isinstance(verified, VerifiedCertificate)
    killed = bytes.fromhex(victim.key)
    # Whether its answer came within the others' patience is up to the machine; a judge it was either way.
    record = verified.record
    assert killed in record.absent | record.assignment.keys()
    assert killed not in {ballot.author for ballot in bodies(record.ballots, Ballot)}
    assert killed not in verified.cosigners


async def test_the_dead_hold_no_round(shell: Shell, tmp_path: Path) -> None:
    """Two of five members are killed while their offers stand, then one asks, under the default budgets of 305 s."""
    async with AsyncExitStack() as stack:
        asked, one, two, *victims = await _swarm(stack, tmp_path, *[SCRIPTED] * 5)
        await wait_offers(asked.url, 5)
        for victim in victims:
            victim.process.kill()
        certificate = tmp_path / "round.strand"
        ask = partial(shell.strand, "ask", "Sum a slice.", "--json", "--url", asked.url, "--out", certificate)
        with trio.fail_after(60):
            ran = await trio.to_thread.run_sync(ask)
    assert ran.code == 0, ran
    assert ran.json["outcome"] == "decided"
    verified = verify_certificate(certificate.read_bytes())
    assert isinstance(verified, VerifiedCertificate)
    assert {key.hex() for key in verified.cosigners} == {asked.key, one.key, two.key}


class Breaking(StandIn):
    """A good model server, until it is out of memory."""

    broken = False

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        if self.broken:
            return as_json({"error": {"message": "CUDA out of memory"}}, "500 Internal Server Error")
        return super().reply_to(path, headers, body)


async def test_a_round_in_which_every_engine_fails_ends_at_once_and_says_why(shell: Shell, tmp_path: Path) -> None:
    """Under the default budgets of 305 s; R15."""
    server = Breaking()
    async with serving(server) as url, AsyncExitStack() as stack:
        engine = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)
        asked, *_ = await _swarm(stack, tmp_path, engine, engine, engine)
        await wait_offers(asked.url, 3)
        server.broken = True
        with trio.fail_after(60):
            ran = await trio.to_thread.run_sync(partial(shell.strand, "ask", "Sum a slice.", "--url", asked.url))
    assert ran.code == Exit.NO_QUORUM, ran
    assert "the round failed: declined; members declined: engine (3)" in ran.stderr
    assert "this node's own engine:" in ran.stderr and "CUDA out of memory" in ran.stderr


async def _swarm(stack: AsyncExitStack, folder: Path, *engines: EngineConfig) -> list[Child]:
    """A node for each engine, all of them joining through the first."""
    first = await start_node(NodeSpec(folder / "0", engines[0], seed=0), stack)
    nodes = {0: first}

    async def start(number: int) -> None:
        spec = NodeSpec(folder / str(number), engines[number], first.addresses[:1], seed=number)
        nodes[number] = await start_node(spec, stack)

    async with trio.open_nursery() as nursery:
        for number in range(1, len(engines)):
            nursery.start_soon(start, number)
    return [nodes[number] for number in sorted(nodes)]
