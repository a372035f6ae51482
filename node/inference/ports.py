"""The interface between the node and any program that runs a language model.

Every engine, remote, embedded or scripted, is an `Engine`. All faults of an engine are one exception type,
`EngineError`, because the node's reaction is the same in all cases: it does not answer, or abstains.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from node.errors import Exit, UserError
from node.inference.status import ServerStatus
from protocol.messages import Turn
from protocol.types import FinishReason, TaskType, TokenSource

BYTES_PER_TOKEN = 4
"""Bytes per token if the engine does not report tokens: typical of models for code and English."""


def estimate_tokens(text_bytes: int) -> int:
    """Estimate the tokens of a text of this size; at least one, for the end of a turn."""
    return text_bytes // BYTES_PER_TOKEN + 1


class EngineError(UserError):
    """The engine gave no usable reply. The message is one line that says what to look at.

    Causes: unreachable, refused key, unknown model, busy, deadline passed, reply too large or malformed, package or
    model file missing. Consequence: an answer is not given, a judgement becomes an abstention; nothing is retried here.
    """

    code = Exit.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of an answer. `seed` None leaves the choice to the engine."""

    temperature: float
    top_p: float
    seed: int | None
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, without reasoning and template debris. `text` is always encodable as UTF-8.

    Token counts are the engine's own, or estimates if `token_source` says so.
    """

    text: str
    finish: FinishReason
    prompt_tokens: int
    answer_tokens: int
    """Tokens of the answer, including reasoning if the engine counts it."""
    token_source: TokenSource = TokenSource.ENGINE
    reasoned: bool = False
    """Whether the server separated reasoning from the text."""


class JudgingMethod(StrEnum):
    """How an engine is asked for a preference, the best way first: a probe takes the first that works.

    A reply that cannot be read in that way is an abstention; no other way is tried after a failure.
    """

    RAW = "raw completion with logprobs"
    """The few-shot prompt unchanged; the masses of the two letters as the next token."""
    CHAT = "chat with logprobs"
    """The prompt as a message: the template stands between the prompt and the letter."""
    CHOICE = "constrained choice"
    """A message, and the letter enforced: a preference of 0 or 1."""
    TEXT = "letter in the text"
    """A message; a preference of 0 or 1 if the reply is the letter and nothing else."""
    NONE = "no way that works"
    """It answers, and abstains from every comparison: a node does not offer to judge with it."""
    SCRIPT = "by a script"
    """No model judges."""


class CacheReport(StrEnum):
    """Where an engine reports how much of its prompts was cached."""

    USAGE = "usage"
    """In each reply, for our own prompts."""
    METRICS = "metrics"
    """At /metrics, for all users' prompts."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """Prompt cache counts: of `tokens` tokens, `hits` were cached."""

    tokens: int
    hits: int

    @property
    def hit_rate(self) -> float:
        """Share of cached tokens, 0 to 1."""
        return self.hits / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The result of a probe."""

    kind: str
    model: str
    context_tokens: int
    """Tokens that one request may use, prompt and answer together."""
    tokens_per_second: float
    """Speed of one short generation without concurrent requests."""
    judging: JudgingMethod
    logprobs: int = 0
    """Alternatives of a token that it lists; 0: none."""
    constraint: str = ""
    """The field that constrains a text to a choice; empty: none does."""
    models: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    """Listed models that are LoRA adapters of another."""
    cache_report: CacheReport = CacheReport.NONE
    refused: tuple[str, ...] = ()
    """Parameters that it refuses and that requests omit; `system`: the role."""
    skip: str = ""
    """The field that keeps the model from thinking; empty: none is needed, or none helps."""
    thinking_tokens: int = 0
    """Extra tokens for the thoughts before each of its texts; 0: it does not think, or is kept from it."""
    control_tokens: tuple[str, ...] = ()
    """Texts that its tokenizer is known to read as control tokens; empty if the server does not report them."""

    @property
    def judging_tokens(self) -> int:
        """Tokens that it may write for one letter, beside the letter."""
        return self.thinking_tokens if self.judging in (JudgingMethod.CHOICE, JudgingMethod.TEXT) else 0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The request for reasoning about a pair before the choice."""

    text: str
    """The whole prompt; it ends where the reasoning belongs."""
    tokens_max: int
    choice: Callable[[str], str]
    """Returns the prompt for the letter after the written reasoning; after empty reasoning, JudgePrompt's own."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One question "A or B?". `text` is the whole prompt of a language model; it ends where the letter belongs.

    `first` and `second` are the complete answers A and B, for engines that are no language models.
    """

    text: str
    first: str
    second: str
    reasoning: Reasoning | None = None
    """None: the letter is requested at once."""


class Engine(Protocol):
    """A language model that answers queries and compares answers."""

    @property
    def concurrency(self) -> int:
        """Number of concurrent requests that is worthwhile; more only wait in a queue."""
        ...

    @property
    def cache(self) -> CacheCounts | None:
        """Prompt cache counts since the start, as of the last reply or probe that reported them; None: none did."""
        ...

    @property
    def server(self) -> ServerStatus | None:
        """State of the model server if it is ours to run; None: it is a foreign one, or there is none."""
        ...

    def doubt(self) -> None:
        """Forget known abilities: the next probe discovers them anew."""
        ...

    async def probe(self) -> EngineInfo:
        """Ask the engine for its model and abilities and time a short generation; raises EngineError."""
        ...

    async def answer(self, turns: tuple[Turn, ...], task: TaskType, sampling: Sampling) -> Completion:
        """Answer the last turn of a conversation, which is never empty; raises EngineError."""
        ...

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Return the probability that A is the better answer, or None if the reply lacks it; raises EngineError.

        Reasoning comes first if the prompt requests it. If the model then writes nothing useful, the letter is
        requested without it. A failure of the server during reasoning is an EngineError, as at the letter.
        """
        ...
