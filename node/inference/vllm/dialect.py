"""What only vLLM does on the wire: its constraint, its list of adapters, its metrics."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.inference.ports import CacheCounts

_COUNTER = re.compile(
    r"^vllm:(prefix_cache_(?:queries|hits))(?:_total)?(?:\{[^}\n]*\})? ([0-9.e+]{1,24})$", re.MULTILINE
)


def choice(texts: Sequence[str]) -> dict[str, Any]:
    """The fields that let a model write one of `texts` and nothing else; the older `guided_choice` does nothing."""
    return {"structured_outputs": {"choice": list(texts)}}


def context_tokens(entry: Mapping[str, Any]) -> object:
    """A listed model's context; adapters have none of their own."""
    return entry.get("max_model_len")


def parent(entry: Mapping[str, Any]) -> object:
    """The model to which a listed LoRA adapter belongs; None for a model."""
    return entry.get("parent")


def prefix_cache(metrics: str) -> CacheCounts | None:
    """Prompt tokens that were looked up in the prefix cache, and found there, since the server's start, by /metrics.

    None where it does not say, or says what cannot be.
    """
    sums = {"prefix_cache_queries": 0.0, "prefix_cache_hits": 0.0}
    found = set()
    for name, value in _COUNTER.findall(metrics):
        try:
            sums[name] += float(value)
        except ValueError:
            return None
        found.add(name)
    queries, hits = sums["prefix_cache_queries"], sums["prefix_cache_hits"]
    return CacheCounts(int(queries), int(hits)) if len(found) == 2 and 0 <= hits <= queries < 2**63 else None
