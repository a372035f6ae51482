"""Serves the API and restarts it after failures; the node's rounds do not depend on it."""

import errno
from contextlib import ExitStack
from typing import Any, Final

import structlog
import trio

from node.config import ApiTable, http_url
from node.descriptors import descriptor_limit
from node.errors import UserError
from node.http.api import build_app
from node.http.dashboard import DashboardHandlers
from node.http.edge import Edge, connections_max, keep_serving
from node.http.guard import Guard
from node.http.mcp.endpoint import McpEndpoint
from node.http.places import RequestPlaces
from node.http.sessions import Sessions
from node.http.shown import Shown

BACKLOG: Final = 1_024
"""Connections that the system holds until we accept them; beyond it a client tries again after a second."""

TOKEN_CHARS_ADVISED: Final = 16
"""Characters of a token that cannot be guessed: this machine's programs may try some thousand times per second."""

log = structlog.get_logger()


class ApiBindError(UserError):
    """The HTTP interface's address cannot be used. The message is one line for the user."""


async def reserve(config: ApiTable) -> trio.socket.SocketType:
    """Take the address before anything slow is started; nobody can connect before `serve`. Raises ApiBindError."""
    try:
        return await bind(*config.address)
    except OSError as error:
        raise _cannot_serve(config, error) from error


async def serve(
    shown: Shown,
    config: ApiTable,
    reserved: trio.socket.SocketType,
    task_status: Any = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on a reserved address until cancelled; report the URL when the task has started.

    Raises ApiBindError, at the start only.
    """
    host, port = config.address
    try:
        reserved.listen(BACKLOG)
    except OSError as error:
        raise _cannot_serve(config, error) from error
    listener = trio.SocketListener(reserved)
    port = listener.socket.getsockname()[1]
    for name, key in config.named_keys.items():
        if len(key.token) < TOKEN_CHARS_ADVISED:
            reason = f"a token should have {TOKEN_CHARS_ADVISED} characters or more"
            # As `api_key`, the name would be hidden like a token.
            log.warning("api.token_weak", key_name=name, reason=reason)
    connections = connections_max(descriptor_limit())
    places, sessions = RequestPlaces(connections), Sessions()
    mcp = McpEndpoint(shown, places, config.audience)
    app = build_app(shown, places, mcp, DashboardHandlers(config, sessions), config.audience)
    edge = Edge(app, Guard(config, sessions), connections)
    task_status.started(http_url(host, port))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mcp.run)
        await keep_serving(edge.run, listener, lambda: listen(host, port))


async def listen(host: str, port: int) -> trio.SocketListener:
    """Listen on one address. Raises OSError."""
    sock = await bind(host, port)
    sock.listen(BACKLOG)
    return trio.SocketListener(sock)


async def bind(host: str, port: int) -> trio.socket.SocketType:
    """Bind a socket to one address. Raises OSError."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with ExitStack() as stack:
        sock = stack.enter_context(trio.socket.socket(family, trio.socket.SOCK_STREAM))
        # A restarted node finds its old connections in TIME_WAIT, or half closed by a browser that holds on to them. Of
        # free ports, two programs might get the same if it were set before; the one that was got is used again as well.
        if port:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await sock.bind((host, port))
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        stack.pop_all()
    return sock


def _cannot_serve(config: ApiTable, error: OSError) -> ApiBindError:
    help_ = "choose another with --bind"
    if error.errno == errno.EADDRINUSE:
        help_ += ", or give each of your nodes a --profile; `strand status` tells whether a node is there"
    return ApiBindError(f"cannot serve HTTP on {config.bind}: {error.strerror or error}; {help_}")
