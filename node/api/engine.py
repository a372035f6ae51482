"""The node's engine: abilities, load and failures."""

import msgspec

from node.api.common import Count


class ServerReport(msgspec.Struct, frozen=True):
    """A model server that the node runs itself."""

    name: str
    """Name of the server in texts."""
    stage: str
    """Stage: `starting`, `loading weights`, `compiling`, `ready`, `ended, to be started again`, `down`."""
    progress: str | None
    """Progress within the stage, in the server's own words."""
    seconds: float
    """Time in the present stage, s."""
    restarts: Count
    """Number of restarts."""
    pid: int | None
    """Process id of the node's child, while it runs."""
    trouble: str | None
    """Reason of its last end."""


class Probe(msgspec.Struct, frozen=True):
    """Findings of the last probe of the engine."""

    kind: str
    """Kind of engine, as in the configuration."""
    model: str
    """The model's name, as the engine reports it."""
    context_tokens: int
    """Tokens of one request, prompt and answer together."""
    tokens_per_second: float
    """Tokens per second of one short generation without other load."""
    judging: str
    """Method by which the engine states a preference."""
    logprobs: int
    """Number of alternatives that it lists per token; 0: none."""
    constraint: str
    """Field of a request that constrains a text to a choice; empty: none."""
    models: tuple[str, ...]
    """All models that the engine lists."""
    adapters: tuple[str, ...]
    """Models of that list that are LoRA adapters of another one."""
    cache_report: str
    """Source of the share of cached prompt tokens: `usage`, `metrics` or `none`."""
    refused: tuple[str, ...]
    """Parameters that the engine refuses, so that requests omit them."""
    skip: str
    """Field of a request that disables thinking; empty: not needed, or without effect."""
    thinking_tokens: int
    """Tokens added to each text's budget for thoughts."""
    control_tokens: tuple[str, ...]
    """Texts that its tokenizer reads as control tokens."""


class RequestCounts(msgspec.Struct, frozen=True):
    """Requests to the engine since the node's start."""

    answers: Count
    """Requests for answers."""
    judgements: Count
    """Requests for preferences."""


class RoleReport(msgspec.Struct, frozen=True):
    """The engine's record in one role."""

    offered: bool
    """Whether the node offers the role, while it works for others."""
    rounds_failed: Count
    """Rounds that it left without a result although there was time."""
    in_a_row: Count
    """Failed rounds since the last success."""
    reason: str | None
    """Reason of the last failure."""


class CacheReport(msgspec.Struct, frozen=True):
    """Share of prompts that the server found in its cache."""

    tokens: Count
    """Tokens of prompts for which the server reported the cached part."""
    hits: Count
    """Tokens of these that were cached."""
    hit_rate: float
    """Share of cached tokens, from 0 to 1."""


class EngineReport(msgspec.Struct, frozen=True):
    """Abilities, load and failures of the engine."""

    answers: bool
    """Whether it replied to its last probe."""
    server: ServerReport | None
    """The server, if the node runs it."""
    trouble: str | None
    """Reason why the engine does not reply."""
    kind: str
    """Kind of engine, as in the configuration."""
    probe: Probe | None
    """Findings of the last probe; null if it failed."""
    tokens_per_second: float
    """Best recent speed of generation, tokens per second; 0 before any was measured."""
    concurrency: Count
    """Number of concurrent requests that keeps the engine busy."""
    in_flight: Count
    """Requests without a reply yet."""
    working_on: Count
    """Answers and ballots in progress."""
    asked: RequestCounts
    """Requests since the node's start."""
    abstentions: Count
    """Requests for a preference whose reply held none."""
    failures: Count
    """Failed requests, probes included."""
    last_failure: str | None
    """Reason of the last failure."""
    roles: dict[str, RoleReport]
    """By role: `answer`, `judge`."""
    judgement_ms: float | None
    """Time of one preference, waiting included, ms: a moving average; null before any."""
    cache: CacheReport | None
    """The prefix cache; null if the server does not report it."""


class AttemptReport(msgspec.Struct, frozen=True):
    """One part of an engine's trial: how long it took, and what it gave or why it failed."""

    ms: Count
    """Its duration, ms."""
    text: str
    """What came of it: the model's name, the answer, or the preference in words; empty if it failed."""
    error: str
    """Reason why nothing did, in one line; empty if it worked."""


class TrialReport(msgspec.Struct, frozen=True):
    """A real answer and a real judgement by the running engine. A part that needs one that failed is null."""

    works: bool
    """Whether the engine can both answer and judge."""
    error: str
    """Reason why it cannot, in one line; empty if it can."""
    probe: AttemptReport
    """Looking at what the engine can do."""
    answer: AttemptReport | None
    """Answering a short question."""
    judgement: AttemptReport | None
    """Comparing that answer with its first half."""
