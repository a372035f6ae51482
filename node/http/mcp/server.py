"""The protocol's server: tools and resources of a node, in the terms of the `mcp` package."""

import base64
import re
from importlib.metadata import version
from typing import Final

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from node.api.asking import Audience
from node.http.mcp.swarm import CERTIFICATE_URI, SwarmTools
from node.http.mcp.tool import Context
from node.http.places import RequestPlaces
from node.http.shown import Shown
from node.storage import CertificateRow
from protocol.types import Digest

INSTRUCTIONS: Final = (
    "A swarm of Rust-specialist language models that answers by peer-ranked consensus. Ask it Rust questions that are "
    "worth a second opinion, with all code that they are about. An answer is the best that the nodes ranked, with the "
    "probability that it is the best; a certificate says who answered and judged what, not that the answer is right."
)

CERTIFICATE_MEDIA: Final = "application/vnd.strand.certificate"
"""Media type of a certificate's canonical bytes."""

RESOURCES_MAX: Final = 50
"""Certificates on one page of the list of resources."""

MCP_SESSIONS_MAX: Final = 64
"""Sessions of clients that speak an earlier version of the protocol: one for each agent, some 50 KB each."""

SESSION_IDLE_S: Final = 600.0
"""Seconds without a request after which such a session ends; its client begins another."""

_AGE: Final = re.compile(r"[0-9]{1,18}")


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

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.described() for tool in tools.values()])

    async def call_tool(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        tool = tools.get(asked.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool {asked.name[:64]!r}; there are {', '.join(tools)}")
        return await tool.call(asked.arguments or {}, context)

    async def list_resources(_: Context, page: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        cursor = page.cursor if page else None
        if cursor is not None and not _AGE.fullmatch(cursor):
            raise MCPError(types.INVALID_PARAMS, "no such cursor")
        rows = await shown.history.certificates(None if cursor is None else int(cursor), RESOURCES_MAX + 1)
        more = str(rows[RESOURCES_MAX - 1].age) if len(rows) > RESOURCES_MAX else None
        return types.ListResourcesResult(resources=[_resource(row) for row in rows[:RESOURCES_MAX]], next_cursor=more)

    async def list_templates(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        certificate = types.ResourceTemplate(
            name="certificate",
            uri_template=f"{CERTIFICATE_URI}{{query_id}}",
            description="A round's certificate in its canonical bytes: `strand verify` checks it offline.",
            mime_type=CERTIFICATE_MEDIA,
        )
        return types.ListResourceTemplatesResult(resource_templates=[certificate])

    async def read(_: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        found = re.fullmatch(f"{CERTIFICATE_URI}([0-9a-f]{{64}})", asked.uri)
        raw = await shown.rounds.certificate(Digest(bytes.fromhex(found[1]))) if found else None
        if raw is None:
            raise MCPError(types.INVALID_PARAMS, "no such certificate here")
        blob = types.BlobResourceContents(
            uri=asked.uri, mime_type=CERTIFICATE_MEDIA, blob=base64.b64encode(raw).decode()
        )
        return types.ReadResourceResult(contents=[blob])

    return Server(
        "strand",
        version=version("strand-swarm"),
        title="Strand Swarm",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read,
    )


def _resource(row: CertificateRow) -> types.Resource:
    """Describe a certificate that the node holds."""
    query_id = row.summary.query_id.hex()
    return types.Resource(
        name=query_id[:16],
        title=f"{row.summary.outcome} certificate of {'a round of ours' if row.is_ours else 'a round of another node'}",
        uri=f"{CERTIFICATE_URI}{query_id}",
        mime_type=CERTIFICATE_MEDIA,
        size=row.size_bytes,
    )
