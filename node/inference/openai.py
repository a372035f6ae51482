"""An engine behind an OpenAI-compatible HTTP server: vLLM, llama.cpp, Ollama, LM Studio, or a hosted one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import trio

from node.inference.config import EngineConfig
from node.inference.http_json import JsonClient, Refused, open_json_client
from node.inference.hygiene import clean
from node.inference.ports import Completion, EngineError, EngineInfo, JudgePrompt, Sampling
from node.inference.prompts import answer_messages
from node.inference.replies import (
    has_logprobs,
    parse_completion,
    parse_logprob_preference,
    parse_models,
    parse_text_preference,
)
from protocol.types import TaskType

TOP_LOGPROBS = 20
"""The most that vLLM and OpenAI give; a letter outside of the first twenty has no mass that matters."""

TEXT_TOKENS = 8
"""Enough for `**A**.`; what is longer is an essay, and no letter."""

SPEED_TOKENS = 24
"""Tokens of the timed generation: a tenth of a second on a GPU, a few on a slow CPU."""

CANNOT = frozenset({400, 404, 405, 415, 422, 501})
"""HTTP statuses by which servers say that they do not have an ability, as opposed to not having it now."""


class Judging(StrEnum):
    """How a server is asked for a preference, from best to worst."""

    RAW = "raw completion with logprobs"
    CHAT = "chat with logprobs"
    TEXT = "chat, letter in the text"


@dataclass(frozen=True, slots=True)
class _Server:
    model: str
    context_tokens: int
    judging: Judging


class OpenAIEngine:
    """Engine over the OpenAI API. What the server can do is found out on first use and again by each `probe`."""

    def __init__(self, client: JsonClient, config: EngineConfig) -> None:
        self._client = client
        self._config = config
        self._server: _Server | None = None
        self._discovering = trio.Lock()

    @property
    def concurrency(self) -> int:
        """Requests in flight at once."""
        return self._config.concurrency

    async def probe(self) -> EngineInfo:
        """See Engine.probe. Costs three to five short requests."""
        server = await self._discover()
        started_s = trio.current_time()
        body = {"messages": _user("Count from one to fifty in words."), "max_tokens": SPEED_TOKENS, "temperature": 0}
        sample = await self._complete({"model": server.model} | body)
        elapsed_s = max(trio.current_time() - started_s, 0.001)
        return EngineInfo(
            kind=self._config.kind,
            model=server.model,
            context_tokens=server.context_tokens,
            tokens_per_second=min(sample.answer_tokens, SPEED_TOKENS) / elapsed_s,
            logprobs=server.judging is not Judging.TEXT,
            raw_completions=server.judging is Judging.RAW,
        )

    async def answer(self, query: str, task: TaskType, sampling: Sampling) -> Completion:
        """See Engine.answer."""
        server = self._server or await self._discover()
        body: dict[str, Any] = {
            "model": server.model,
            "messages": answer_messages(query, task),
            "max_tokens": min(sampling.max_tokens, self._config.max_tokens),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        completion = await self._complete(body)
        text = clean(completion.text)
        if not text:
            tokens = completion.answer_tokens
            raise EngineError(
                f"engine at {self._config.url} wrote no answer, but {tokens} tokens of reasoning or nothing"
            )
        return replace(completion, text=text)

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """See Engine.preference."""
        server = self._server or await self._discover()
        match server.judging:
            case Judging.RAW:
                return parse_logprob_preference(await self._raw(server.model, prompt.text))
            case Judging.CHAT:
                return parse_logprob_preference(await self._chat_logprobs(server.model, prompt.text))
            case Judging.TEXT:
                body = {"messages": _user(prompt.text), "max_tokens": TEXT_TOKENS, "temperature": 0}
                return parse_text_preference(clean((await self._complete({"model": server.model} | body)).text))

    async def _discover(self) -> _Server:
        async with self._discovering:
            models = parse_models(await self._client.get("/v1/models"))
            wanted = self._config.model or (models[0].name if models else "")
            listed = next((model for model in models if model.name == wanted), None)
            if listed is None:
                names = ", ".join(ascii(model.name[:80]) for model in models[:8]) or "none"
                missing = f"no model {wanted!r}" if wanted else "no model"
                raise EngineError(f"engine at {self._config.url} has {missing}; it lists: {names}")
            context_tokens = listed.context_tokens or self._config.context_tokens
            self._server = _Server(wanted, context_tokens, await self._find_judging(wanted))
            return self._server

    async def _find_judging(self, model: str) -> Judging:
        for judging, ask in ((Judging.RAW, self._raw), (Judging.CHAT, self._chat_logprobs)):
            try:
                if has_logprobs(await ask(model, "A or B? The answer is")):
                    return judging
            except Refused as refusal:
                if refusal.status not in CANNOT:
                    raise
        return Judging.TEXT

    async def _raw(self, model: str, text: str) -> Mapping[str, Any]:
        body = {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": TOP_LOGPROBS}
        return await self._client.post("/v1/completions", body)

    async def _chat_logprobs(self, model: str, text: str) -> Mapping[str, Any]:
        body = {"model": model, "messages": _user(text), "max_tokens": 1, "temperature": 0}
        return await self._client.post("/v1/chat/completions", body | {"logprobs": True, "top_logprobs": TOP_LOGPROBS})

    async def _complete(self, body: Mapping[str, Any]) -> Completion:
        try:
            return parse_completion(await self._client.post("/v1/chat/completions", body))
        except ValueError as error:
            raise EngineError(f"engine at {self._config.url} sent {error}") from None


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def open_openai(config: EngineConfig) -> AsyncIterator[OpenAIEngine]:
    """The engine at `config.url`; raises EngineError where URL or key cannot be used. Connects on first use."""
    async with open_json_client(
        config.url, config.api_key, timeout_ms=config.request_timeout_ms, concurrency=config.concurrency
    ) as client:
        yield OpenAIEngine(client, config)
