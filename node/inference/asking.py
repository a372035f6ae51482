"""A server with its observed abilities: each request takes a form that it accepts, and refusals are remembered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from node.inference.abilities import (
    CHAT,
    LETTERS,
    RAW,
    TEXT_TOKENS,
    Abilities,
    chat_request,
    choice_request,
    logprobs_request,
    raw_request,
    refused_parameter,
    shaped,
)
from node.inference.http_json import HttpRefused
from node.inference.ports import Completion, EngineError, JudgingMethod
from node.inference.replies import (
    letter_mass,
    parse_choice,
    parse_completion,
    parse_logprob_preference,
    parse_text,
    parse_text_preference,
)
from node.inference.text_cleanup import clean

Post = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Sends a body to a path; raises EngineError."""

CANNOT = frozenset({400, 404, 405, 415, 422, 501})
"""HTTP statuses that mean that the server lacks an ability permanently."""

FAILS = CANNOT | {500}
"""CANNOT and the status of servers that fail at unknown input, such as llama.cpp's at a template without the system
role."""

_log = structlog.get_logger(__name__)


class Unreadable(EngineError):
    """The server replied without a completion."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A reply to "A or B?"."""

    preference: float | None
    """P(A); None if the reply does not contain it."""
    mass: float
    """Probability of the two letters together."""
    reply: Mapping[str, Any]


class ServerClient:
    """One server and its abilities, which each refused parameter changes."""

    def __init__(self, post: Post, url: str, can: Abilities) -> None:
        self._post = post
        self._url = url
        self.can = can

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the reply to `body` in the form that the server accepts; raises EngineError.

        A refusal that names a parameter is remembered and the request repeated without it. Each repetition has one part
        less, so there are at most seven.
        """
        while True:
            sent = shaped(body, self.can.refused)
            try:
                return await self._post(path, sent)
            except HttpRefused as refusal:
                named = refused_parameter(refusal.words, sent) if refusal.status in FAILS else None
                if named is None:
                    raise
                if named not in self.can.refused:
                    _log.info("engine.parameter_refused", parameter=named, reason=str(refusal))
                self.can = self.can.without(named)

    async def complete(self, body: Mapping[str, Any]) -> Completion:
        """Return the text that the server writes for a chat's `body`; raises EngineError."""
        prompt_bytes = sum(len(message["content"].encode("utf-8", "replace")) for message in body["messages"])
        reply = await self.post(CHAT, body)
        try:
            return parse_completion(reply, tokens_max=body["max_tokens"], prompt_bytes=prompt_bytes)
        except ValueError as error:
            raise Unreadable(f"engine at {self._url} sent {error}") from None

    async def letter(self, can: Abilities, text: str) -> Letter:
        """Return the server's reply to a comparison, asked in the way of `can`; raises EngineError."""
        match can.judging:
            case JudgingMethod.RAW:
                reply = await self.post(RAW, raw_request(can.model, text, can.top_logprobs))
                return Letter(parse_logprob_preference(reply), letter_mass(reply), reply)
            case JudgingMethod.CHAT:
                reply = await self.post(CHAT, logprobs_request(can, text))
                return Letter(parse_logprob_preference(reply), letter_mass(reply), reply)
            case JudgingMethod.CHOICE:
                assert can.constraint is not None
                reply = await self.post(CHAT, choice_request(can, can.constraint, text, LETTERS))
                chosen = parse_choice(clean(parse_text(reply)), LETTERS)
                return Letter(None if chosen is None else float(chosen == LETTERS[0]), float(chosen is not None), reply)
            case JudgingMethod.TEXT:
                reply = await self.post(CHAT, chat_request(can, text, TEXT_TOKENS))
                preference = parse_text_preference(clean(parse_text(reply)))
                return Letter(preference, float(preference is not None), reply)
            case _:
                return Letter(None, 0.0, {})
