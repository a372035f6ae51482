"""What only llama.cpp's server does: its constraint, and where it tells its context."""

from collections.abc import Mapping, Sequence
from typing import Any


def choice(texts: Sequence[str]) -> dict[str, Any]:
    """The fields that let a model write one of `texts` (letters only) and nothing else."""
    return {"grammar": "root ::= " + " | ".join(f'"{text}"' for text in texts)}


def context_tokens(entry: Mapping[str, Any]) -> object:
    """What one slot may use of a listed model's context."""
    meta = entry.get("meta")
    return meta.get("n_ctx") if isinstance(meta, dict) else None
