"""One round with the real model: llama.cpp and SmolLM2-135M, shared by three node processes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig
from node.local.nodes import NodeSpec, start_node
from tests.support.processes import Shell, wait_offers

pytest.importorskip("xllamacpp", reason="the embedded engine is not installed: pip install 'strand-swarm[embedded]'")


@pytest.mark.long
async def test_three_nodes_and_a_real_model_come_to_a_full_certificate(shell: Shell, tmp_path: Path) -> None:
    from node.inference.embedded import embedded_server

    settings = EngineConfig(kind="embedded", judge_answer_bytes_max=200)
    async with embedded_server(settings) as server, AsyncExitStack() as stack:
        first = await start_node(NodeSpec(tmp_path / "0", server.client_config, seed=0, patience_ms=30_000), stack)
        for number in (1, 2):
            folder, joins = tmp_path / str(number), first.addresses[:1]
            await start_node(NodeSpec(folder, server.client_config, joins, number, patience_ms=30_000), stack)
        await wait_offers(first.url, 3)
        ask = partial(shell.strand, "ask", "Write a function that adds two numbers.", "--json", "--url", first.url)
        ran = await trio.to_thread.run_sync(partial(ask, "--max-tokens", "32"))
    assert ran.code == 0, ran
    report = ran.json
    # Whether so small a model can tell answers apart is not ours to assert; that everyone answered and it judged is.
    assert len(report["ranking"]) == report["cosignatures"] == 3
    assert report["ballots"] >= 2
    assert report["full"] is True
    assert report["winner"]["text"].strip()
