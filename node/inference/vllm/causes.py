"""Why a vLLM of ours did not start, from its output: wordings of vLLM 0.32 and the libraries below it."""

import re
from dataclasses import dataclass

from node.inference.supervision import WORDS_CHARS_MAX
from node.text import one_line


@dataclass(frozen=True, slots=True)
class Cause:
    """A failure that users meet: the pattern of its output, and the message; the pattern's groups fill the braces."""

    shows: re.Pattern[str]
    told: str


_CAUSES = tuple(
    Cause(re.compile(shows), told)
    for shows, told in (
        (
            r"No module named '?vllm",
            "vLLM is not installed in the environment of [vllm] python: install it there with `pip install vllm`",
        ),
        (
            r"LoRA rank (\d+) is greater than max_lora_rank",
            "the adapter's rank is {0}: set [vllm] adapter_rank_max = {0} or more",
        ),
        (
            r"No adapter found for|adapter_config\.json",
            "there is no adapter at [vllm] adapter: it names neither a folder with an adapter_config.json nor one that "
            "the hub gives to this machine",
        ),
        (
            r"[Aa]ddress already in use",
            "another program has its port: choose another by [vllm] port, or start again where that is 0",
        ),
        (
            r"No CUDA GPUs are available|Found no NVIDIA driver|Failed to infer device type|libcuda\.so",
            "vLLM finds no GPU (look at nvidia-smi); without one use the embedded engine, llama.cpp or Ollama",
        ),
        (
            r"Free memory on device \S* ?\(([\d.]+)/([\d.]+) GiB\) on startup is less",
            "only {0} of the GPU's {1} GiB are free: end what else uses it, or lower [vllm] gpu_memory_share",
        ),
        (
            r"max seq len \((\d+)\), \(([\d.]+) GiB KV cache is needed",
            "a context of {0} tokens needs {1} GiB of cache, more than there is: lower [engine] context_tokens or "
            "raise [vllm] gpu_memory_share",
        ),
        (
            r"No available memory for the cache blocks",
            "the weights leave no memory for the cache: raise [vllm] gpu_memory_share, or serve a smaller or quantised "
            "model",
        ),
        (
            r"out of memory|OutOfMemoryError|MemoryError",
            "out of memory: lower [vllm] gpu_memory_share, [vllm] sequences_max or [engine] context_tokens, or serve a "
            "smaller or quantised model",
        ),
        (
            r"greater than the derived max_model_len \(\w+=(\d+)",
            "the model's own context is {0} tokens: lower [engine] context_tokens",
        ),
        (
            r"GatedRepoError|401 Client Error",
            "the hub gives [vllm] model only to those who have accepted its terms: set HF_TOKEN",
        ),
        (
            r"HFValidationError|LocalEntryNotFoundError|RepositoryNotFoundError|is not a local folder"
            r"|Invalid repository ID|does not appear to have a file named|OfflineModeIsEnabled",
            "there is no such model: [vllm] model names neither a folder with a checkpoint nor a model that the hub "
            "gives to this machine",
        ),
    )
)
"""Known causes, the most specific first."""

_COMPLAINT = re.compile(r"Error\b|\bERROR\b|Exception\b|Value error|No module named|cannot start ")
"""Marks of failures in a server's output; warnings and settings hold the same words as failures do."""

_ERROR = re.compile(r"(?:^|\] |\s)((?:\w+\.)*\w*(?:Error|Exception): .+)$", re.MULTILINE)
_CONSEQUENCE = re.compile(r"Engine core initialization failed|Engine process failed|EngineDeadError|Worker failed")
"""Messages of processes above the one that failed."""


def known_cause(output: str) -> str:
    """Return one line for a known failure: the cause and the remedy; else empty."""
    complaints = "\n".join(line for line in output.splitlines() if _COMPLAINT.search(line))
    for cause in _CAUSES:
        if found := cause.shows.search(complaints):
            return cause.told.format(*found.groups())
    return ""


def last_error(output: str) -> str:
    """Return the last error that is no consequence of another, in the server's words; empty if there is none."""
    errors = [error for error in _ERROR.findall(output) if not _CONSEQUENCE.search(error)]
    return one_line(errors[-1], WORDS_CHARS_MAX) if errors else ""
