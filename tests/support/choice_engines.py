"""Model servers whose answers are given and whose judgements are a model's, or coins."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import trio

from node.inference import EngineConfig
from tests.support.engine_server import Reply, StandIn, as_json, http, serving

COIN = 0.65
"""Probability by which a judge that knows nothing prefers one of two answers."""

FORWARD_S = 600.0
"""Seconds for the model behind to reply; the node in front gives up earlier."""


class GivenAnswers(StandIn):
    """A member's server: it gives the answers of a script, and prefers one of two answers by lot.

    Its preference is the same in both orders, and has nothing to do with the texts' quality.
    """

    def __init__(self, member: int, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._member = member
        self._answers = answers

    def given(self, path: str, body: Any) -> str | None:
        """The scripted answer to a request; None: it asks for something else."""
        if path != "/v1/chat/completions" or not body or not body.get("messages"):
            return None
        return self._answers.get(body["messages"][-1]["content"])

    def written(self, path: str, body: Any, prompt: str) -> dict[str, Any]:
        """See StandIn."""
        text = self.given(path, body)
        return super().written(path, body, prompt) if text is None else answer_reply(text)

    def _share_of_a(self, prompt: str) -> float:  # type: ignore[override]
        share = super()._share_of_a(prompt)
        if "Bananas are yellow" in prompt:
            # The trial by which a node finds out whether its engine can judge.
            return share
        _, _, shown = prompt.rpartition("=== Answer A")
        first, _, second = shown.partition("=== Answer B")
        lots = [self._lot(each.partition("\n")[2].partition("=== End")[0].strip()) for each in (first, second)]
        return COIN if lots[0] > lots[1] else 1 - COIN

    def _lot(self, text: str) -> bytes:
        return hashlib.blake2b(f"{self._member} {text}".encode("utf-8", "replace")).digest()


class JudgingModel(GivenAnswers):
    """A member's server that gives the answers of a script, and leaves everything else to a model's server."""

    def __init__(
        self, member: int, answers: Mapping[str, str], model: EngineConfig, client: httpx2.AsyncClient
    ) -> None:
        super().__init__(member, answers)
        self._model = model
        self._client = client

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:  # noqa: ARG002 - who may ask is the model's affair
        """See Server."""
        if (text := self.given(path, body)) is not None:
            return as_json(answer_reply(text))

        async def forwarded(stream: trio.SocketStream) -> None:
            url = self._model.url.rstrip("/").removesuffix("/v1") + path
            key = {"Authorization": f"Bearer {self._model.api_key}"}
            reply = await (
                self._client.get(url, headers=key) if body is None else self._client.post(url, json=body, headers=key)
            )
            await http(reply.content, f"{reply.status_code} Forwarded")(stream)

        return forwarded


def answer_reply(text: str) -> dict[str, Any]:
    """The completion that holds a scripted answer."""
    usage = {"prompt_tokens": 1, "completion_tokens": max(1, len(text) // 4)}
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}


@asynccontextmanager
async def coin_engine(member: int, answers: Mapping[str, str]) -> AsyncIterator[EngineConfig]:
    """The configuration of a member's engine that judges by lot."""
    async with serving(GivenAnswers(member, answers)) as url:
        yield EngineConfig(kind="openai", url=url, api_key=StandIn.KEY)


@asynccontextmanager
async def model_engine(member: int, answers: Mapping[str, str], model: EngineConfig) -> AsyncIterator[EngineConfig]:
    """The configuration of a member's engine whose judgements are those of the model at `model`."""
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=FORWARD_S) as client,
        serving(JudgingModel(member, answers, model, client)) as url,
    ):
        yield replace(model, url=url)
