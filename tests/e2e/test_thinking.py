"""A swarm on a model that thinks before it writes, behind a server with quirks: it decides by judging that works."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from node.inference import EngineConfig, JudgingMethod
from node.local.nodes import NodeSpec, start_node
from tests.support.engine_server import StandIn, serving
from tests.support.processes import Shell, get_json, wait_offers
from tests.support.quirks import MANY, Quirky

NODES = 3


@pytest.mark.long
async def test_a_swarm_on_a_thinking_model_decides(shell: Shell, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(Quirky(replace(MANY, varied=True), raw=False)))
        config = EngineConfig(kind="openai", url=url, api_key=StandIn.KEY, max_tokens=128)
        first = await start_node(NodeSpec(tmp_path / "0", config), stack)
        async with trio.open_nursery() as nursery:
            for number in range(1, NODES):
                spec = NodeSpec(tmp_path / str(number), config, first.addresses[:1])
                nursery.start_soon(start_node, spec, stack)
        await wait_offers(first.url, NODES)
        told: dict[str, Any] = await trio.to_thread.run_sync(get_json, f"{first.url}/api/engine")
        ask = partial(shell.strand, "ask", "Sum a slice.", "--json", "--url", first.url, "--out", tmp_path / "round")
        ran = await trio.to_thread.run_sync(ask)
        after = await trio.to_thread.run_sync(get_json, f"{first.url}/api/engine")
    assert told["probe"]["judging"] == JudgingMethod.CHAT.value
    assert ran.code == 0, ran
    report = ran.json
    assert (report["outcome"], report["members"], report["silent_judges"]) == ("decided", NODES, [])
    assert report["ballots"] >= NODES
    assert report["abstentions"] == 0
    assert {row["token_source"] for row in report["ranking"]} == {"estimate"}
    assert (after["abstentions"], after["failures"], after["roles"]["judge"]["rounds_failed"]) == (0, 0, 0)
