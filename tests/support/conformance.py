"""What the node relies on, asked of a server; whoever subclasses `Conformance` says of which.

What a server cannot do is no reason to leave a test out: `Expected` states what it is known to have, and the tests
hold it to that, so that one that learns more shows up as well.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import pytest
import trio

from node.inference import EngineConfig, EngineError, JudgingMethod, Sampling, open_engine
from node.work.judging import NONCE_BYTES, judge, prompt_limits, query_bytes
from protocol.conversation import single
from protocol.messages import Turn
from protocol.types import FinishReason, TaskType, TurnRole

QUERY = "Write a Rust function that returns the sum of a slice of i32."
GOOD = "```rust\nfn sum(values: &[i32]) -> i32 {\n    values.iter().copied().sum::<i32>()\n}\n```\nIt sums them all up."
GARBAGE = "Rust is fast. Rust is fast. Rust is fast."
CONVERSATION = (
    Turn(role=TurnRole.SYSTEM, text="You know Rust."),
    Turn(role=TurnRole.ASSISTANT, text="Hello."),
    Turn(role=TurnRole.USER, text="Hi."),
    Turn(role=TurnRole.USER, text="Sum a slice."),
    Turn(role=TurnRole.ASSISTANT, text="Call `sum`."),
    Turn(role=TurnRole.USER, text="Write it as a function."),
)
"""Roles in an order that few templates take."""

SHORT = Sampling(temperature=0.8, top_p=0.95, seed=1, max_tokens=8)

PATIENCE_S = 120.0
"""For a server that goes on with what nobody reads any more: a thousand tokens at ten a second."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a server is known to have."""

    judging: tuple[JudgingMethod, ...]
    """One of these; log probabilities stand behind the first two ways."""
    constraint: tuple[str, ...]
    """One of these; an empty name stands for none."""
    prefers: bool = True
    """It tells a good answer from garbage in either place; else it abstains."""
    context: bool = True
    """It has a limit, and refuses what is over it; else it answers that too."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test: what runs it, and what it is known to have."""

    serve: Callable[[], AbstractAsyncContextManager[EngineConfig]]
    expected: Expected


class Conformance:
    """The suite. A subclass's module parametrises `server`, or has a fixture of that name."""

    async def test_a_probe_finds_what_the_server_can_do(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            info = await engine.probe()
            assert info.model
            assert info.context_tokens >= 512
            assert info.tokens_per_second > 0
            assert info.judging in server.expected.judging
            assert bool(info.logprobs) == (info.judging in (JudgingMethod.RAW, JudgingMethod.CHAT))
            assert info.constraint in server.expected.constraint
            assert info.model in info.models
            again = await engine.probe()
            assert replace(again, tokens_per_second=info.tokens_per_second) == info

    async def test_an_answer_keeps_to_its_length_and_says_that_it_was_cut(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            await engine.probe()
            completion = await engine.answer(single(QUERY), TaskType.CODE, SHORT)
        assert completion.text.strip()
        assert completion.finish is FinishReason.LENGTH
        assert 0 < completion.answer_tokens <= SHORT.max_tokens
        assert completion.prompt_tokens > 0

    async def test_a_good_answer_is_preferred_to_garbage_in_either_place(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            limits = prompt_limits((await engine.probe()).context_tokens, 400)
            pairs = [(GOOD, GARBAGE), (GARBAGE, GOOD)]
            async with judge(engine, single(QUERY), pairs, nonce=bytes(8), limits=limits) as judgements:
                found = {each.index: each.preference async for each in judgements}
        if server.expected.prefers:
            assert found[0] is not None
            assert found[1] is not None
            assert found[0] > 32_768 > found[1]
        else:
            assert found == {0: None, 1: None}

    async def test_a_conversation_is_answered_and_judged_as_a_question_is(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            info = await engine.probe()
            completion = await engine.answer(CONVERSATION, TaskType.CODE, SHORT)
            assert completion.text.strip()
            limits = prompt_limits(info.context_tokens, 400).beside(query_bytes(CONVERSATION, info.control_tokens))
            assert limits is not None
            async with judge(
                engine,
                CONVERSATION,
                [(GOOD, GARBAGE)],
                nonce=bytes(NONCE_BYTES),
                limits=limits,
                told=info.control_tokens,
            ) as judgements:
                (found,) = [each async for each in judgements]
        assert (found.preference is not None) is server.expected.prefers

    async def test_a_prompt_over_the_context_is_one_line_and_the_next_is_answered(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            words = "word " * (await engine.probe()).context_tokens * 2
            if server.expected.context:
                with pytest.raises(EngineError) as caught:
                    await engine.answer(single(words), TaskType.CODE, SHORT)
                assert str(caught.value).isprintable()
            else:
                assert (await engine.answer(single(words), TaskType.CODE, SHORT)).prompt_tokens > len(words.split())
            assert (await engine.answer(single(QUERY), TaskType.CODE, SHORT)).text

    async def test_requests_at_the_same_time_are_all_answered(self, server: Server) -> None:
        texts: list[str] = []

        async def ask() -> None:
            texts.append((await engine.answer(single(QUERY), TaskType.OPEN, SHORT)).text)

        async with server.serve() as config, open_engine(config) as engine, trio.open_nursery() as nursery:
            await engine.probe()
            for _ in range(6):
                nursery.start_soon(ask)
        assert len(texts) == 6
        assert all(texts)

    async def test_a_cancelled_answer_leaves_the_server_free(self, server: Server) -> None:
        async with server.serve() as config, open_engine(config) as engine:
            await engine.probe()
            with trio.move_on_after(0.05):
                await engine.answer(single(QUERY), TaskType.CODE, replace(SHORT, max_tokens=1000))
            with trio.fail_after(PATIENCE_S):
                assert (await engine.answer(single(QUERY), TaskType.CODE, SHORT)).text

    async def test_an_unknown_model_and_a_wrong_key_are_told_apart(self, server: Server) -> None:
        async with server.serve() as config:
            async with open_engine(replace(config, model="no-such-model")) as engine:
                with pytest.raises(EngineError, match="has no model 'no-such-model'; it lists: "):
                    await engine.probe()
            if config.api_key:
                async with open_engine(replace(config, api_key="guessed")) as engine:
                    with pytest.raises(EngineError, match="refused the API key"):
                        await engine.probe()
