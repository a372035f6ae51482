"""`/mcp`: the protocol's streamable HTTP transport in the node's own server.

The `mcp` package is loaded, in a thread, when the first request comes: most nodes never get one.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import trio
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from node.api.conversation import Audience
from node.http.edge import keep_running
from node.http.places import RequestPlaces
from node.http.replies import refusal
from node.http.shown import Shown
from node.signals import Signal

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

HANDSHAKE_S: Final = 5.0
"""Seconds in which a session begins: it takes milliseconds."""


class McpEndpoint:
    """The ASGI application behind `/mcp`."""

    def __init__(self, shown: Shown, places: RequestPlaces, audience: Audience) -> None:
        """Build the endpoint; `places`, `audience`: see SwarmTools."""
        self._shown = shown
        self._places = places
        self._audience = audience
        self._is_installed = find_spec("mcp") is not None
        self._wanted = Signal()
        self._manager: StreamableHTTPSessionManager | None = None
        self._changed = Signal()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, after loading the package if it is the first."""
        if not self._is_installed:
            lacking = "this node speaks no MCP: the package is missing; pip install 'strand-swarm[mcp]'"
            await refusal(501, lacking)(scope, receive, send)
            return
        self._wanted.fire()
        await self._changed.wait_until(lambda: self._manager is not None)
        assert self._manager is not None
        headers = Headers(scope=scope)
        if "mcp-session-id" in headers or "mcp-protocol-version" in headers:
            await self._manager.handle_request(scope, receive, send)
        else:
            await self._shake_hands(self._manager, scope, receive, send)

    async def _shake_hands(
        self, manager: "StreamableHTTPSessionManager", scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request that begins a session, to its end; only then reply.

        A client closes the connection when it has read the reply, and that would cancel the request's last steps, with
        which the manager gives up the session.
        """
        reply: list[Message] = []

        async def keep(message: Message) -> None:
            reply.append(message)

        with trio.CancelScope(deadline=trio.current_time() + HANDSHAKE_S, shield=True) as limit:
            await manager.handle_request(scope, receive, keep)
        if limit.cancelled_caught:
            await refusal(503, "the node is busy; try again later", retry_after_s=1)(scope, receive, send)
            return
        for message in reply:
            await send(message)

    async def run(self) -> None:
        """Run the protocol's server from the first request on, until cancelled; build it anew if it fails."""
        await self._wanted.wait_until(lambda: self._wanted.count > 0)
        await keep_running("MCP", self._serve)

    async def _serve(self) -> None:
        manager = await trio.to_thread.run_sync(self._load)
        async with manager.run():
            self._manager = manager
            self._changed.fire()
            try:
                await trio.sleep_forever()
            finally:
                self._manager = None

    def _load(self) -> "StreamableHTTPSessionManager":
        from node.http.mcp.server import build_manager

        return build_manager(self._shown, self._places, self._audience)
