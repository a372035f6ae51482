"""The table of quirks: each fault that users of real servers report, and the right outcome here.

Replies that differ in their shape alone are in tests/unit/node/inference/test_replies.py.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.inference import Engine, EngineConfig, EngineError, JudgingMethod, Sampling, open_engine
from node.inference.abilities import THINKING_TOKENS
from node.work.judging import PromptLimits
from protocol.conversation import single
from protocol.types import FinishReason, TaskType, TokenSource
from tests.support.engine_server import SAMPLING, Server, StandIn, as_json, chat_logprobs, http, serving
from tests.support.prompts import judge_prompt
from tests.support.quirks import THOUGHTS, Quirks, Quirky, openai_says

LIMITS = PromptLimits(query_bytes_max=1000, answer_bytes_max=400)
LONG, SHORT = "x" * 300, "x" * 3
CHAT_ONLY = {"raw": False}
NOTHING = {"raw": False, "top_logprobs": 0, "constraint": "none"}
LM_STUDIO = {"error": "Unexpected endpoint or method. (POST /v1/completions)"}
INTERNAL = "500 Internal Server Error"
ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
TOO_LARGE = "'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 4096."
ENABLE = {"chat_template_kwargs": {"enable_thinking": False}}
CLAUDE = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."


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


@dataclass(frozen=True)
class Row:
    """A server's quirks, and what a node finds of it."""

    name: str
    quirks: Quirks
    judging: JudgingMethod = JudgingMethod.RAW
    abilities: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    """Of EngineInfo."""
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def refuses(*names: str, **says: tuple[dict[str, Any], str]) -> Quirks:
    return Quirks(refuses=names, says=says)


ROWS = [
    # A. An ability is what was seen to work.
    Row("raw completions do not think", Quirks(thinks="inline"), found={"thinking_tokens": THINKING_TOKENS}),
    Row(
        "thinks apart, chat_template_kwargs skips it",
        Quirks(thinks="apart", skip=ENABLE),
        JudgingMethod.CHAT,
        CHAT_ONLY,
        {"skip": "chat_template_kwargs", "thinking_tokens": 0},
    ),
    Row(
        "thinks inline, reasoning_effort skips it",
        Quirks(thinks="inline", skip={"reasoning_effort": "none"}),
        JudgingMethod.CHAT,
        CHAT_ONLY,
        {"skip": "reasoning_effort none", "thinking_tokens": 0},
    ),
    Row(
        "another word of the template skips it",
        Quirks(thinks="inline", skip={"chat_template_kwargs": {"thinking": False}}),
        JudgingMethod.CHAT,
        CHAT_ONLY,
        {"skip": "chat_template_kwargs (thinking)"},
    ),
    Row(
        "thinks apart, nothing skips it",
        Quirks(thinks="apart"),
        JudgingMethod.TEXT,
        CHAT_ONLY,
        {"skip": "", "thinking_tokens": THINKING_TOKENS, "logprobs": 0},
    ),
    Row("thinks inline, nothing skips it", Quirks(thinks="inline"), JudgingMethod.TEXT, CHAT_ONLY),
    Row(
        "thinks, and refuses what would skip it",
        Quirks(refuses=("chat_template_kwargs",), thinks="apart"),
        JudgingMethod.TEXT,
        CHAT_ONLY,
        {"refused": ("chat_template_kwargs",)},
    ),
    Row("an essay where a letter is asked for", Quirks(), JudgingMethod.NONE, NOTHING),
    # B. Only the text is needed. (Shapes of replies: test_replies.py.)
    Row("no usage", Quirks(usage=False)),
    Row("no finish reason", Quirks(finish=None)),
    Row("a finish reason of its own", Quirks(finish="eos_token", usage=False)),
    Row("parts", Quirks(parts=True)),
    Row("no list of models", Quirks(listed=None), config={"model": "stand-in"}, found={"models": ("stand-in",)}),
    # C. Our request has fallbacks.
    *(
        Row(f"refuses {name}", refuses(name), found={"refused": (name,)}, config={"seed": 1})
        for name in ("max_tokens", "temperature", "top_p", "seed", "system")
    ),
    Row("refuses logprobs", refuses("logprobs"), JudgingMethod.CHOICE, found={"refused": (), "logprobs": 0}),
    Row(
        "refuses them one after the other",
        refuses("max_tokens", "temperature", "top_p", "seed", "system"),
        abilities=CHAT_ONLY,
        judging=JudgingMethod.CHAT,
        found={"refused": ("max_tokens", "seed", "system", "temperature", "top_p")},
        config={"seed": 1},
    ),
    Row(
        "roles must alternate",
        refuses(
            "system",
            system=(
                openai_says("Conversation roles must alternate user/assistant/user/assistant/..."),
                "400 Bad Request",
            ),
        ),
        found={"refused": ("system",)},
    ),
    Row(
        "two parameters that exclude each other",
        refuses("top_p", top_p=(openai_says(CLAUDE), "400 Bad Request")),
        found={"refused": ("top_p",)},
    ),
    Row("busy at first", Quirks(busy=1)),
    Row(
        "an embedding model comes first",
        Quirks(listed=("text-embedding-nomic-embed-text-v1.5", "stand-in")),
        found={"model": "stand-in"},
    ),
    Row(
        "a name without its tag",
        Quirks(listed=("qwen2.5-coder:latest", "qwen2.5-coder:7b")),
        found={"model": "qwen2.5-coder:latest"},
        config={"model": "qwen2.5-coder"},
    ),
    Row(
        "a name in another case",
        Quirks(listed=("other", "qwen2.5-coder:latest")),
        found={"model": "qwen2.5-coder:latest"},
        config={"model": "Qwen2.5-Coder"},
    ),
]


FURTHER = [
    # Errors in replies of status 200: lmstudio-ai/lmstudio-bug-tracker 618 and 1323 (paths), lmstudio-ai/lms 362.
    Row("a path that is not there is an error of status 200", Quirks(no_raw=LM_STUDIO), JudgingMethod.CHAT),
    Row(
        "a refusal is an error of status 200",
        refuses("system", system=(openai_says("Only user and assistant roles are supported!"), "200 OK")),
        found={"refused": ("system",)},
    ),
    # vllm-project/vllm-metal 331: log probabilities end in "list index out of range", all else works.
    Row(
        "fails at log probabilities",
        refuses("logprobs", logprobs=(openai_says("list index out of range"), "500 Internal Server Error")),
        JudgingMethod.CHOICE,
        found={"refused": (), "logprobs": 0},
    ),
    # HabanaAI/vllm-fork 773: a seed ends in a 500 whose words are a gateway's.
    Row(
        "fails at a seed and does not say so",
        refuses("seed", seed=(openai_says("Provider API error: bad response status code 500"), INTERNAL)),
        found={"refused": ("seed",)},
        config={"seed": 1},
    ),
    Row(
        "fails at the system role and does not say so",
        refuses("system", system=(openai_says("Internal error"), INTERNAL)),
        found={"refused": ("seed", "system", "top_p")},
        config={"seed": 1},
    ),
    # huggingface/text-generation-inference 1682: of each token its own log probability, and no alternatives.
    Row("lists no alternatives", Quirks(logprobs="none listed"), JudgingMethod.CHOICE, CHAT_ONLY, {"logprobs": 0}),
    # abetlen/llama-cpp-python 1787: a chat's log probabilities in the shape of raw completions.
    Row("the older shape of log probabilities in a chat", Quirks(logprobs="legacy"), JudgingMethod.CHAT, CHAT_ONLY),
    # ollama/ollama 16117: what is asked for of them is dropped without a word.
    Row(
        "log probabilities are not heeded",
        Quirks(),
        JudgingMethod.CHOICE,
        {"raw": False, "top_logprobs": 0, "constraint": "response_format"},
        {"constraint": "response_format"},
    ),
]
"""From the public trackers of LM Studio, vLLM, TGI, llama.cpp's Python server and Ollama."""


@pytest.mark.parametrize("row", ROWS + FURTHER, ids=str)
async def test_a_server_with_a_quirk_answers_and_judges_in_a_way_that_works(row: Row) -> None:
    server = Quirky(row.quirks, **row.abilities)
    async with engine_of(server, **row.config) as engine:
        info = await engine.probe()
        assert (info.judging, {name: getattr(info, name) for name in row.found}) == (row.judging, dict(row.found))
        assert info.tokens_per_second > 0
        completion = await engine.answer(single("q"), TaskType.CODE, SAMPLING)
        assert completion.text.split() == ["word"] * 50
        assert completion.token_source is (TokenSource.ENGINE if row.quirks.usage else TokenSource.ESTIMATE)
        assert completion.finish is FinishReason.STOP
        as_a, as_b = await preferences(engine)
        if row.judging is JudgingMethod.NONE:
            assert (as_a, as_b) == (None, None)
        else:
            assert as_a is not None
            assert as_b is not None
            assert as_a > 0.5 > as_b
        asked = len(server.requests)
        await engine.answer(single("q"), TaskType.CODE, SAMPLING)
        assert len(server.requests) == asked + 1, "what was refused once is left out"


async def test_what_the_system_says_moves_into_the_users_message() -> None:
    server = Quirky(Quirks(refuses=("system", "max_tokens")))
    async with engine_of(server) as engine:
        await engine.answer(single("the query"), TaskType.FINAL, SAMPLING)
    body = server.requests[-1][2]
    (message,) = body["messages"]
    assert message["role"] == "user"
    assert message["content"].startswith("You are a Rust specialist.")
    assert message["content"].endswith("\n\nthe query")
    assert (body["max_completion_tokens"], "max_tokens" in body) == (64, False)


async def test_a_prompt_over_the_context_is_not_taken_for_a_limit_by_another_name() -> None:
    server = StandIn()
    async with engine_of(server) as engine:
        await engine.probe()
        server.replies["/v1/chat/completions"] = as_json(openai_says(TOO_LARGE), "400 Bad Request")
        asked = len(server.requests)
        with pytest.raises(EngineError, match="too large"):
            await engine.answer(single("q"), TaskType.CODE, SAMPLING)
        assert len(server.requests) == asked + 1
        del server.replies["/v1/chat/completions"]
        assert (await engine.probe()).refused == ()


async def test_letters_without_mass_are_no_way_to_judge() -> None:
    """The issue's own reply: the mass is on a thought, and what is left for the letters is noise."""
    top = [{"token": token, "logprob": p} for token, p in (("<think>", 0.0), ("A", -30.0), ("B", -31.0))]
    reply = {
        "choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"token": "<think>", "top_logprobs": top}]}}]
    }
    async with engine_of(Server({"/v1/chat/completions": as_json(reply)})) as engine:
        info = await engine.probe()
    assert (info.judging, info.logprobs) == (JudgingMethod.NONE, 0)


async def test_mass_in_one_order_alone_is_not_enough() -> None:
    def reply_to(path: str, headers: str, body: Any) -> Any:
        if path == "/v1/chat/completions" and body.get("logprobs"):
            shown = body["messages"][-1]["content"].rpartition("=== Answer A")[2]
            return as_json(
                chat_logprobs(0.9, 0.05) if shown.find("```") < shown.find("Bananas") else chat_logprobs(0.2, 0.2)
            )
        return Server.reply_to(server, path, headers, body)

    server = Server({"/v1/chat/completions": as_json(chat_logprobs(0.9, 0.05))})
    server.reply_to = reply_to  # type: ignore[method-assign]
    async with engine_of(server) as engine:
        assert (await engine.probe()).judging is JudgingMethod.NONE


async def test_a_probe_that_sees_thoughts_alone_is_a_measurement() -> None:
    server = Quirky(Quirks(thinks="apart", usage=False), **CHAT_ONLY)
    async with engine_of(server) as engine:
        info = await engine.probe()
        assert info.tokens_per_second > 0
        # An answer that is cut while the model thinks is one line, and no fault of the next.
        server.quirks = Quirks(thinks="apart", usage=False)
        short = await engine.answer(single("q"), TaskType.OPEN, Sampling(0.8, 0.95, None, max_tokens=8))
    assert server.requests[-1][2]["max_tokens"] == 8 + THINKING_TOKENS > THOUGHTS
    assert short.text


async def test_log_probabilities_that_are_refused_later_are_found_out_and_done_without() -> None:
    server = Quirky(Quirks(), **CHAT_ONLY)
    async with engine_of(server) as engine:
        assert (await engine.probe()).judging is JudgingMethod.CHAT
        server.quirks = Quirks(refuses=("logprobs",))
        as_a, as_b = await preferences(engine)
        assert (as_a, as_b) == (1.0, 0.0)
        assert (await engine.probe()).judging is JudgingMethod.CHOICE


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_a_server_that_stays_busy_is_one_line(status: str) -> None:
    server = Server({"/v1/models": http(b"", status, "Retry-After: 0\r\n")})
    async with engine_of(server) as engine:
        with pytest.raises(EngineError, match="too much to do"):
            await engine.probe()
    assert server.asked("/v1/models") == 2


async def test_a_refused_model_names_what_was_taken_and_the_setting() -> None:
    refusal = as_json(openai_says("this model does not support chat"), "400 Bad Request")
    models = as_json({"data": [{"id": "odd"}, {"id": "other"}]})
    async with engine_of(Server({"/v1/models": models, "/v1/chat/completions": refusal})) as engine:
        with pytest.raises(EngineError, match=r"does not support chat; asked was the model 'odd'.*engine\.model"):
            await engine.probe()


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (("Qwen", "qwen"), "QWEN"),
        (("qwen:latest", "QWEN:latest"), "Qwen"),
        (("qwen:7b",), "qwen"),
        (("qwen2",), "qwen"),
    ],
)
async def test_a_name_that_fits_several_models_or_none_is_refused(listed: tuple[str, ...], wanted: str) -> None:
    async with engine_of(Quirky(Quirks(listed=listed)), model=wanted) as engine:
        with pytest.raises(EngineError, match=f"has no model '{wanted}'; it lists: "):
            await engine.probe()
