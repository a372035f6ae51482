"""What an OpenAI-compatible server can do, found out by asking it: servers tell little, and ignore much silently."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.inference import llama_cpp
from node.inference.config import EngineConfig
from node.inference.http_json import JsonClient, Refused
from node.inference.ports import CacheCounts, CacheReport, EngineError, Judging
from node.inference.replies import (
    ListedModel,
    count_logprobs,
    parse_cache,
    parse_choice,
    parse_models,
    parse_text,
)
from node.inference.untrusted import control_tokens
from node.inference.vllm import dialect as vllm

Post = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

TOP_LOGPROBS = (20, 5)
"""Alternatives to ask for: the most that vLLM and OpenAI give (a letter beyond them has no mass that matters), else
the most of OpenAI's raw completions and of servers that were told to give fewer."""

LETTERS = ("A", "B")

TEXT_TOKENS = 8
"""Enough for `**A**.`; what is longer is an essay, and no letter."""

CANNOT = frozenset({400, 404, 405, 415, 422, 501})
"""HTTP statuses by which servers say that they do not have an ability, as opposed to not having it now."""

NO_LIST = CANNOT | {401, 403}
"""The same for a list of models: hosted keys may be good for chats alone. A bad key is refused at the chat as well."""

_TRIAL = ("QZ", "ZQ")
"""No model writes these of its own accord: they show that a constraint is heeded."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A way to have one of some texts written, by the field's name. Ollama and LM Studio know OpenAI's alone."""

    name: str
    fields: Callable[[Sequence[str]], dict[str, Any]]
    tokens: int
    """The longest text: in JSON some twenty tokens at a model that likes white space."""

    def request(self, model: str, text: str, texts: Sequence[str]) -> dict[str, Any]:
        """The body that has one of `texts` written as the reply to `text`."""
        return chat_request(model, text, self.tokens, **self.fields(texts))


def _schema(texts: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(texts)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    named = {"name": "choice", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


CONSTRAINTS = (
    Constraint("structured_outputs", vllm.choice, 8),
    Constraint("grammar", llama_cpp.choice, 8),
    Constraint("response_format", _schema, 24),
)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one server can do with one of its models."""

    model: str
    models: tuple[ListedModel, ...]
    context_tokens: int
    judging: Judging
    top_logprobs: int
    """Alternatives of a token to ask it for."""
    logprobs: int
    """Alternatives that it lists then."""
    constraint: Constraint | None
    cache_report: CacheReport
    control_tokens: tuple[str, ...]
    """Those that the server tells of its tokenizer."""


async def list_models(client: JsonClient, config: EngineConfig) -> tuple[ListedModel, ...]:
    """The models that the server lists. Raises EngineError.

    A model that is named needs no list: a server that has none, or shows it to other keys alone, is asked without.
    """
    try:
        return parse_models(await client.get("/v1/models"))
    except Refused as refusal:
        if not config.model or refusal.status not in NO_LIST:
            raise
        return ()


async def discover(client: JsonClient, post: Post, config: EngineConfig) -> Abilities:
    """Three to eleven short requests. Raises EngineError."""
    models = await list_models(client, config)
    model = _wanted(models, config)
    by_name = {each.name: each for each in models}
    listed = by_name.get(model) or ListedModel(model, None)
    # An adapter has the context of its model.
    told = listed.context_tokens or (by_name[listed.parent].context_tokens if listed.parent in by_name else None)
    judging, top_logprobs, reply = await _find_logprobs(post, model)
    constraint = await _find_constraint(post, model)
    if judging is Judging.TEXT and constraint is not None:
        judging = Judging.CHOICE
    return Abilities(
        model=model,
        models=models,
        context_tokens=told or config.context_tokens,
        judging=judging,
        top_logprobs=top_logprobs,
        logprobs=count_logprobs(reply),
        constraint=constraint,
        cache_report=await _find_cache_report(client, reply),
        control_tokens=await _find_control_tokens(client),
    )


async def cache_counts(client: JsonClient) -> CacheCounts | None:
    """What vLLM's metrics tell of its prefix cache; None at any other server. Nothing depends on them."""
    try:
        return vllm.prefix_cache(await client.text("/metrics"))
    except EngineError:
        return None


async def _find_control_tokens(client: JsonClient) -> tuple[str, ...]:
    """The tokens of llama.cpp's /props; other servers do not tell theirs, and the known ones are broken up anyway."""
    try:
        return control_tokens(llama_cpp.token_words(await client.get("/props")))
    except EngineError:
        return ()


def raw_request(model: str, text: str, logprobs: int) -> dict[str, Any]:
    """The body that asks /v1/completions for the alternatives of one token."""
    return {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": logprobs}


def chat_request(model: str, text: str, tokens: int, **fields: Any) -> dict[str, Any]:
    """The body that asks /v1/chat/completions for its most probable reply."""
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0, **fields}


def logprobs_request(model: str, text: str, logprobs: int) -> dict[str, Any]:
    """The body that asks /v1/chat/completions for the alternatives of one token."""
    return chat_request(model, text, 1, logprobs=True, top_logprobs=logprobs)


def _wanted(models: Sequence[ListedModel], config: EngineConfig) -> str:
    wanted = config.model or (models[0].name if models else "")
    if any(model.name == wanted for model in models) or (wanted and not models):
        return wanted
    names = ", ".join(ascii(model.name[:80]) for model in models[:8]) or "none"
    missing = f"no model {wanted!r}" if wanted else "no model"
    raise EngineError(f"engine at {config.url} has {missing}; it lists: {names}")


async def _find_logprobs(post: Post, model: str) -> tuple[Judging, int, Mapping[str, Any]]:
    """How to judge, how many alternatives to ask for, and the reply that showed it."""
    reply: Mapping[str, Any] = {}
    for judging, path, request in (
        (Judging.RAW, "/v1/completions", raw_request),
        (Judging.CHAT, "/v1/chat/completions", logprobs_request),
    ):
        for asked in TOP_LOGPROBS:
            try:
                reply = await post(path, request(model, "A or B? The answer is", asked))
            except Refused as refusal:
                if refusal.status not in CANNOT:
                    raise
                continue
            if count_logprobs(reply):
                return judging, asked, reply
            break
    return Judging.TEXT, 0, reply


async def _find_constraint(post: Post, model: str) -> Constraint | None:
    for constraint in CONSTRAINTS:
        try:
            request = constraint.request(model, "Name the capital of France.", _TRIAL)
            text = parse_text(await post("/v1/chat/completions", request))
        except Refused as refusal:
            # Some fail instead of refusing a field that they do not know.
            if refusal.status not in CANNOT | {500}:
                raise
            continue
        if parse_choice(text, _TRIAL) is not None:
            return constraint
    return None


async def _find_cache_report(client: JsonClient, reply: Mapping[str, Any]) -> CacheReport:
    if parse_cache(reply) is not None:
        return CacheReport.USAGE
    return CacheReport.NONE if await cache_counts(client) is None else CacheReport.METRICS
