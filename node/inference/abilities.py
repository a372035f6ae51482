"""Observed abilities of one server with one of its models, and the form of requests that follows from them. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from node.inference import llama_cpp
from node.inference.ports import CacheReport, JudgingMethod, Sampling
from node.inference.prompts import answer_messages
from node.inference.replies import ListedModel
from node.inference.vllm import dialect as vllm
from protocol.messages import Turn
from protocol.types import TaskType

CHAT = "/v1/chat/completions"
RAW = "/v1/completions"

LETTERS = ("A", "B")

TEXT_TOKENS = 8
"""Tokens of a reply that is a letter: enough for `**A**.`; anything longer is an essay."""

THINKING_TOKENS = 512
"""Tokens for the thoughts of a model that cannot be kept from thinking, before each of its texts. An easy pair takes
some hundred tokens; a node that gave each judgement more would exceed every budget of a round."""

SYSTEM = "system"
"""Stands for the role of that name among refused parameters."""

_PARAMETERS_SECONDARY = ("seed", "top_p", "temperature", "chat_template_kwargs", "reasoning_effort")
"""Dispensable parameters. If a refusal names two that exclude each other, the first of these is dropped."""

_NOT_SUPPORTED = re.compile(
    r"max_completion_tokens|not (?:be )?(?:supported|permitted|allowed)|unsupported|unknown|unrecogni[sz]ed|extra",
    re.IGNORECASE,
)
_TOO_MUCH = re.compile(r"context|too (?:large|long|many)|exceed|at most|maximum", re.IGNORECASE)
_NO_SYSTEM = re.compile(
    r"\bsystem\b.{0,40}\b(?:role|message|prompt|instruction)|\b(?:role|message|instruction)s?\b.{0,60}\bsystem\b"
    r"|roles must alternate|only user,? (?:and )?(?:assistant|model)|developer instruction",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Skip:
    """A way to make a reasoning model answer at once. Servers that do not know a field ignore or refuse it."""

    name: str
    fields: Mapping[str, Any]


AS_IT_IS = Skip("", {})

SKIPS = (
    AS_IT_IS,
    # Qwen3, GLM and others read the first, DeepSeek and Granite the second, at vLLM, SGLang and llama.cpp.
    Skip("chat_template_kwargs", {"chat_template_kwargs": {"enable_thinking": False}}),
    Skip("chat_template_kwargs (thinking)", {"chat_template_kwargs": {"thinking": False}}),
    # Ollama and hosted services.
    Skip("reasoning_effort none", {"reasoning_effort": "none"}),
    Skip("reasoning_effort low", {"reasoning_effort": "low"}),
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A way to make a model write one of some texts, by the field's name.

    Ollama and LM Studio support only OpenAI's.
    """

    name: str
    fields: Callable[[Sequence[str]], dict[str, Any]]
    tokens: int
    """Tokens of the longest text: in JSON some twenty tokens at a model that likes white space."""


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
    """The abilities of one server with one of its models. An ability that was not observed does not count."""

    model: str
    models: tuple[ListedModel, ...]
    context_tokens: int
    refused: frozenset[str] = frozenset()
    """Parameters that it refuses; `SYSTEM` for the role."""
    skip: Skip = AS_IT_IS
    """The way that keeps it from thinking."""
    thinking_tokens: int = 0
    """Tokens for its thoughts before each text; 0: it does not think, or is kept from it."""
    judging: JudgingMethod = JudgingMethod.NONE
    top_logprobs: int = 0
    """Number of alternatives of a token to request."""
    logprobs: int = 0
    """Number of alternatives that it then lists."""
    constraint: Constraint | None = None
    cache_report: CacheReport = CacheReport.NONE
    control_tokens: tuple[str, ...] = field(default=())
    """Control tokens that the server reports for its tokenizer."""

    def without(self, parameter: str) -> "Abilities":
        """Return the abilities after one more refused parameter."""
        skip = AS_IT_IS if parameter in self.skip.fields else self.skip
        return replace(self, refused=self.refused | {parameter}, skip=skip)


# -- requests ----------------------------------------------------------------------------------------------------------


def answer_request(can: Abilities, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> dict[str, Any]:
    """Build the body that requests an answer; the tokens for thoughts are added to the answer's own length."""
    body: dict[str, Any] = {
        "model": can.model,
        "messages": answer_messages(turns, task, can.control_tokens),
        "max_tokens": sampling.max_tokens + can.thinking_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **can.skip.fields,
    }
    return body if sampling.seed is None else body | {"seed": sampling.seed}


def raw_request(model: str, text: str, logprobs: int) -> dict[str, Any]:
    """Build the body that requests the alternatives of one token from /v1/completions."""
    return {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": logprobs}


def chat_request(can: Abilities, text: str, tokens: int, **fields: Any) -> dict[str, Any]:
    """Build the body that requests the most probable reply from /v1/chat/completions; `tokens` without thoughts."""
    return _chat(can, text, tokens + can.thinking_tokens, **fields)


def logprobs_request(can: Abilities, text: str) -> dict[str, Any]:
    """Build the body that requests the alternatives of the first token from /v1/chat/completions."""
    return _chat(can, text, 1, logprobs=True, top_logprobs=can.top_logprobs)


def choice_request(can: Abilities, constraint: Constraint, text: str, texts: Sequence[str]) -> dict[str, Any]:
    """Build the body that makes the model write one of `texts` in reply to `text`."""
    return chat_request(can, text, constraint.tokens, **constraint.fields(texts))


def _chat(can: Abilities, text: str, tokens: int, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "model": can.model, "messages": messages, "max_tokens": tokens, "temperature": 0, **can.skip.fields, **fields,
    }  # fmt: skip


# -- refusals ----------------------------------------------------------------------------------------------------------


def shaped(body: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """Return `body` as this server takes it.

    Refused parameters are left out, the token limit gets its other name, and the system text moves into the user's.
    """
    sent = {name: value for name, value in body.items() if name not in refused or name == "max_tokens"}
    if "messages" not in sent:
        return sent
    if "max_tokens" in refused:
        sent["max_completion_tokens"] = sent.pop("max_tokens")
    first, *rest = sent["messages"]
    if SYSTEM in refused and first["role"] == SYSTEM:
        sent["messages"] = [{**rest[0], "content": f"{first['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
    return sent


def refused_parameter(words: str, sent: Mapping[str, Any]) -> str | None:
    """Return the dispensable part of a request that its refusal names; None: the refusal concerns something else."""
    if "max_tokens" in sent and "messages" in sent and "max_tokens" in words:
        # A prompt over the context is reported with the same names.
        return "max_tokens" if _NOT_SUPPORTED.search(words) and not _TOO_MUCH.search(words) else None
    for name in _PARAMETERS_SECONDARY:
        if name in sent and re.search(rf"\b{name}\b", words):
            return name
    messages = sent.get("messages", ())
    return SYSTEM if messages and messages[0]["role"] == SYSTEM and _NO_SYSTEM.search(words) else None
