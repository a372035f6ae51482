"""A round between real processes, driven again from what each of them was told."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from consensus.rounds import effects as fx
from consensus.rounds.recording import Recording, read
from node.inference import EngineConfig
from node.keys import load_or_create_key
from node.local.nodes import RECORDING_NAME, Child, NodeSpec, start_node
from node.storage import open_store
from protocol.types import Digest
from simnet.replay import replay
from tests.support.processes import Shell, logged, wait_offers

NODES = 3


async def test_a_recorded_round_gives_the_same_certificate(shell: Shell, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(NODES)]
    kept = tmp_path / "round.strand"
    async with AsyncExitStack() as stack:
        nodes = [await _start(stack, folders[0])]
        nodes += [await _start(stack, folder, nodes[0]) for folder in folders[1:]]
        await wait_offers(nodes[0].url, NODES)
        ask = partial(shell.strand, "ask", "Sum a slice.", "--json", "--url", nodes[0].url, "--out", kept)
        asked = await trio.to_thread.run_sync(ask)
        assert (asked.code, asked.json["outcome"]) == (0, "decided"), asked
        for node in nodes:
            await logged(node.log, lambda event: event["event"] == "round.ended" and event["role"] == "member")
    query = Digest(bytes.fromhex(asked.json["query_id"]))
    replayed = [await _replayed(folder, query) for folder in folders]
    certificates = [each.certificate for each in replayed[0] if isinstance(each, fx.Certify)]
    assert certificates == [kept.read_bytes()]


async def _start(stack: AsyncExitStack, folder: Path, first: Child | None = None) -> Child:
    joins = () if first is None else first.addresses[:1]
    engine = EngineConfig(kind="scripted")
    return await start_node(NodeSpec(folder, engine, joins, seed=int(folder.name), record=True), stack)


async def _replayed(folder: Path, query: Digest) -> list[fx.Effect]:
    """What a node does when it is told the same; what it signed is, byte for byte, what its journal holds."""
    recorded = read((folder / RECORDING_NAME).read_bytes())
    assert isinstance(recorded, Recording), recorded
    key = load_or_create_key(folder)
    effects = [effect for step in replay(recorded, key.keypair) for effect in step.effects]
    async with open_store(folder, public_key=key.keypair.public, fresh_key=False, now_ms=0) as store:
        journal = [(entry.envelope, entry.secret) for entry in await store.journal(query)]
    assert journal == [(each.message.envelope, each.secret) for each in effects if isinstance(each, fx.Journal)]
    assert journal
    return effects
