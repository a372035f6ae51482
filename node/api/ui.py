"""The page for people: links that open it in a browser."""

from typing import Annotated, Final

import msgspec

CODE_CHARS_MAX: Final = 64
"""Longest code of a link in characters: 32 random bytes in base64 take 43."""


class UiLink(msgspec.Struct, frozen=True):
    """A link that opens the node's page in a browser."""

    url: str
    """The page's address; on a node with API keys it holds a code that lets one browser in."""
    valid_s: Annotated[int, msgspec.Meta(ge=1)] | None
    """Seconds for which the code is valid, once; null on a node without keys, whose page needs none."""
