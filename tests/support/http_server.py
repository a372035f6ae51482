"""The HTTP interface on a loopback port, for tests and fuzzers that speak to it in raw bytes.

`open_api` is the whole thing: a node of real parts (store, libp2p host on loopback, scripted engine) without peers,
behind the interface as `strand run` serves it; each reply of the application is checked against its declaration.
`open_edge` serves any ASGI application behind a connection's limits.
A fuzzer opens one of them and calls `exchange` on it again and again:

    async with open_api(folder) as api:
        reply = await api.exchange(raw_bytes)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from node.api.conversation import Audience
from node.config import ApiTable, CapacityTable, NodeConfig, NodeTable, OverlayTable, TrustTable
from node.daemon import Node, open_node
from node.http.api import build_app
from node.http.dashboard import DashboardHandlers
from node.http.edge import CONNECTIONS_MAX, Edge
from node.http.guard import Guard
from node.http.mcp.endpoint import McpEndpoint
from node.http.places import RequestPlaces
from node.http.server import listen
from node.http.sessions import Sessions
from node.http.shown import Shown
from node.inference.config import EngineConfig
from node.sandbox.config import SandboxConfig
from tests.support.declared import declared

REPLY_BYTES_MAX = 1024 * 1024
"""bytes of replies that `exchange` reads of one connection."""

PATIENCE_S = 30.0
"""seconds for a reply that must come; a test that passes never waits so long."""

GET = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"
"""The beginning of a request that is served; headers and an empty line are to follow."""

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass(frozen=True, slots=True)
class Served:
    """An HTTP interface that runs."""

    host: str
    port: int
    node: Node | None = field(default=None, repr=False)
    """What stands behind `open_api`."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def connect(self, raw: bytes = b"") -> trio.SocketStream:
        """A connection on which these bytes were sent; the caller closes it."""
        stream = await trio.open_tcp_stream(self.host, self.port)
        await stream.send_all(raw)
        return stream

    async def exchange(self, raw: bytes) -> bytes:
        """Send bytes, close our side, and read until the server closes; b"" also if it reset the connection."""
        async with await trio.open_tcp_stream(self.host, self.port) as stream:
            reply = b""
            try:
                await stream.send_all(raw)
                await stream.send_eof()
                reply = await read_all(stream)
            except trio.BrokenResourceError:
                pass
            return reply


async def read_all(stream: trio.SocketStream) -> bytes:
    """What comes until the other side closes, at most REPLY_BYTES_MAX."""
    reply = b""
    with trio.fail_after(PATIENCE_S):
        while len(reply) < REPLY_BYTES_MAX and (data := await stream.receive_some(65_536)):
            reply += data
    return reply


def statuses(reply: bytes) -> list[int]:
    """The status of each reply, in order."""
    return [int(status) for status in STATUS.findall(reply)]


async def hello(_: Scope, __: Receive, send: Send) -> None:
    """An application that answers at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def guarded(app: ASGIApp, guard: Guard) -> ASGIApp:
    """An application behind the guard, for an ASGI client without a connection."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await ((await guard.refuse(scope)) or app)(scope, receive, send)

    return served


def app_of(
    node: Shown,
    *,
    connections_max: int = 64,
    mcp: McpEndpoint | None = None,
    dashboard: DashboardHandlers | None = None,
    audience: Audience = Audience.TRUSTED,
) -> Starlette:
    """The application of a node; without `mcp` nothing is heard on /mcp, and without `dashboard` there are no keys."""
    places = RequestPlaces(connections_max)
    mcp = mcp or McpEndpoint(node, places, audience)
    return build_app(node, places, mcp, dashboard or DashboardHandlers(ApiTable(), Sessions()), audience)


@asynccontextmanager
async def open_api(
    folder: Path, *, capacity: CapacityTable | None = None, host: str = "127.0.0.1", **api: Any
) -> AsyncIterator[Served]:
    """A node without peers and its HTTP interface, on a free port of loopback, until the block ends.

    `api`: settings of [api], such as the token.
    """
    config = NodeConfig(
        node=NodeTable(data_dir=folder),
        overlay=OverlayTable(listen=("/ip4/127.0.0.1/tcp/0",)),
        api=ApiTable(bind=f"{host}:0", **api),
        engine=EngineConfig(kind="scripted", seed=1),
        trust=TrustTable(default_weight=1.0),
        capacity=capacity or CapacityTable(),
        # Its trial takes seconds, for which the node's first offer would wait.
        sandbox=SandboxConfig(enabled="off"),
    )
    async with open_node(config) as node:
        sessions = Sessions()
        page = DashboardHandlers(config.api, sessions)
        app = declared(app_of(node.shown(), connections_max=CONNECTIONS_MAX, dashboard=page))
        async with open_edge(app, connections_max=CONNECTIONS_MAX, api=config.api, sessions=sessions) as served:
            yield replace(served, node=node)


@asynccontextmanager
async def open_edge(
    app: ASGIApp,
    *,
    connections_max: int = 64,
    api: ApiTable = ApiTable(bind="127.0.0.1:0"),  # noqa: B008 - frozen
    sessions: Sessions | None = None,
) -> AsyncIterator[Served]:
    """An ASGI application behind the connections' limits, on a free port of loopback, until the block ends."""
    host, port = api.address
    listener = await listen(host, port)
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(Edge(app, Guard(api, sessions), connections_max).run, listener)
        yield Served(host, listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()
