"""A node's `/mcp` over stdin and stdout, for clients that start a command."""

import os
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias, cast

import httpx2
import mcp_types as types
import trio
from anyio import AsyncFile
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from node.cli.parts.errors import CliError
from node.client.client import CONNECT_S

LINE_BYTES_MAX: Final = 1024 * 1024
"""Bytes of one message from the client: a question of 64 KiB with each character escaped, and its conversation."""

PIECE_BYTES: Final = 64 * 1024
"""Bytes read from stdin at once."""

SILENCE_S: Final = 600.0
"""Longest silence of the node in seconds; while a round runs, it sends a sign of life every 15 s."""

Context: TypeAlias = ServerRequestContext[Any, Any]
Page: TypeAlias = types.PaginatedRequestParams | None


async def serve_stdio(url: str, token: str) -> None:
    """Serve the protocol over stdin and stdout until stdin ends, by the endpoint at `url`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
        stdio_server(stdin=cast(AsyncFile[str], _lines(0))) as (incoming, outgoing),
    ):
        server = _proxy(client)
        await server.run(incoming, outgoing, server.create_initialization_options())


def _proxy(client: Client) -> Server[Any]:
    """Build a server that hands each request on to the node's, and its progress back."""

    async def list_tools(_: Context, page: Page) -> types.ListToolsResult:
        return await client.list_tools(cursor=page.cursor if page else None)

    async def call_tool(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        report = context.session.report_progress
        return await client.call_tool(asked.name, asked.arguments, progress_callback=report)

    async def list_resources(_: Context, page: Page) -> types.ListResourcesResult:
        return await client.list_resources(cursor=page.cursor if page else None)

    async def list_templates(_: Context, page: Page) -> types.ListResourceTemplatesResult:
        return await client.list_resource_templates(cursor=page.cursor if page else None)

    async def read(_: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return await client.read_resource(asked.uri)

    info = client.server_info
    return Server(
        "strand",
        version=info.version if info else "",
        title=info.title if info else None,
        instructions=client.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read,
    )


async def _lines(descriptor: int) -> AsyncIterator[str]:
    """Yield lines of at most LINE_BYTES_MAX; a read that waits can be cancelled, unlike the library's in a thread.

    Raises CliError for a longer line.
    """
    # The duplicate is closed here, and the command's own stdin stays open.
    async with trio.lowlevel.FdStream(os.dup(descriptor)) as stream:
        begun = bytearray()
        while piece := await stream.receive_some(PIECE_BYTES):
            *whole, rest = (bytes(begun) + piece).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace")
            begun[:] = rest
            if len(begun) > LINE_BYTES_MAX:
                raise CliError(f"a message has more than {LINE_BYTES_MAX} bytes")
