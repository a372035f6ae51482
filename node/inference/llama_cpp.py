"""What only llama.cpp's server does: its constraint, and where it tells its context."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TEMPLATE_CHARS_MAX = 64 * 1024
"""What is read of a chat template, in characters; the longest that is known has 20,000."""

_QUOTED_TOKEN = re.compile(r"<[^\s<>'\"{}]{1,62}>|\[/?[A-Z_]{2,60}\]")


def choice(texts: Sequence[str]) -> dict[str, Any]:
    """The fields that let a model write one of `texts` (letters only) and nothing else."""
    return {"grammar": "root ::= " + " | ".join(f'"{text}"' for text in texts)}


def context_tokens(entry: Mapping[str, Any]) -> object:
    """What one slot may use of a listed model's context."""
    meta = entry.get("meta")
    return meta.get("n_ctx") if isinstance(meta, dict) else None


def token_words(props: Mapping[str, Any]) -> Iterator[object]:
    """What may be a control token in a reply of /props: the tokens that it names, and those of its chat template."""
    yield from (props.get("bos_token"), props.get("eos_token"))
    template = props.get("chat_template")
    if isinstance(template, str):
        yield from _QUOTED_TOKEN.findall(template[:TEMPLATE_CHARS_MAX])
