"""The official client of the Model Context Protocol against a node's HTTP interface."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import mcp
import pytest
import trio
from mcp.shared.exceptions import MCPError

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import Progress
from node.http.mcp.endpoint import McpEndpoint
from node.http.places import READS_MAX, RequestPlaces
from node.rounds.asking.service import RoundHandle
from node.rounds.following.hub import ROLES, Subscription
from protocol.types import Digest
from tests.support.http_server import PATIENCE_S, Served, app_of, open_api, open_edge
from tests.support.shown import KEY, QUERY, TellingRounds, begun, shown

# The official client leaves httpx2's reply before its end, and under trio that is told when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning", "ignore:Exception ignored in")

SECRET = "gh" + "p_" + "A1b2C3d4E5" * 4


@asynccontextmanager
async def open_mcp(folder: Path) -> AsyncIterator[Served]:
    """A node without peers, and its interface with `/mcp`."""
    async with open_api(folder) as api, trio.open_nursery() as nursery:
        endpoint = McpEndpoint(api.node.shown(), RequestPlaces(8), Audience.TRUSTED)
        nursery.start_soon(endpoint.run)
        async with open_edge(app_of(api.node.shown(), mcp=endpoint)) as served:
            yield served
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_asks_and_reads_the_certificate(tmp_path: Path, mode: str) -> None:
    told = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with open_mcp(tmp_path) as served, mcp.Client(f"{served.url}/mcp", mode=mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools >= {"ask_swarm", "swarm_status"}
        asked = {"question": "Sum a slice."}
        result = await client.call_tool("ask_swarm", asked, progress_callback=progress)
        assert not result.is_error, result
        answer = result.structured_content
        assert answer["outcome"] == "degraded" and answer["answer"]
        (resource,) = (await client.read_resource(answer["certificate"])).contents
        certificate = verify_certificate(base64.b64decode(resource.blob))
        assert isinstance(certificate, VerifiedCertificate)
        assert certificate.turns == (), "what agents ask is not published unless they say so"
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})
    assert told


async def test_what_is_wrong_with_a_call_is_told_to_the_agent(tmp_path: Path) -> None:
    async with open_mcp(tmp_path) as served, mcp.Client(f"{served.url}/mcp") as client:
        result = await client.call_tool("ask_swarm", {"question": "x", "colour": "red"})
        assert result.is_error and "colour" in result.content[0].text
        result = await client.call_tool("ask_swarm", {"question": " "})
        assert result.is_error and result.content[0].text == "the query is empty"
        result = await client.call_tool("ask_swarm", {"question": f"Why does {SECRET} fail?"})
        assert result.is_error and result.content[0].text == (
            "the question looks like it holds a GitHub token, which other nodes would read: take it out"
        ), "an agent is told of no way to force it"
        refused = {
            "give either query_id or certificate": {},
            "the certificate is not base64": {"certificate": "?"},
            "no such certificate here": {"query_id": "00" * 32},
        }
        for words, arguments in refused.items():
            result = await client.call_tool("verify_certificate", arguments)
            assert result.is_error and result.content[0].text == words
        result = await client.call_tool("verify_certificate", {"certificate": base64.b64encode(b"junk").decode()})
        assert not result.is_error and result.structured_content["valid"] is False
        result = await client.call_tool("explain_round", {"query_id": "00" * 32})
        assert result.is_error and result.content[0].text.startswith("no such round here")
        with pytest.raises(MCPError, match="no such cursor"):
            await client.list_resources(cursor="x")
        with pytest.raises(MCPError, match="no tool 'sell_swarm'"):
            await client.call_tool("sell_swarm", {})
        with pytest.raises(MCPError, match="no such certificate"):
            await client.read_resource("strand://certificates/" + "00" * 32)


async def test_agents_share_the_places_of_all_others() -> None:
    node, places = shown(), RequestPlaces(8)
    endpoint = McpEndpoint(node, places, Audience.TRUSTED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(endpoint.run)
        async with open_edge(app_of(node, mcp=endpoint)) as served, mcp.Client(f"{served.url}/mcp") as client:
            calls = {
                "explain_round": {"query_id": QUERY.hex()},
                "verify_certificate": {"certificate": base64.b64encode(b"junk").decode()},
            }
            with ExitStack() as taken:
                for _ in range(READS_MAX):
                    taken.enter_context(places.reads.take())
                for tool, arguments in calls.items():
                    result = await client.call_tool(tool, arguments)
                    assert result.is_error and "try again later" in result.content[0].text
            for tool, arguments in calls.items():
                assert not (await client.call_tool(tool, arguments)).is_error
        nursery.cancel_scope.cancel()


class OpenRounds(TellingRounds):
    """A round that begins, and never ends by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = trio.Event()

    @asynccontextmanager
    async def _ask(self, _: Question) -> AsyncIterator[RoundHandle]:
        events = Subscription(None, ROLES)
        events.put(
            Progress(
                phase="answering", wave=0, received=(KEY,), expected=(KEY, KEY), silent=(), refused={}, declined={}
            )
        )
        yield replace(begun(()), events=events)

    async def cancel(self, query_id: Digest) -> bool:
        self.gone.set()
        return await super().cancel(query_id)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_that_is_cancelled_cancels_its_round(mode: str) -> None:
    rounds = OpenRounds()
    endpoint = McpEndpoint(shown(rounds=rounds), RequestPlaces(8), Audience.TRUSTED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(endpoint.run)
        async with (
            open_edge(app_of(shown(rounds=rounds), mcp=endpoint)) as served,
            mcp.Client(f"{served.url}/mcp", mode=mode) as client,
        ):
            with trio.CancelScope() as call:

                async def progress(_: float, __: float | None, ___: str | None) -> None:
                    call.cancel()

                await client.call_tool("ask_swarm", {"question": "Wait."}, progress_callback=progress)
            assert call.cancelled_caught
            with trio.fail_after(PATIENCE_S):
                await rounds.gone.wait()
        nursery.cancel_scope.cancel()
    assert rounds.cancelled == [QUERY]
