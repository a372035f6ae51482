"""A deterministic engine without a model, for simulations, tests and benchmarks.

Answers carry a hidden quality, either from a script or in a comment (`// quality 0.73`). A preference follows from the
qualities of the two texts alone, so that a scripted judge agrees with itself, and judges of one script with each other.
"""

import hashlib
import json
import math
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import trio

from node.files import FileError, read_text
from node.inference.config import EngineConfig
from node.inference.conversation import BETWEEN
from node.inference.ports import Completion, EngineError, EngineInfo, JudgePrompt, JudgingMethod, Sampling
from protocol.messages import Turn
from protocol.types import FinishReason, TaskType

SLOPE = 10.0
"""Log-odds per unit of quality: the better of two answers 0.1 apart is preferred with probability 0.73."""

CHARS_PER_TOKEN = 4
"""Characters per token for an engine that has no tokenizer."""

SCRIPT_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of a script: a thousand long answers; more is another file by mistake."""

TOKENS_PER_SECOND = 1000.0
"""Speed in the offer of a scripted engine, which takes no time of its own."""

_MARK = re.compile(r"// quality ([01]\.[0-9]{1,6})(?![0-9])")

_TEMPLATE = """\
```rust
// quality {quality:.4f}
pub fn {name}(values: &[i64]) -> i64 {{
    values.iter().map(|value| value {operator} {constant}).{reduction}
}}
```
"""
_NAMES = ("solve", "answer", "compute", "evaluate")
_OPERATORS = ("+", "-", "*", "^")
_REDUCTIONS = ("sum()", "product()", "fold(0, i64::max)", "fold(0, |total, value| total ^ value)")


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """One answer of a script, with its quality from 0 to 1."""

    text: str
    quality: float
    query: str | None = None
    """The query to which the engine gives this answer; None: any query that no answer of the script names."""


class ScriptedEngine:
    """Gives the answer that names the query, else one that names none, else one made up from the seed."""

    concurrency = 1
    cache = None
    server = None

    def __init__(self, seed: int, answers: Sequence[ScriptedAnswer], latency_ms: int, context_tokens: int) -> None:
        self._seed = seed
        self._given = {answer.query: answer.text for answer in answers if answer.query is not None}
        self._answers = [answer.text for answer in answers if answer.query is None]
        self._qualities = {answer.text: answer.quality for answer in answers}
        self._latency_ms = latency_ms
        self._context_tokens = context_tokens

    def doubt(self) -> None:
        """Do nothing: there is nothing to discover."""

    async def probe(self) -> EngineInfo:
        """Return fixed abilities."""
        return EngineInfo("scripted", "scripted", self._context_tokens, TOKENS_PER_SECOND, JudgingMethod.SCRIPT)

    async def answer(self, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> Completion:
        """Return the answer of this seed and conversation, which is always the same."""
        query = as_text(turns)
        await trio.sleep(self._latency_ms / 1000)
        digest = hashlib.blake2b(f"{self._seed}/{query}".encode("utf-8", "replace"), digest_size=8).digest()
        random = Random(int.from_bytes(digest, "big"))
        if query in self._given:
            text = self._given[query]
        else:
            text = random.choice(self._answers) if self._answers else _invent(random, task)
        tokens = math.ceil(len(text) / CHARS_PER_TOKEN)
        finish = FinishReason.STOP
        if tokens > sampling.max_tokens:
            text, tokens, finish = (
                text[: sampling.max_tokens * CHARS_PER_TOKEN],
                sampling.max_tokens,
                FinishReason.LENGTH,
            )
        return Completion(text, finish, math.ceil(len(query) / CHARS_PER_TOKEN), tokens)

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Prefer by the qualities of the two answers. An answer of unknown quality is not judged."""
        await trio.sleep(self._latency_ms / 1000)
        first, second = self._quality(prompt.first), self._quality(prompt.second)
        if first is None or second is None:
            return None
        return 1.0 / (1.0 + math.exp(SLOPE * (second - first)))

    def _quality(self, text: str) -> float | None:
        if text in self._qualities:
            return self._qualities[text]
        mark = _MARK.search(text)
        return float(mark[1]) if mark else None


async def open_scripted(config: EngineConfig) -> ScriptedEngine:
    """Open the engine of `config.script` and `config.seed` (unset: drawn); raises EngineError for a bad script."""
    answers = await trio.to_thread.run_sync(read_script, config.script) if config.script else ()
    # Nodes without a configured seed must not all answer alike.
    seed = secrets.randbits(32) if config.seed is None else config.seed
    return ScriptedEngine(seed, answers, config.latency_ms, config.context_tokens)


def read_script(path: str) -> tuple[ScriptedAnswer, ...]:
    """Read the `answers` of a TOML file, or of a JSON file by its name: tables of `text`, `quality`, `query`.

    `query` is optional; two answers to one query are refused. Raises EngineError.
    """
    try:
        text = read_text(Path(path).expanduser(), SCRIPT_BYTES_MAX)
        script = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except FileError as error:
        raise EngineError(f"script: {error}") from None
    except (ValueError, RecursionError) as error:
        raise EngineError(f"the script {path} cannot be read: {error}") from None
    entries = script.get("answers") if isinstance(script, dict) else None
    if not isinstance(entries, list) or not entries:
        raise EngineError(f"the script {path} has no list named answers")
    answers = tuple(_scripted(path, number, entry) for number, entry in enumerate(entries, 1))
    queries = [answer.query for answer in answers if answer.query is not None]
    if len(set(queries)) < len(queries):
        raise EngineError(f"the script {path} has two answers to one query")
    return answers


def _scripted(path: str, number: int, entry: object) -> ScriptedAnswer:
    match entry:
        case Mapping() as table if {"text", "quality"} <= set(table) <= {"text", "quality", "query"}:
            text, quality, query = table["text"], table["quality"], table.get("query")
            typed = isinstance(text, str) and isinstance(quality, int | float) and isinstance(query, str | None)
            if typed and 0 <= quality <= 1:
                return ScriptedAnswer(text, float(quality), query)
    raise EngineError(
        f"answer {number} of the script {path} must have a text and a quality from 0 to 1, "
        "may have a query, and no more"
    )


def _invent(random: Random, task: TaskType) -> str:
    quality = random.random()
    text = _TEMPLATE.format(
        quality=quality,
        name=random.choice(_NAMES),
        operator=random.choice(_OPERATORS),
        constant=random.randrange(1, 100),
        reduction=random.choice(_REDUCTIONS),
    )
    # Few different values, so that some final answers agree; better ones agree more often.
    return f"{text}\nAnswer: {42 if quality > 0.5 else random.randrange(5)}\n" if task is TaskType.FINAL else text


def as_text(turns: Sequence[Turn]) -> str:
    """Return a conversation as one text: a single question as it is, else each turn after the name of its role."""
    if len(turns) == 1:
        return turns[0].text
    return BETWEEN.join(f"{turn.role}: {turn.text}" for turn in turns)
