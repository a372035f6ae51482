"""The protocol's server: tools and resources of a node, in the terms of the `mcp` package."""

import base64
import re
from importlib.metadata import version
from typing import Final

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from node.api.certificates import HeldCertificate
from node.api.common import CursorError
from node.api.conversation import Audience
from node.api.operations import CERTIFICATE
from node.http.mcp.swarm import CERTIFICATE_URI, SwarmTools
from node.http.mcp.tool import Context
from node.http.places import RequestPlaces
from node.http.shown import Shown
from protocol.types import Digest

INSTRUCTIONS: Final = (
    "A swarm of language models, specialists in {specialty}, that answers by peer-ranked consensus. Ask it questions "
    "of this kind that are worth a second opinion, with all code that they are about. An answer is the best that the "
    "nodes ranked, with the probability that it is the best; a certificate says who answered and judged what, not that "
    "the answer is right."
)

RESOURCES_MAX: Final = 50
"""Certificates on one page of the list of resources."""

MCP_SESSIONS_MAX: Final = 64
"""Sessions of clients that speak an earlier version of the protocol: one for each agent, some 50 KB each."""

SESSION_IDLE_S: Final = 600.0
"""Seconds without a request after which such a session ends; its client begins another."""


def build_manager(shown: Shown, places: RequestPlaces, audience: Audience) -> StreamableHTTPSessionManager:
    """Build the transport's manager.

    Requests of the protocol from 2026-07-28 on stand alone. Earlier ones cancel a call by another request, so they have
    sessions.
    """
    return StreamableHTTPSessionManager(
        build_server(shown, places, audience), max_sessions=MCP_SESSIONS_MAX, session_idle_timeout=SESSION_IDLE_S
    )


def build_server(shown: Shown, places: RequestPlaces, audience: Audience) -> Server:
    """Build the server of one node; `places`, `audience`: see SwarmTools."""
    tools = {tool.name: tool for tool in SwarmTools(shown, places, audience).tools()}
    # This takes some 20 ms, which no request should cost.
    described = [tool.described() for tool in tools.values()]

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=described)

    async def call_tool(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        tool = tools.get(asked.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool {asked.name[:64]!r}; there are {', '.join(tools)}")
        return await tool.call(asked.arguments or {}, context)

    async def list_resources(_: Context, page: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        cursor = (page.cursor if page else None) or ""
        try:
            found = await shown.history.certificates(cursor, RESOURCES_MAX)
        except CursorError as error:
            raise MCPError(types.INVALID_PARAMS, "no such cursor") from error
        return types.ListResourcesResult(resources=[*map(_resource, found.certificates)], next_cursor=found.next)

    async def list_templates(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        certificate = types.ResourceTemplate(
            name="certificate",
            uri_template=f"{CERTIFICATE_URI}{{query_id}}",
            description="A round's certificate in its canonical bytes: `strand verify` checks it offline.",
            mime_type=CERTIFICATE.media,
        )
        return types.ListResourceTemplatesResult(resource_templates=[certificate])

    async def read(_: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        found = re.fullmatch(f"{CERTIFICATE_URI}([0-9a-f]{{64}})", asked.uri)
        raw = await shown.history.certificate(Digest(bytes.fromhex(found[1]))) if found else None
        if raw is None:
            raise MCPError(types.INVALID_PARAMS, "no such certificate here")
        blob = types.BlobResourceContents(
            uri=asked.uri, mime_type=CERTIFICATE.media, blob=base64.b64encode(raw).decode()
        )
        return types.ReadResourceResult(contents=[blob])

    return Server(
        "strand",
        version=version("strand-swarm"),
        title="Strand Swarm",
        instructions=INSTRUCTIONS.format(specialty=shown.reputation.specialty),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read,
    )


def _resource(held: HeldCertificate) -> types.Resource:
    """Describe a certificate that the node holds."""
    return types.Resource(
        name=held.query_id[:16],
        title=f"{held.outcome} certificate of {'a round of ours' if held.ours else 'a round of another node'}",
        uri=f"{CERTIFICATE_URI}{held.query_id}",
        mime_type=CERTIFICATE.media,
        size=held.bytes,
    )
