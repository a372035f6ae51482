"""The HTTP interface with nothing behind it: each request gets two bytes. Its URL is its only line; it ends with stdin.

Connections, guard and limits are the daemon's own, so that a daemon beside it shows what routes and replies cost.
"""

import sys

import trio
from starlette.types import Receive, Scope, Send

from node.config import ApiTable
from node.descriptors import descriptor_limit, raise_descriptor_limit
from node.http.edge import Edge, connections_max
from node.http.guard import Guard
from node.http.server import listen


async def empty(_: Scope, __: Receive, send: Send) -> None:
    """Reply at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def serve() -> None:
    """Serve on a free port of loopback until stdin ends."""
    raise_descriptor_limit()
    listener = await listen("127.0.0.1", 0)
    edge = Edge(empty, Guard(ApiTable()), connections_max(descriptor_limit()))
    async with listener, trio.open_nursery() as nursery, trio.lowlevel.FdStream(sys.stdin.fileno()) as stdin:
        nursery.start_soon(edge.run, listener)
        print(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", flush=True)
        while await stdin.receive_some(64):
            pass
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve)
