"""The Model Context Protocol as agents use it: the official client over stdio, which starts `strand mcp`."""

from __future__ import annotations

import os
from typing import Any

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters

from tests.e2e.conftest import RunningSwarm
from tests.support.processes import STRAND, Shell

# The official client leaves httpx2's reply before its end, and under trio that is told when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning", "ignore:Exception ignored in")


async def test_an_agent_asks_over_stdio(shell: Shell, swarm: RunningSwarm) -> None:
    told: list[str | None] = []

    async def progress(_: float, __: float | None, message: str | None) -> None:
        told.append(message)

    command = StdioServerParameters(
        command=str(STRAND), args=["mcp", "--url", swarm.url], env={**os.environ, "HOME": str(shell.home)}
    )
    async with mcp.Client(command) as client:
        assert client.instructions and "specialists in rust" in client.instructions
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"ask_swarm", "explain_round", "verify_certificate", "swarm_status"}
        asked: dict[str, Any] = {"question": "Sum a slice.", "audience": "public"}
        answer = (await client.call_tool("ask_swarm", asked, progress_callback=progress)).structured_content
        assert answer is not None and answer["outcome"] == "decided"
        status = (await client.call_tool("swarm_status", {})).structured_content
        assert status is not None and status["key"] == swarm.report["requester"]
        (resource,) = (await client.read_resource(answer["certificate"])).contents
        assert resource.uri == answer["certificate"]
        assert answer["certificate"] in {each.uri for each in (await client.list_resources()).resources}
        asked = {"query_id": answer["query_id"]}
        why = (await client.call_tool("explain_round", asked)).structured_content
        assert why is not None and why["certificate"]["answers"][0]["text"] == answer["answer"]
        assert why["conversation"] == [{"role": "user", "text": "Sum a slice."}]
        verified = (await client.call_tool("verify_certificate", asked)).structured_content
        assert verified is not None and verified["valid"], verified
    assert any(message and message.startswith("judging") for message in told)


def test_without_a_node_the_command_says_so_and_ends(shell: Shell) -> None:
    ran = shell.strand("mcp", "--url", "http://127.0.0.1:9")
    assert ran.code == 4 and ran.stderr.count("\n") == 1, ran
