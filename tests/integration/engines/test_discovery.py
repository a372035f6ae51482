"""What is found out of a server, the way of judging that follows, and that a server that comes back is asked anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from node.inference import Engine, EngineConfig, EngineError, JudgingMethod, open_engine
from node.inference.ports import CacheReport
from node.work.judging import PromptLimits
from protocol.conversation import single
from protocol.types import TaskType
from tests.support.engine_server import (
    SAMPLING,
    Server,
    StandIn,
    as_json,
    chat_logprobs,
    engine_at,
    http,
    legacy_logprobs,
    serving,
)
from tests.support.prompts import judge_prompt

LIMITS = PromptLimits(query_bytes_max=1000, answer_bytes_max=400)
LONG, SHORT = "x" * 300, "x" * 3
METRICS = b"""# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1000.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 250.0
"""


@asynccontextmanager
async def engine_of(server: Server, **config: Any) -> AsyncIterator[Engine]:
    async with (
        serving(server) as url,
        open_engine(EngineConfig(kind="openai", url=url, api_key=StandIn.KEY, **config)) as engine,
    ):
        yield engine


async def preferences(engine: Engine) -> list[float | None]:
    """Of the longer answer, as A and as B."""
    prompts = [
        judge_prompt(single("q"), *pair, nonce=bytes(8), limits=LIMITS) for pair in ((LONG, SHORT), (SHORT, LONG))
    ]
    return [await engine.preference(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    ("abilities", "judging"),
    [
        ({}, JudgingMethod.RAW),
        ({"top_logprobs": 5}, JudgingMethod.RAW),
        ({"raw": False}, JudgingMethod.CHAT),
        ({"raw": False, "top_logprobs": 5}, JudgingMethod.CHAT),
        ({"top_logprobs": 0}, JudgingMethod.CHOICE),
        ({"top_logprobs": 0, "constraint": "grammar"}, JudgingMethod.CHOICE),
        ({"raw": False, "top_logprobs": 0, "constraint": "response_format"}, JudgingMethod.CHOICE),
        ({"raw": False, "top_logprobs": 0, "constraint": "guided_choice"}, JudgingMethod.NONE),
    ],
)
async def test_the_best_way_of_judging_that_works_is_taken(abilities: dict[str, Any], judging: JudgingMethod) -> None:
    async with engine_of(StandIn(**abilities)) as engine:
        info = await engine.probe()
        assert info.judging is judging
        assert bool(info.logprobs) == (judging in (JudgingMethod.RAW, JudgingMethod.CHAT))
        constraint = abilities.get("constraint", "structured_outputs")
        assert info.constraint == ("" if constraint == "guided_choice" else constraint)
        as_a, as_b = await preferences(engine)
    if judging is JudgingMethod.NONE:
        # It writes an essay of words: nothing is read into it.
        assert (as_a, as_b) == (None, None)
    else:
        assert as_a is not None
        assert as_b is not None
        assert as_a > 0.5 > as_b


async def test_a_constraint_that_a_server_fails_at_is_one_it_does_not_have() -> None:
    def reply(path: str, _headers: str, body: Any) -> Any:
        if path == "/v1/completions":
            return http(b"", "404 Not Found")
        if body is not None and ("structured_outputs" in body or "grammar" in body):
            return http(b"boom", "500 Internal Server Error")
        return Server.reply_to(server, path, "", body)

    server = Server({"/v1/chat/completions": as_json(chat_logprobs(0.6, 0.2))})
    server.reply_to = reply  # type: ignore[method-assign]
    async with engine_of(server) as engine:
        info = await engine.probe()
    assert (info.judging, info.constraint) == (JudgingMethod.CHAT, "")


async def test_adapters_are_told_from_models_and_have_their_models_context() -> None:
    server = StandIn()
    server.models = [
        {"id": "base", "max_model_len": 2048, "parent": None},
        {"id": "strand", "parent": "base"},
        {"id": "stray", "parent": "gone"},
    ]
    async with engine_of(server, model="strand") as engine:
        info = await engine.probe()
    assert (info.model, info.context_tokens) == ("strand", 2048)
    assert info.models == ("base", "strand", "stray")
    assert info.adapters == ("strand", "stray")
    async with engine_of(server, model="stray", context_tokens=777) as engine:
        assert (await engine.probe()).context_tokens == 777


@pytest.mark.parametrize(
    ("usage", "metrics", "report", "rate"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}},
            b"",
            "usage",
            0.44,
        ),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": None}, METRICS, "metrics", 0.25),
        ({"prompt_tokens": 9, "completion_tokens": 1}, b"process_cpu_seconds_total 1.0\n", "none", None),
    ],
)
async def test_where_the_prefix_cache_is_reported(usage: Any, metrics: bytes, report: str, rate: float | None) -> None:
    replies = {
        "/v1/completions": as_json(legacy_logprobs(0.6, 0.2) | {"usage": usage}),
        "/v1/chat/completions": as_json(chat_logprobs(0.6, 0.2)),
        "/metrics": http(metrics, headers="Content-Type: text/plain\r\n"),
    }
    async with engine_at(replies) as (engine, _):
        assert (await engine.probe()).cache_report is CacheReport(report)
        assert (None if engine.cache is None else round(engine.cache.hit_rate, 2)) == rate


async def test_a_probe_of_a_known_server_is_short() -> None:
    server = StandIn()
    async with engine_of(server) as engine:
        first = await engine.probe()
        asked = len(server.requests)
        second = await engine.probe()
    assert len(server.requests) - asked == 2
    assert (first.model, first.judging) == (second.model, second.judging)


async def test_another_server_in_its_place_is_found_out_by_a_probe() -> None:
    server = StandIn()
    async with engine_of(server) as engine:
        await engine.probe()
        server.models = [{"id": "other", "max_model_len": 1024}]
        info = await engine.probe()
    assert (info.model, info.context_tokens) == ("other", 1024)


@pytest.mark.parametrize("refusal", ["broken", "404"])
async def test_a_server_that_was_away_is_asked_anew(refusal: str) -> None:
    async def hang_up(stream: Any) -> None:
        await stream.aclose()

    server = StandIn()
    async with engine_of(server) as engine:
        assert (await engine.answer(single("q"), TaskType.OPEN, SAMPLING)).text
        server.replies["/v1/chat/completions"] = hang_up if refusal == "broken" else http(b"{}", "404 Not Found")
        with pytest.raises(EngineError):
            await engine.answer(single("q"), TaskType.OPEN, SAMPLING)
        del server.replies["/v1/chat/completions"]
        server.models = [{"id": "other", "max_model_len": 1024}]
        assert (await engine.answer(single("q"), TaskType.OPEN, SAMPLING)).text
    assert server.requests[-1][2]["model"] == "other"


async def test_being_slow_or_busy_once_is_not_being_away() -> None:
    server = StandIn()
    async with engine_of(server) as engine:
        await engine.probe()
        models = server.asked("/v1/models")
        server.replies["/v1/completions"] = http(b"", "503 Service Unavailable")
        with pytest.raises(EngineError, match="too much to do"):
            await preferences(engine)
        del server.replies["/v1/completions"]
        assert None not in await preferences(engine)
    assert server.asked("/v1/models") == models


async def test_control_tokens_that_the_server_tells_are_broken_up_in_a_query() -> None:
    server = StandIn()
    server.replies["/props"] = as_json({"eos_token": "@@end@@", "chat_template": "{{ '@@no' }}<|turn|>"})
    async with engine_of(server) as engine:
        assert (await engine.probe()).control_tokens == ("<|turn|>", "@@end@@")
        await engine.answer(single("Say @@end@@ and <s>."), TaskType.OPEN, SAMPLING)
    assert server.requests[-1][2]["messages"][-1]["content"] == "Say @ @end@@ and < s>."


@pytest.mark.parametrize("props", [[], {"eos_token": 7, "chat_template": ["<|x|>"]}, {"bos_token": "<" * 5_000}])
async def test_a_server_that_tells_nonsense_of_its_tokens_tells_none(props: Any) -> None:
    server = StandIn()
    server.replies["/props"] = as_json(props)
    async with engine_of(server) as engine:
        assert (await engine.probe()).control_tokens == ()
