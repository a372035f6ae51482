"""Serves the API and restarts it after failures; the node's rounds do not depend on it."""

from contextlib import ExitStack
from typing import Any, Final

import structlog
import trio

from node.config import ApiTable
from node.descriptors import descriptor_limit
from node.errors import UserError
from node.http.api import build_app
from node.http.edge import Edge, connections_max, keep_serving
from node.http.guard import Guard
from node.http.mcp.endpoint import McpEndpoint
from node.http.replies import Places
from node.http.shown import Shown

BACKLOG: Final = 1_024
"""Connections that the system holds until we accept them; beyond it a client tries again after a second."""

MCP_SHARE: Final = 4
"""Divisor: one in four connections may follow a round for an agent."""

TOKEN_CHARS_ADVISED: Final = 16
"""Characters of a token that cannot be guessed: this machine's programs may try some thousand times per second."""

log = structlog.get_logger()


class ApiBindError(UserError):
    """The HTTP interface's address cannot be used. The message is one line for the user."""


async def serve(shown: Shown, config: ApiTable, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled; report the URL when the task has started. Raises ApiBindError, at the start only."""
    host, port = config.address
    try:
        listener = await listen(host, port)
    except OSError as error:
        raise ApiBindError(
            f"cannot serve HTTP on {config.bind}: {error.strerror or error}; choose another with --bind"
        ) from error
    port = listener.socket.getsockname()[1]
    for name, key in config.named_keys.items():
        if len(key.token) < TOKEN_CHARS_ADVISED:
            reason = f"a token should have {TOKEN_CHARS_ADVISED} characters or more"
            log.warning("api.token_weak", api_key=name, reason=reason)
    places = connections_max(descriptor_limit())
    mcp = McpEndpoint(shown, Places(places // MCP_SHARE), config.audience)
    edge = Edge(build_app(shown, places, mcp), Guard(config), places)
    task_status.started(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mcp.run)
        await keep_serving(edge.run, listener, lambda: listen(host, port))


async def listen(host: str, port: int) -> trio.SocketListener:
    """Listen on one address. Raises OSError."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with ExitStack() as stack:
        sock = stack.enter_context(trio.socket.socket(family, trio.socket.SOCK_STREAM))
        # A restarted node finds its old connections in TIME_WAIT.
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await sock.bind((host, port))
        sock.listen(BACKLOG)
        stack.pop_all()
    return trio.SocketListener(sock)
