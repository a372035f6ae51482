"""Serves the API with hypercorn under trio; errors of binding are one line for the user."""

from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve

from node.app import Node
from node.http.api import build_app

HEADER_BYTES_MAX = 16 * 1024
"""bytes of a request's line and headers: ours are below 1 KiB."""


class ApiBindError(Exception):
    """The HTTP interface's address cannot be used; the message is one line for the user."""


async def serve(node: Node, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled; reports the URL as the task's start. Raises ApiBindError."""
    config = Config()
    config.bind = [node.config.api.bind]
    config.h11_max_incomplete_size = HEADER_BYTES_MAX
    config.graceful_timeout = 1.0
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None
    try:
        # Bound here, because hypercorn's own failure would come out of a nursery without the address.
        sockets = config.create_sockets()
    except OSError as error:
        raise ApiBindError(
            f"cannot serve HTTP on {node.config.api.bind}: {error.strerror or error}; choose another with --bind"
        ) from error
    for sock in (*sockets.insecure_sockets, *sockets.secure_sockets):
        sock.close()
    host, _ = node.config.api.address
    app = build_app(node)
    async with trio.open_nursery() as nursery:
        binds: list[str] = await nursery.start(hypercorn_serve, app, config)
        port = binds[0].rpartition(":")[2]
        task_status.started(f"http://{f'[{host}]' if ':' in host else host}:{port}")
