"""The seam between the node and whatever runs a language model.

Every engine, remote or embedded or scripted, is an `Engine`. What goes wrong at an engine is one exception type,
`EngineError`, because the node's reaction is the same in all cases: it does not answer, or abstains.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from node.errors import Exit, UserError
from node.inference.status import ServerStatus
from protocol.types import FinishReason, TaskType, TokenSource

BYTES_PER_TOKEN = 4
"""of texts whose tokens the engine does not tell: what models take for code and English."""


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of a text of so many bytes; at least one, for the end of a turn."""
    return text_bytes // BYTES_PER_TOKEN + 1


class EngineError(UserError):
    """The engine gave no usable reply. The message is one line that says what to look at.

    Causes: unreachable, refused key, unknown model, busy, deadline passed, reply too large or malformed, package or
    model file missing. Consequence: an answer is not given, a judgement becomes an abstention; nothing is retried here.
    """

    code = Exit.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw an answer. `seed` None leaves the choice to the engine."""

    temperature: float
    top_p: float
    seed: int | None
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, without reasoning and template debris. `text` is always encodable as UTF-8.

    Token counts are the engine's own, or estimates where `token_source` says so.
    """

    text: str
    finish: FinishReason
    prompt_tokens: int
    answer_tokens: int
    """Reasoning included, where the engine counts it."""
    token_source: TokenSource = TokenSource.ENGINE
    reasoned: bool = False
    """The server told reasoning apart from the text."""


class JudgingMethod(StrEnum):
    """How an engine is asked for a preference, the best way first: a probe takes the first that works.

    What cannot be read in that way is an abstention; no way is tried for another's failure.
    """

    RAW = "raw completion with logprobs"
    """The few-shot prompt as it is; the masses of the two letters as the next token."""
    CHAT = "chat with logprobs"
    """The same as a message: the template stands between the prompt and the letter."""
    CHOICE = "constrained choice"
    """A message, and the letter by force: a preference of 0 or 1."""
    TEXT = "letter in the text"
    """A message; a preference of 0 or 1 where the reply is the letter and nothing else."""
    NONE = "no way that works"
    """It answers, and abstains from every comparison: a node does not offer to judge with it."""
    SCRIPT = "by a script"
    """No model judges."""


class CacheReport(StrEnum):
    """Where an engine tells how much of its prompts was cached."""

    USAGE = "usage"
    """With each reply: of our own prompts."""
    METRICS = "metrics"
    """At /metrics: of everybody's."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """How far prompts were cached: of `tokens` tokens, `hits`."""

    tokens: int
    hits: int

    @property
    def hit_rate(self) -> float:
        """From 0 to 1."""
        return self.hits / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a probe found out."""

    kind: str
    model: str
    context_tokens: int
    """What one request may use, prompt and answer together."""
    tokens_per_second: float
    """Of one short generation, alone."""
    judging: JudgingMethod
    logprobs: int = 0
    """Alternatives of a token that it lists; 0: none."""
    constraint: str = ""
    """The field that constrains a text to a choice; empty: none does."""
    models: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    """Those of the models that are LoRA adapters of another."""
    cache_report: CacheReport = CacheReport.NONE
    refused: tuple[str, ...] = ()
    """Parameters of a request that it refuses and is asked without; `system`: the role."""
    skip: str = ""
    """The field that keeps the model from thinking; empty: none is needed, or none helps."""
    thinking_tokens: int = 0
    """Tokens that each of its texts is given on top for its thoughts; 0: it does not think, or is kept from it."""
    control_tokens: tuple[str, ...] = ()
    """Those that its tokenizer is known to read as tokens inside a text; empty where the server does not tell."""

    @property
    def judging_tokens(self) -> int:
        """Tokens that it may write for one letter, beside the letter."""
        return self.thinking_tokens if self.judging in (JudgingMethod.CHOICE, JudgingMethod.TEXT) else 0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a language model is asked to write about a pair before it chooses."""

    text: str
    """All that it sees; it ends where the reasoning belongs."""
    tokens_max: int
    choice: Callable[[str], str]
    """The text that asks for the letter after what was written, whatever that is; after nothing, JudgePrompt's own."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One question "A or B?". `text` is all that a language model sees; it ends where the letter belongs.

    `first` and `second` are the whole answers behind A and B, for engines that are no language models.
    """

    text: str
    first: str
    second: str
    reasoning: Reasoning | None = None
    """None: the letter is asked for at once."""


class Engine(Protocol):
    """A language model that answers queries and compares answers."""

    @property
    def concurrency(self) -> int:
        """Requests that are worth having in flight at once; more only wait in line."""
        ...

    @property
    def cache(self) -> CacheCounts | None:
        """How far prompts were cached since the start, as of the last reply or probe that told; None: none did."""
        ...

    @property
    def server(self) -> ServerStatus | None:
        """How the model server is, where it is ours to run; None: it is somebody else's, or there is none."""
        ...

    def doubt(self) -> None:
        """Take nothing for known any more: the next probe finds out anew what the engine can do."""
        ...

    async def probe(self) -> EngineInfo:
        """Ask the engine for its model and abilities and time a short generation; raises EngineError."""
        ...

    async def answer(self, query: str, task: TaskType, sampling: Sampling) -> Completion:
        """Answer `query`; raises EngineError."""
        ...

    async def preference(self, prompt: JudgePrompt) -> float | None:
        """Probability that A is the better answer, or None where the reply does not say; raises EngineError.

        Reasoning comes first where the prompt asks for it. A model that then writes nothing of use is asked for the
        letter as without; a server that fails at it is an EngineError, as it would be at the letter.
        """
        ...
