"""Reading the replies of OpenAI-compatible servers: pure functions from JSON objects to values.

A completion needs only its text: a reply without one is a ValueError (there is no answer). Its finish reason and token
counts are estimated, and marked so, if the server does not report them. A missing or malformed preference is None (the
judge abstains): nothing is guessed.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from node.inference import llama_cpp
from node.inference.ports import CacheCounts, Completion, estimate_tokens
from node.inference.vllm import dialect as vllm
from protocol.limits import COUNT_MAX
from protocol.types import FinishReason, TokenSource

LETTER_MASS_MIN = 0.05
"""Least probability of A and B together. Below it the model was about to write something else, and the ratio of two
small remainders is noise. Few-shot prompts gave more than 0.5 (SmolLM2-135M)."""

ALTERNATIVES_MAX = 100
"""Alternatives of one token that are read; servers give at most 20."""

MODELS_MAX = 1000
"""Models of a server's list that are read; a multi-model gateway has some hundreds."""

MODEL_NAME_CHARS_MAX = 512
"""Characters of a model's name: names that are paths are long, and every request carries them."""

PARTS_MAX = 1000
"""Parts of a text that are read; servers send one, or one before and one after some reasoning."""

_WITHHELD = frozenset({"content_filter"})
"""Finish reasons with which the server withholds some of the text."""

_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Fields of separate reasoning: vLLM, SGLang and llama.cpp use the first, Ollama the second."""

_TEXT_PARTS = ("text", "output_text")
_PART_THOUGHT = "thought"
"""Stands for reasoning in parts: only its presence matters."""

_LOGPROB_MIN = -10_000.0  # vLLM's -inf is -9999
_LOGPROB_MAX = 0.001  # rounding may lift a probability of one above it
_LETTER_ALONE = re.compile(r"[\s\"'`*(\[]{0,8}(?:Answer )?([AB])[\s\"'`*)\].:]{0,8}")


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One entry of /v1/models; `context_tokens` is None if the server does not report it."""

    name: str
    context_tokens: int | None
    parent: str | None = None
    """The model of which it is an adapter."""


def parse_models(reply: Mapping[str, Any]) -> tuple[ListedModel, ...]:
    """Return the models of a /v1/models reply."""
    data = reply.get("data")
    if not isinstance(data, list):
        return ()
    return tuple(
        ListedModel(entry["id"], _context(entry), parent if _is_name(parent := vllm.parent(entry)) else None)
        for entry in data[:MODELS_MAX]
        if isinstance(entry, dict) and _is_name(entry.get("id"))
    )


def parse_completion(reply: Mapping[str, Any], *, tokens_max: int, prompt_bytes: int) -> Completion:
    """Return the answer in a /v1/chat/completions reply; raises ValueError, naming the fault.

    `tokens_max`: the limit in the request; `prompt_bytes`: bytes of its texts, for an estimate.
    """
    choice = _first_choice(reply)
    text, reasoning = _content(choice)
    if text is None and not reasoning:
        raise ValueError("a reply without message.content")
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in _WITHHELD:
        raise ValueError(f"finish_reason {finish!r}")
    usage = reply.get("usage")
    prompt_tokens, answer_tokens = (
        _count(usage, key) if isinstance(usage, dict) else None for key in ("prompt_tokens", "completion_tokens")
    )
    told = prompt_tokens is not None and answer_tokens is not None
    if answer_tokens is None:
        answer_tokens = min(estimate_tokens(len(f"{text or ''}{reasoning}".encode("utf-8", "replace"))), tokens_max)
    return Completion(
        # JSON can carry lone surrogates, which no message of ours could.
        text=(text or "").encode("utf-8", "replace").decode("utf-8"),
        finish=_finish(finish, answer_tokens, tokens_max),
        prompt_tokens=estimate_tokens(prompt_bytes) if prompt_tokens is None else prompt_tokens,
        answer_tokens=answer_tokens,
        token_source=TokenSource.ENGINE if told else TokenSource.ESTIMATE,
        reasoned=bool(reasoning),
    )


def parse_logprob_preference(reply: Mapping[str, Any]) -> float | None:
    """Return P(A) among A and B from the first token's alternatives, in either form that servers use; else None."""
    first, second = _letters(reply)
    mass = first + second
    return first / mass if LETTER_MASS_MIN <= mass <= 1.01 else None


def letter_mass(reply: Mapping[str, Any]) -> float:
    """Return the probability of A and B together as the first token; 0 if the reply does not contain it."""
    return sum(_letters(reply))


def count_logprobs(reply: Mapping[str, Any]) -> int:
    """Count the alternatives of the first token in the reply."""
    return sum(1 for _ in _alternatives(reply))


def parse_text(reply: Mapping[str, Any]) -> str:
    """Return the text of a completions reply, whatever else is wrong with it; empty if there is none."""
    try:
        return _content(_first_choice(reply))[0] or ""
    except ValueError:
        return ""


def parse_choice(text: str, texts: Sequence[str]) -> str | None:
    """Return which of `texts` a constrained reply is, alone or as JSON's {"choice": ...}; else None."""
    if text.strip() in texts:
        return text.strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    chosen = value.get("choice") if isinstance(value, dict) and len(value) == 1 else None
    return chosen if isinstance(chosen, str) and chosen in texts else None


def parse_cache(reply: Mapping[str, Any]) -> CacheCounts | None:
    """Return the prompt cache counts in a reply, if present."""
    usage = reply.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if type(cached) is not int:
        return None
    tokens = _count(usage, "prompt_tokens") if isinstance(usage, dict) else None
    return None if tokens is None or not 0 <= cached <= tokens else CacheCounts(tokens, cached)


def parse_text_preference(text: str) -> float | None:
    """Return 1 or 0 if the text is the letter A or B alone, perhaps quoted; anything longer is ambiguous: None."""
    match = _LETTER_ALONE.fullmatch(text)
    return None if match is None else float(match[1] == "A")


def _letters(reply: Mapping[str, Any]) -> tuple[float, float]:
    first = second = 0.0
    for token, logprob in _alternatives(reply):
        letter = token.strip()
        if letter == "A":
            first += math.exp(logprob)
        elif letter == "B":
            second += math.exp(logprob)
    return first, second


def _alternatives(reply: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    try:
        logprobs = _first_choice(reply).get("logprobs")
    except ValueError:
        return
    if not isinstance(logprobs, dict):
        return
    content, legacy = logprobs.get("content"), logprobs.get("top_logprobs")
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, list) and content and isinstance(content[0], dict):
        top = content[0].get("top_logprobs")
        if isinstance(top, list):
            entries = (entry for entry in top[:ALTERNATIVES_MAX] if isinstance(entry, dict))
            pairs = ((entry.get("token"), entry.get("logprob")) for entry in entries)
    elif isinstance(legacy, list) and legacy and isinstance(legacy[0], dict):
        pairs = list(legacy[0].items())[:ALTERNATIVES_MAX]
    for token, logprob in pairs:
        if (
            isinstance(token, str)
            and isinstance(logprob, int | float)
            and not isinstance(logprob, bool)
            and _LOGPROB_MIN <= logprob <= _LOGPROB_MAX
        ):
            yield token, float(logprob)


def _first_choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ValueError("a reply without choices")
    return choices[0]


def _content(choice: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the text of a choice and the separate reasoning; None: there is no text.

    A text stands in `message.content`, whole or as a list of parts, or in `text`, as in raw completions.
    """
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {"content": choice.get("text")}
    content, reasoning = message.get("content"), ""
    for key in _REASONING_KEYS:
        if isinstance(thoughts := message.get(key), str) and thoughts:
            reasoning = thoughts
            break
    if isinstance(content, list):
        parts = [part for part in content[:PARTS_MAX] if isinstance(part, dict)]
        if not reasoning and any(part.get("type") in ("thinking", "reasoning") for part in parts):
            reasoning = _PART_THOUGHT
        texts = [
            part["text"] for part in parts if part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str)
        ]
        content = "".join(texts) if texts else None
    return content if isinstance(content, str) else None, reasoning


def _finish(told: object, answer_tokens: int, tokens_max: int) -> FinishReason:
    """Return the server's finish reason if it is one of the two words, in any case; else infer it from the tokens."""
    word = told.lower() if isinstance(told, str) else ""
    if word in ("stop", "length"):
        return FinishReason(word)
    return FinishReason.LENGTH if answer_tokens >= tokens_max else FinishReason.STOP


def _count(usage: Mapping[str, Any], key: str) -> int | None:
    """Return a count of tokens; None if the server reports none. JavaScript servers send whole floats."""
    value = usage.get(key)
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= COUNT_MAX else None


def _is_name(value: object) -> TypeGuard[str]:
    """Whether a name can be sent back, logged and shown: a lone surrogate would fail in each of them."""
    return isinstance(value, str) and 0 < len(value) <= MODEL_NAME_CHARS_MAX and value.isprintable()


def _context(entry: Mapping[str, Any]) -> int | None:
    for value in (vllm.context_tokens(entry), llama_cpp.context_tokens(entry)):
        if type(value) is int and 0 < value < 2**31:
            return value
    return None
