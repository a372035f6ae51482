"""A server that several tests share, though each has a trio run of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from threading import Thread

import trio

from node.inference import EngineConfig
from tests.support.conformance import Server


@contextmanager
def held(serve: Callable[[], AbstractAsyncContextManager[EngineConfig]]) -> Iterator[EngineConfig]:
    """Keep a server over several tests: it lives in another thread's run."""
    ready: Future[tuple[EngineConfig, trio.lowlevel.TrioToken, trio.Event]] = Future()

    async def run() -> None:
        async with serve() as config:
            ended = trio.Event()
            ready.set_result((config, trio.lowlevel.current_trio_token(), ended))
            await ended.wait()

    def main() -> None:
        try:
            trio.run(run)
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = Thread(target=main, name="held server")
    thread.start()
    try:
        config, token, ended = ready.result()
        try:
            yield config
        finally:
            token.run_sync_soon(ended.set)
    finally:
        thread.join()


@contextmanager
def held_server(launched: Server) -> Iterator[Server]:
    """The same as a server under test: it is served again and again, and started once."""
    with held(launched.serve) as config:

        @asynccontextmanager
        async def serve() -> AsyncIterator[EngineConfig]:
            yield config

        yield Server(serve, launched.expected)
