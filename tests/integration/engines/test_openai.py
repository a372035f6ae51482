"""The OpenAI client against a real HTTP server on loopback that behaves, and that misbehaves in every way we know."""

from dataclasses import replace
from typing import Any

import pytest
import trio

from node.inference import EngineConfig, EngineError, JudgingMethod, open_engine
from node.inference.ports import Reasoning
from node.work.judging import PromptLimits
from protocol.conversation import single
from protocol.types import TaskType
from tests.support.engine_server import (
    ANSWER,
    NO_LOGPROBS,
    PROMPT,
    SAMPLING,
    Reply,
    StandIn,
    as_json,
    chat_logprobs,
    engine_at,
    http,
    legacy_logprobs,
    serving,
)
from tests.support.prompts import judge_prompt

REASONED = replace(PROMPT, reasoning=Reasoning("Reason:", 24, lambda written: f"<{written}> so " + PROMPT.text))


async def failure_of(reply: Reply, **config: Any) -> str:
    """The error line of an answer to which the server replies with `reply`."""
    replies = {"/v1/chat/completions": reply, "/v1/completions": as_json(legacy_logprobs(0.5, 0.4))}
    async with engine_at(replies, **config) as (engine, _):
        with pytest.raises(EngineError) as caught:
            await engine.answer(single("query"), TaskType.CODE, SAMPLING)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_answer_with_its_settings_and_the_key() -> None:
    replies = {"/v1/chat/completions": as_json(ANSWER), "/v1/completions": as_json(legacy_logprobs(0.5, 0.4))}
    async with engine_at(replies, api_key="secret", max_tokens=32) as (engine, server):
        completion = await engine.answer(single("the query"), TaskType.FINAL, SAMPLING)
    assert (completion.text, completion.finish, completion.answer_tokens) == ("fn main() {}", "stop", 4)
    path, head, body = server.requests[-1]
    assert path == "/v1/chat/completions"
    assert "authorization: bearer secret" in head
    assert (body["model"], body["seed"], body["max_tokens"], body["temperature"]) == ("strand", 7, 32, 0.8)
    assert "Answer: " in body["messages"][0]["content"]
    assert body["messages"][1] == {"role": "user", "content": "the query"}


async def test_a_server_with_raw_completions_judges_by_them() -> None:
    replies = {"/v1/chat/completions": as_json(ANSWER), "/v1/completions": as_json(legacy_logprobs(0.6, 0.2))}
    async with engine_at(replies) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        assert server.requests[-1][2]["prompt"] == PROMPT.text
        info = await engine.probe()
    assert (info.model, info.context_tokens, info.judging) == ("strand", 2048, JudgingMethod.RAW)
    assert info.tokens_per_second > 0


async def test_raw_completions_with_logprobs_in_the_chat_shape() -> None:
    async with engine_at({"/v1/completions": as_json(chat_logprobs(0.2, 0.6))}) as (engine, _):
        assert await engine.preference(PROMPT) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "refusal", [as_json({}, "404 Not Found"), as_json({}, "400 Bad Request"), as_json(NO_LOGPROBS)]
)
async def test_without_raw_completions_judging_goes_through_the_chat(refusal: Reply) -> None:
    replies = {"/v1/completions": refusal, "/v1/chat/completions": as_json(chat_logprobs(0.6, 0.2))}
    async with engine_at(replies) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        assert server.requests[-1][0] == "/v1/chat/completions"
        info = await engine.probe()
    assert info.judging is JudgingMethod.CHAT


async def test_without_logprobs_the_letter_is_read_from_the_text() -> None:
    async with engine_at({"/v1/chat/completions": as_json(NO_LOGPROBS)}) as (engine, _):
        assert await engine.preference(PROMPT) == 0.0
        info = await engine.probe()
    assert info.judging is JudgingMethod.TEXT


async def test_an_essay_instead_of_a_letter_is_an_abstention() -> None:
    async with engine_at({"/v1/chat/completions": as_json(ANSWER)}) as (engine, _):
        assert await engine.preference(PROMPT) is None


async def test_a_reply_that_loses_its_logprobs_later_is_an_abstention() -> None:
    async with engine_at({"/v1/completions": as_json(legacy_logprobs(0.6, 0.2))}) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        server.replies["/v1/completions"] = as_json({"choices": [{"text": " A", "logprobs": {"top_logprobs": "A"}}]})
        assert await engine.preference(PROMPT) is None


async def test_reasoning_is_a_request_of_its_own_before_the_letter() -> None:
    text = "<think>\nhm\n</think>\nA compiles.<|im_end|>"
    reply = {"choices": [legacy_logprobs(0.6, 0.2)["choices"][0] | {"text": text}]}
    async with engine_at({"/v1/completions": as_json(reply)}) as (engine, server):
        assert await engine.preference(REASONED) == pytest.approx(0.75)
    (_, _, reasoned), (_, _, asked) = server.requests[-2:]
    assert reasoned == {
        "model": "strand", "prompt": "Reason:", "max_tokens": 24, "temperature": 0, "stop": ["\n"],
    }  # fmt: skip
    assert (asked["prompt"], asked["max_tokens"]) == (f"<A compiles.> so {PROMPT.text}", 1)


async def test_reasoning_goes_the_way_of_the_letter_through_the_chat() -> None:
    async with engine_at({"/v1/chat/completions": as_json(chat_logprobs(0.6, 0.2))}) as (engine, server):
        assert await engine.preference(REASONED) == pytest.approx(0.75)
    (path, _, reasoned), (_, _, asked) = server.requests[-2:]
    assert path == "/v1/chat/completions"
    assert reasoned["messages"] == [{"role": "user", "content": "Reason:"}]
    assert (reasoned["max_tokens"], "logprobs" in reasoned) == (24, False)
    assert asked["messages"] == [{"role": "user", "content": f"<fn main() {{}}> so {PROMPT.text}"}]


@pytest.mark.parametrize("abilities", [{}, {"raw": False}, {"top_logprobs": 0}])
async def test_each_way_of_judging_can_reason(abilities: dict[str, Any]) -> None:
    limits = PromptLimits(query_bytes_max=1000, answer_bytes_max=400, reasoning_tokens=8)
    long, short = "x" * 300, "x" * 3
    server = StandIn(**abilities)
    async with (
        serving(server) as url,
        open_engine(EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)) as engine,
    ):
        prompts = [
            judge_prompt(single("q"), *pair, nonce=bytes(8), limits=limits) for pair in ((long, short), (short, long))
        ]
        as_a, as_b = [await engine.preference(prompt) for prompt in prompts]
    assert as_a is not None
    assert as_b is not None
    assert as_a > 0.5 > as_b
    asked = [body for _, _, body in server.requests[-4:]]
    shown = [body["prompt"] if "prompt" in body else body["messages"][-1]["content"] for body in asked]
    assert [text.splitlines()[-1] for text in shown] == ["Reason:", "The better answer is Answer"] * 2
    assert [text.count("Reason: ") for text in shown] == [4, 5, 4, 5]


@pytest.mark.parametrize("told", [{"text": "<think>It"}, {"text": None}, {"text": ["A"]}, {}, {"message": None}])
async def test_a_model_that_writes_no_reasoning_is_asked_for_the_letter_all_the_same(told: dict[str, Any]) -> None:
    reply = {"choices": [{"logprobs": legacy_logprobs(0.6, 0.2)["choices"][0]["logprobs"]} | told]}
    async with engine_at({"/v1/completions": as_json(reply)}) as (engine, server):
        assert await engine.preference(REASONED) == pytest.approx(0.75)
    assert server.requests[-1][2]["prompt"] == f"<> so {PROMPT.text}"


async def test_a_server_that_fails_at_the_reasoning_is_not_asked_for_the_letter() -> None:
    async with engine_at({"/v1/completions": as_json(legacy_logprobs(0.6, 0.2))}) as (engine, server):
        await engine.preference(PROMPT)
        asked = server.asked("/v1/completions")
        server.replies["/v1/completions"] = as_json({}, "400 Bad Request")
        with pytest.raises(EngineError, match="HTTP status 400"):
            await engine.preference(REASONED)
        assert server.asked("/v1/completions") == asked + 1


async def test_reasoning_and_debris_are_no_part_of_an_answer() -> None:
    choice = {"message": {"content": "<think>\nhm\n</think>\n\nfn main() {}<|im_end|>"}, "finish_reason": "stop"}
    replies = {"/v1/chat/completions": as_json(ANSWER | {"choices": [choice]})}
    async with engine_at(replies) as (engine, _):
        assert (await engine.answer(single("query"), TaskType.CODE, SAMPLING)).text == "fn main() {}"


async def test_a_model_that_was_cut_while_it_thought_has_no_answer() -> None:
    choice = {"message": {"content": "<think>\nFirst I"}, "finish_reason": "length"}
    assert "wrote no answer" in await failure_of(as_json(ANSWER | {"choices": [choice]}))


async def test_a_letter_after_thoughts_is_read() -> None:
    choice = {"message": {"content": "<think>\n\n</think>\n\nB"}, "finish_reason": "stop"}
    async with engine_at({"/v1/chat/completions": as_json(ANSWER | {"choices": [choice]})}) as (engine, _):
        assert await engine.preference(PROMPT) == 0.0


async def test_a_named_model_that_is_not_listed_is_refused_with_those_that_are() -> None:
    async with engine_at({}, model="other") as (engine, _):
        with pytest.raises(EngineError, match=r"has no model 'other'; it lists: 'strand', 'base'"):
            await engine.probe()


async def test_a_server_without_models_is_refused() -> None:
    async with engine_at({"/v1/models": as_json({"data": []})}) as (engine, _):
        with pytest.raises(EngineError, match="no model; it lists: none"):
            await engine.probe()


async def test_a_failure_that_passes_does_not_settle_how_to_judge() -> None:
    replies = {"/v1/completions": as_json({}, "503 Service Unavailable")}
    async with engine_at(replies) as (engine, server):
        with pytest.raises(EngineError, match="not ready"):
            await engine.preference(PROMPT)
        server.replies["/v1/completions"] = as_json(legacy_logprobs(0.6, 0.2))
        assert await engine.preference(PROMPT) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http(b"{"), "not JSON"),
        (http(b"[" * 100_000), "not JSON"),
        (http(b"<html>busy</html>", headers="Content-Type: text/html\r\n"), "not JSON"),
        (http(b"[1]"), "not an object"),
        (as_json({"choices": []}), "without choices"),
        (as_json({"error": {"message": "no such model"}}, "404 Not Found"), "no such model"),
        (as_json({"detail": "pinned to another model"}, "400 Bad Request"), "pinned to another model"),
        (
            as_json({"error": "bad key"}, "401 Unauthorized"),
            "refused the API key of engine.api_key (/v1/chat/completions): bad key",
        ),
        (http(b"oops", "500 Internal Server Error"), "HTTP status 500"),
        (as_json({"error": {"message": "a\x1b[31m\nb" + "c" * 999}}, "500 Internal Server Error"), "a�[31m bccc"),
        (http(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"), "HTTP status 302"),
    ],
)
async def test_a_wrong_reply_is_one_clear_line(reply: Reply, words: str) -> None:
    line = await failure_of(reply)
    assert words in line
    assert "http://127.0.0.1" in line
    assert len(line) < 400


async def test_no_server_is_one_clear_line() -> None:
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with open_engine(EngineConfig(kind="openai", url=url)) as engine:
            with pytest.raises(EngineError, match=f"{url} is not reachable"):
                await engine.probe()


@pytest.mark.parametrize(
    "config", [{"url": "localhost:8000"}, {"url": "http://"}, {"api_key": "a\r\nb"}, {"api_key": "é"}]
)
async def test_settings_that_cannot_work_are_refused_at_once(config: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        async with open_engine(EngineConfig(kind="openai", **config)):  # type: ignore[arg-type]
            pass


async def test_no_more_requests_than_configured_are_in_flight() -> None:
    gate = trio.Event()

    async def wait(stream: trio.SocketStream) -> None:
        if server.in_flight == 2:
            gate.set()
        await gate.wait()
        await as_json(ANSWER)(stream)

    replies = {"/v1/completions": as_json(legacy_logprobs(0.5, 0.4)), "/v1/chat/completions": as_json(ANSWER)}
    async with engine_at(replies, concurrency=2) as (engine, server), trio.open_nursery() as nursery:
        await engine.probe()
        server.replies["/v1/chat/completions"] = wait
        for _ in range(6):
            nursery.start_soon(engine.answer, single("query"), TaskType.CODE, SAMPLING)
    assert server.in_flight_most == 2


async def test_a_cancelled_request_closes_its_connection_so_that_the_server_stops() -> None:
    replies = {"/v1/completions": as_json(legacy_logprobs(0.5, 0.4)), "/v1/chat/completions": as_json(ANSWER)}
    async with engine_at(replies) as (engine, server), trio.open_nursery() as nursery:
        await engine.probe()
        server.replies["/v1/chat/completions"] = server.hang
        nursery.start_soon(engine.answer, single("query"), TaskType.CODE, SAMPLING)
        with trio.fail_after(20):
            while not server.in_flight:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await server.dropped.wait()
