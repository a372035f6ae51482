"""What the node relies on, asked of the servers that take minutes to start: one start for all tests of a server.

`transformers serve` has neither log probabilities nor constraints, ignores both silently, and SmolLM2 writes an essay
where it is asked for a letter: a node with such a server answers and abstains from judging.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from threading import Thread

import pytest
import trio

from node.inference import EngineConfig, JudgingMethod
from tests.support.conformance import Conformance, Expected, Server
from tests.vllm.servers import BIN, transformers_serve, vllm

pytestmark = pytest.mark.skipif(not BIN.is_dir(), reason=f"there is no {BIN}: make test-vllm makes it")

SERVERS = [
    pytest.param(Server(vllm, Expected((JudgingMethod.RAW,), ("structured_outputs",))), id="vLLM"),
    pytest.param(
        Server(transformers_serve, Expected((JudgingMethod.NONE,), ("",), prefers=False, context=False)),
        id="transformers-serve",
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    launched: Server = request.param
    with held(launched.serve) as config:

        @asynccontextmanager
        async def serve() -> AsyncIterator[EngineConfig]:
            yield config

        yield Server(serve, launched.expected)


@contextmanager
def held(serve: Callable[[], AbstractAsyncContextManager[EngineConfig]]) -> Iterator[EngineConfig]:
    """Keep a server over several tests, each of which has a trio run of its own: it lives in another thread's run."""
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


class TestServers(Conformance):
    """See Conformance."""
