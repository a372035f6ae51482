"""A model server beside a test that itself waits for processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

import trio

from tests.support.engine_server import Server, StandIn


@contextmanager
def model_server(server: Server) -> Iterator[str]:
    """Serve beside the test, which waits for processes; the server's URL."""
    started, told = Event(), []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
            told.extend([f"http://127.0.0.1:{listener.socket.getsockname()[1]}", trio.lowlevel.current_trio_token()])
            told.append(nursery.cancel_scope)
            started.set()

    thread = Thread(target=trio.run, args=(serve,))
    thread.start()
    started.wait()
    url, token, scope = told
    try:
        yield url
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join()


def stand_in() -> StandIn:
    """A server with two models that write text."""
    server = StandIn()
    server.models = [{"id": name, "max_model_len": StandIn.CONTEXT_TOKENS} for name in ("one", "two", "an-embed-model")]
    return server
