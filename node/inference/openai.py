"""An engine behind an OpenAI-compatible HTTP server: vLLM, llama.cpp, Ollama, LM Studio, or a hosted one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from node.inference.abilities import CHAT, RAW, Abilities, answer_request, chat_request
from node.inference.asking import CANNOT, ServerClient
from node.inference.config import EngineConfig, hide_secrets
from node.inference.discovery import SPEED_TOKENS, cache_counts, discover, list_models, trial_answer
from node.inference.http_json import HttpRefused, JsonClient, Unreachable, open_json_client
from node.inference.ports import (
    CacheCounts,
    CacheReport,
    Completion,
    EngineError,
    EngineInfo,
    JudgePrompt,
    JudgingMethod,
    Reasoning,
    Sampling,
)
from node.inference.replies import parse_cache, parse_text
from node.inference.status import ServerStatus
from node.inference.text_cleanup import clean
from protocol.messages import Turn
from protocol.types import TaskType

BUSY = frozenset({429, 503})
"""HTTP statuses that mean that the server is busy now."""

BUSY_WAIT_S = 2.0
"""Seconds until a busy server is probed again, unless it gives a time."""

BUSY_WAIT_S_MAX = 30.0
"""Longest wait that a server may request: a model loads in that time, and after a longer wait a user thinks that the
node hangs."""


class OpenAIEngine:
    """Engine over the OpenAI API.

    The server's abilities are discovered on first use, and again after it was away: another may have replaced it.
    """

    def __init__(self, client: JsonClient, config: EngineConfig, server: ServerStatus | None) -> None:
        self._client = client
        self._config = config
        self._asking: ServerClient | None = None
        self._discovering = trio.Lock()
        self.cache: CacheCounts | None = None
        """Prompt cache counts, as in Engine.cache."""
        self.server = server
        """State of our own server, as in Engine.server. While it is not ready, nothing is sent to it."""

    @property
    def concurrency(self) -> int:
        """Number of concurrent requests."""
        return self._config.concurrency

    def doubt(self) -> None:
        """Forget the server's abilities."""
        self._asking = None

    async def probe(self) -> EngineInfo:
        """Probe with two short requests, and those of a discovery if something has changed.

        Waits once for a busy server, which may be loading the model.
        """
        try:
            return await self._probe()
        except HttpRefused as refusal:
            if refusal.status not in BUSY:
                raise
            asked_s = refusal.retry_after_s
            await trio.sleep(BUSY_WAIT_S if asked_s is None else min(asked_s, BUSY_WAIT_S_MAX))
        return await self._probe()

    async def _probe(self) -> EngineInfo:
        asking = await self._server()
        if await list_models(self._client, self._config) != asking.can.models:
            self._asking = None
            asking = await self._server()
        if asking.can.cache_report is CacheReport.METRICS:
            self.cache = await cache_counts(self._client)
        started_s = trio.current_time()
        try:
            sample = await asking.complete(trial_answer(asking.can, self._config))
        except HttpRefused as refusal:
            if refusal.status not in CANNOT:
                raise
            raise EngineError(f"{refusal}; asked was {_named(asking.can, self._config)}") from None
        elapsed_s = max(trio.current_time() - started_s, 0.001)
        can = asking.can
        return EngineInfo(
            kind=self._config.kind,
            model=can.model,
            context_tokens=can.context_tokens,
            tokens_per_second=min(sample.answer_tokens, SPEED_TOKENS + can.thinking_tokens) / elapsed_s,
            judging=can.judging,
            logprobs=can.logprobs,
            constraint=can.constraint.name if can.constraint else "",
            models=tuple(model.name for model in can.models) or (can.model,),
            adapters=tuple(model.name for model in can.models if model.parent),
            cache_report=can.cache_report,
            refused=tuple(sorted(can.refused)),
            skip=can.skip.name,
            thinking_tokens=can.thinking_tokens,
            control_tokens=can.control_tokens,
        )

    async def answer(self, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> Completion:
        """Answer a conversation, as Engine.answer."""
        asking = await self._server()
        limited = replace(sampling, max_tokens=min(sampling.max_tokens, self._config.max_tokens))
        completion = await asking.complete(answer_request(asking.can, turns, task, limited))
        text = clean(completion.text)
        if not text:
            tokens = completion.answer_tokens
            where = hide_secrets(self._config.url)
            raise EngineError(f"engine at {where} wrote no answer, but {tokens} tokens of reasoning or nothing")
        return replace(completion, text=text)

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Compare two answers, as Engine.preference."""
        asking = await self._server()
        try:
            return await self._preference(asking, prompt)
        except HttpRefused as refusal:
            if refusal.status not in CANNOT or "logprobs" not in refusal.words:
                raise
            # It did give them before: another model now has the name, or another server stands behind the gateway.
            if self._asking is asking:
                self._asking = None
        return await self._preference(await self._server(), prompt)

    async def _preference(self, asking: ServerClient, prompt: JudgePrompt) -> float | None:
        if asking.can.judging is JudgingMethod.NONE:
            return None
        text = prompt.text if prompt.reasoning is None else await self._reasoned(asking, prompt.reasoning)
        letter = await asking.letter(asking.can, text)
        return letter.preference

    async def _reasoned(self, asking: ServerClient, reasoning: Reasoning) -> str:
        """Return the prompt for the letter after the model's reasoning, which is empty if the reply has no text."""
        can = asking.can
        if can.judging is JudgingMethod.RAW:
            # One line, as in the examples: a model that completes texts would continue with the letter and another
            # task.
            body = {"model": can.model, "prompt": reasoning.text, "max_tokens": reasoning.tokens_max}
            reply = await asking.post(RAW, {**body, "temperature": 0, "stop": ["\n"]})
        else:
            reply = await asking.post(CHAT, chat_request(can, reasoning.text, reasoning.tokens_max))
        return reasoning.choice(clean(parse_text(reply)))

    async def _server(self) -> ServerClient:
        if self.server is not None and not self.server.ready:
            raise EngineError(str(self.server))
        async with self._discovering:
            if self._asking is None:
                self._asking = await discover(self._client, self._post, self._config)
            return self._asking

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            reply = await self._client.post(path, body)
        except Unreachable:
            self._asking = None
            raise
        except HttpRefused as refusal:
            if refusal.status == 404:
                # The model was unloaded, or another server has the port.
                self._asking = None
            raise
        if (told := parse_cache(reply)) is not None:
            before = self.cache or CacheCounts(0, 0)
            self.cache = CacheCounts(before.tokens + told.tokens, before.hits + told.hits)
        return reply


def _named(can: Abilities, config: EngineConfig) -> str:
    """Return the name of the used model, and how a user can change it."""
    if config.model:
        return f"the model {can.model[:80]!a}, as engine.model says"
    return f"the model {can.model[:80]!a}, the first that the server lists: engine.model chooses another"


@asynccontextmanager
async def open_openai(config: EngineConfig, server: ServerStatus | None = None) -> AsyncIterator[OpenAIEngine]:
    """Open the engine at `config.url`; raises EngineError if URL or key cannot be used. Connects on first use.

    `server`: its state, if it is ours to run.
    """
    async with open_json_client(config, timeout_ms=config.request_timeout_ms, concurrency=config.concurrency) as client:
        yield OpenAIEngine(client, config, server)
