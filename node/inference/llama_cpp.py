"""Features of llama.cpp's server only: its constraint, and the places of its context size and control tokens."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TEMPLATE_CHARS_MAX = 64 * 1024
"""Characters of a chat template that are read; the longest known one has 20,000."""

_QUOTED_TOKEN = re.compile(r"<[^\s<>'\"{}]{1,62}>|\[/?[A-Z_]{2,60}\]")


def choice(texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields that restrict the output to one of `texts` (letters only)."""
    return {"grammar": "root ::= " + " | ".join(f'"{text}"' for text in texts)}


def context_tokens(entry: Mapping[str, Any]) -> object:
    """Return the part of a listed model's context that one slot may use."""
    meta = entry.get("meta")
    return meta.get("n_ctx") if isinstance(meta, dict) else None


def token_words(props: Mapping[str, Any]) -> Iterator[object]:
    """Yield possible control tokens in a reply of /props: the tokens that it names, and those of its chat template."""
    yield from (props.get("bos_token"), props.get("eos_token"))
    template = props.get("chat_template")
    if isinstance(template, str):
        yield from _QUOTED_TOKEN.findall(template[:TEMPLATE_CHARS_MAX])
