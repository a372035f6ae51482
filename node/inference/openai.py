"""An engine behind an OpenAI-compatible HTTP server: vLLM, llama.cpp, Ollama, LM Studio, or a hosted one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from node.inference.config import EngineConfig
from node.inference.discovery import (
    LETTERS,
    TEXT_TOKENS,
    Abilities,
    cache_counts,
    chat_request,
    discover,
    list_models,
    logprobs_request,
    raw_request,
)
from node.inference.http_json import JsonClient, Refused, Unreachable, open_json_client
from node.inference.hygiene import clean
from node.inference.ports import (
    CacheCounts,
    CacheReport,
    Completion,
    EngineError,
    EngineInfo,
    JudgePrompt,
    Judging,
    Reasoning,
    Sampling,
)
from node.inference.prompts import answer_messages
from node.inference.replies import (
    parse_cache,
    parse_choice,
    parse_completion,
    parse_logprob_preference,
    parse_text,
    parse_text_preference,
)
from node.inference.status import ServerStatus
from protocol.types import TaskType

SPEED_TOKENS = 24
"""Tokens of the timed generation: a tenth of a second on a GPU, a few on a slow CPU."""


class OpenAIEngine:
    """Engine over the OpenAI API.

    What the server can do is found out on first use, and again when it was away: another may have come in its place.
    """

    def __init__(self, client: JsonClient, config: EngineConfig, server: ServerStatus | None) -> None:
        self._client = client
        self._config = config
        self._abilities: Abilities | None = None
        self._discovering = trio.Lock()
        self.cache: CacheCounts | None = None
        """See Engine.cache."""
        self.server = server
        """See Engine.server. While it is not ready, nothing is sent to it."""

    @property
    def concurrency(self) -> int:
        """Requests in flight at once."""
        return self._config.concurrency

    async def probe(self) -> EngineInfo:
        """See Engine.probe. Two short requests, and those of a discovery where something has changed."""
        can = await self._server()
        if await list_models(self._client, self._config) != can.models:
            self._abilities = None
            can = await self._server()
        if can.cache_report is CacheReport.METRICS:
            self.cache = await cache_counts(self._client)
        started_s = trio.current_time()
        request = chat_request(can.model, "Count from one to fifty in words.", SPEED_TOKENS)
        sample = await self._complete(request)
        elapsed_s = max(trio.current_time() - started_s, 0.001)
        return EngineInfo(
            kind=self._config.kind,
            model=can.model,
            context_tokens=can.context_tokens,
            tokens_per_second=min(sample.answer_tokens, SPEED_TOKENS) / elapsed_s,
            judging=can.judging,
            logprobs=can.logprobs,
            constraint=can.constraint.name if can.constraint else "",
            models=tuple(model.name for model in can.models),
            adapters=tuple(model.name for model in can.models if model.parent),
            cache_report=can.cache_report,
            control_tokens=can.control_tokens,
        )

    async def answer(self, query: str, task: TaskType, sampling: Sampling) -> Completion:
        """See Engine.answer."""
        can = await self._server()
        body: dict[str, Any] = {
            "model": can.model,
            "messages": answer_messages(query, task, can.control_tokens),
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
        can = await self._server()
        text = prompt.text if prompt.reasoning is None else await self._reasoned(can, prompt.reasoning)
        match can.judging:
            case Judging.RAW:
                request = raw_request(can.model, text, can.top_logprobs)
                return parse_logprob_preference(await self._post("/v1/completions", request))
            case Judging.CHAT:
                request = logprobs_request(can.model, text, can.top_logprobs)
                return parse_logprob_preference(await self._post("/v1/chat/completions", request))
            case Judging.CHOICE:
                assert can.constraint is not None
                request = can.constraint.request(can.model, text, LETTERS)
                chosen = parse_choice(parse_text(await self._post("/v1/chat/completions", request)), LETTERS)
                return None if chosen is None else float(chosen == LETTERS[0])
            case _:
                request = chat_request(can.model, text, TEXT_TOKENS)
                return parse_text_preference(clean((await self._complete(request)).text))

    async def _reasoned(self, can: Abilities, reasoning: Reasoning) -> str:
        """What asks for the letter after the model's reasoning; a reply without a text holds none."""
        if can.judging is Judging.RAW:
            # One line, as in the examples: a model that completes texts would go on with the letter and another task.
            body = {"model": can.model, "prompt": reasoning.text, "max_tokens": reasoning.tokens_max}
            reply = await self._post("/v1/completions", {**body, "temperature": 0, "stop": ["\n"]})
        else:
            body = chat_request(can.model, reasoning.text, reasoning.tokens_max)
            reply = await self._post("/v1/chat/completions", body)
        return reasoning.choice(clean(_written(reply)))

    async def _server(self) -> Abilities:
        if self.server is not None and not self.server.ready:
            raise EngineError(str(self.server))
        async with self._discovering:
            if self._abilities is None:
                self._abilities = await discover(self._client, self._post, self._config)
            return self._abilities

    async def _complete(self, body: Mapping[str, Any]) -> Completion:
        try:
            reply = await self._post("/v1/chat/completions", body)
            prompt_bytes = sum(len(message["content"].encode()) for message in body["messages"])
            return parse_completion(reply, tokens_max=body["max_tokens"], prompt_bytes=prompt_bytes)
        except ValueError as error:
            raise EngineError(f"engine at {self._config.url} sent {error}") from None

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            reply = await self._client.post(path, body)
        except Unreachable:
            self._abilities = None
            raise
        except Refused as refusal:
            if refusal.status == 404:
                # The model was unloaded, or another server has the port.
                self._abilities = None
            raise
        if (told := parse_cache(reply)) is not None:
            before = self.cache or CacheCounts(0, 0)
            self.cache = CacheCounts(before.tokens + told.tokens, before.hits + told.hits)
        return reply


def _written(reply: Mapping[str, Any]) -> str:
    """The text of a reply to either path."""
    match reply:
        case {"choices": [{"text": str(text)}, *_]}:
            return text
        case _:
            return parse_text(reply)


@asynccontextmanager
async def open_openai(config: EngineConfig, server: ServerStatus | None = None) -> AsyncIterator[OpenAIEngine]:
    """The engine at `config.url`; raises EngineError where URL or key cannot be used. Connects on first use.

    `server`: where it is ours to run.
    """
    async with open_json_client(
        config.url, config.api_key, timeout_ms=config.request_timeout_ms, concurrency=config.concurrency
    ) as client:
        yield OpenAIEngine(client, config, server)
