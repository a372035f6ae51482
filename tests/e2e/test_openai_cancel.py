"""A client of OpenAI's API that goes: its round is cancelled at all members, whose engines stop at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from openai import AsyncOpenAI

from node.api.engine import EngineReport
from node.client import connect
from node.inference import EngineConfig
from node.local import NodeSpec, open_swarm
from node.local.nodes import Child
from tests.support.processes import PATIENCE_S, POLL_S, logged

# Its generators hang in each other, and trio complains of those that are dropped before their end.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|openai)[.]:ResourceWarning")

HELLO: Any = [{"role": "user", "content": "Sum a slice."}]
NODES = 3


async def engine_reports(node: Child, condition: Callable[[EngineReport], bool]) -> None:
    """Ask a node for its engine until the report fulfils `condition`."""
    with trio.fail_after(PATIENCE_S):
        async with connect(node.url) as client:
            while not condition(await client.engine()):  # noqa: ASYNC110 - another process tells nobody
                await trio.sleep(POLL_S)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_members_stop_when_the_client_goes(tmp_path: Path, stream: bool) -> None:
    # An answer would take an hour, and its budget is two minutes.
    slow = EngineConfig(kind="scripted", latency_ms=3_600_000)
    specs = [NodeSpec(tmp_path / str(number), slow, seed=number) for number in range(NODES)]

    async def ask(client: AsyncOpenAI) -> None:
        reply: Any = await client.chat.completions.create(model="strand-rust:members", messages=HELLO, stream=stream)
        if stream:
            async for _ in reply:
                pass

    async with open_swarm(specs) as swarm:
        await swarm.wait_known(0)
        url = f"{swarm.nodes[0].url}/v1"
        async with AsyncOpenAI(api_key="any", base_url=url, max_retries=0) as client, trio.open_nursery() as nursery:
            nursery.start_soon(ask, client)
            for node in swarm.nodes:
                await engine_reports(node, lambda report: report.in_flight == 1)
            nursery.cancel_scope.cancel()
        for node in swarm.nodes:
            await logged(node.log, lambda record: record.get("ending") == "cancelled")
            await engine_reports(node, lambda report: report.in_flight == 0)
