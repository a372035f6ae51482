"""The node's engine: what it can do, how it does, and what went wrong."""

import msgspec

from node.api.common import Count


class ServerReport(msgspec.Struct, frozen=True):
    """A model server that the node runs itself."""

    name: str
    """What it is called in texts."""
    stage: str
    """How far it is: `starting`, `loading weights`, `compiling`, `ready`, `ended, to be started again`, `down`."""
    progress: str | None
    """How far it is within the stage, in its own words."""
    seconds: float
    """Time in the present stage, s."""
    restarts: Count
    """How often it was started again."""
    pid: int | None
    """Process id of the node's child, while it runs."""
    trouble: str | None
    """Why it last ended."""


class Probe(msgspec.Struct, frozen=True):
    """What the last probe of the engine found out."""

    kind: str
    """Kind of engine, as in the configuration."""
    model: str
    """The model's name, as the engine tells it."""
    context_tokens: int
    """Tokens of one request, prompt and answer together."""
    tokens_per_second: float
    """Speed of one short generation, alone."""
    judging: str
    """How it is asked for a preference."""
    logprobs: int
    """Alternatives of a token that it lists; 0: none."""
    constraint: str
    """Field of a request that constrains a text to a choice; empty: none."""
    models: tuple[str, ...]
    """All models that it lists."""
    adapters: tuple[str, ...]
    """Those of them that are LoRA adapters of another."""
    cache_report: str
    """Where it tells how much of its prompts was cached: `usage`, `metrics` or `none`."""
    refused: tuple[str, ...]
    """Parameters of a request that it refuses, and is asked without."""
    skip: str
    """Field of a request that keeps the model from thinking; empty: none is needed, or none helps."""
    thinking_tokens: int
    """Tokens that each text is given on top for thoughts."""
    control_tokens: tuple[str, ...]
    """Texts that its tokenizer reads as control tokens."""


class RequestCounts(msgspec.Struct, frozen=True):
    """Requests to the engine since the node's start."""

    answers: Count
    """Answers asked for."""
    judgements: Count
    """Preferences asked for."""


class RoleReport(msgspec.Struct, frozen=True):
    """How the engine does in one role."""

    offered: bool
    """Whether the node offers the role, while it works for others."""
    rounds_failed: Count
    """Rounds without a result of it, though there was time."""
    in_a_row: Count
    """Of these, the last ones without a success between them."""
    reason: str | None
    """Why the last one failed."""


class CacheReport(msgspec.Struct, frozen=True):
    """How far prompts were cached."""

    tokens: Count
    """Tokens of prompts for which the server told it."""
    hits: Count
    """Of these, tokens that were cached."""
    hit_rate: float
    """Their share, from 0 to 1."""


class EngineReport(msgspec.Struct, frozen=True):
    """The engine in words and figures."""

    answers: bool
    """Whether it answered its last probe."""
    server: ServerReport | None
    """The server, where the node runs it."""
    trouble: str | None
    """Why it does not answer."""
    kind: str
    """Kind of engine, as in the configuration."""
    probe: Probe | None
    """What the last probe found; null where it failed."""
    tokens_per_second: float
    """The best speed of writing seen lately; 0 before any was."""
    concurrency: Count
    """Requests worth having in flight at once."""
    in_flight: Count
    """Requests that it has not answered yet."""
    working_on: Count
    """Answers and ballots in hand."""
    asked: RequestCounts
    """Requests since the node's start."""
    abstentions: Count
    """Preferences in whose reply there was none."""
    failures: Count
    """Requests that failed, probes too."""
    last_failure: str | None
    """Why the last of them failed."""
    roles: dict[str, RoleReport]
    """By role: `answer`, `judge`."""
    judgement_ms: float | None
    """One preference, its wait in line included, ms: a moving average; null before any."""
    cache: CacheReport | None
    """The prefix cache; null where the server does not tell."""
