"""Features of vLLM's HTTP interface only: its constraint, its list of adapters, its metrics."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.inference.ports import CacheCounts

_COUNTER = re.compile(
    r"^vllm:(prefix_cache_(?:queries|hits))(?:_total)?(?:\{[^}\n]*\})? ([0-9.e+]{1,24})$", re.MULTILINE
)


def choice(texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields that restrict the output to one of `texts`; the older `guided_choice` has no effect."""
    return {"structured_outputs": {"choice": list(texts)}}


def context_tokens(entry: Mapping[str, Any]) -> object:
    """Return a listed model's context; adapters have none of their own."""
    return entry.get("max_model_len")


def parent(entry: Mapping[str, Any]) -> object:
    """Return the model to which a listed LoRA adapter belongs; None for a model."""
    return entry.get("parent")


def prefix_cache(metrics: str) -> CacheCounts | None:
    """Return the prefix cache counts since the server's start, from /metrics.

    None if they are missing or impossible.
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
