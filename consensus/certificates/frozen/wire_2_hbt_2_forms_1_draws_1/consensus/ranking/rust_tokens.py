"""Split Rust source into its tokens, without comments and layout.

This is the Rust part of the canonical form (R7, version "forms/1"). Every node must cut the same text in the same way
for years, so all character classes are written out here: nothing depends on the interpreter's Unicode tables.

It follows the Rust Reference (chapter "Tokens") and is more lenient than rustc where that makes no two programs equal:

- `<` and `>` are always tokens of their own, as rustc splits them too: `Vec<Vec<u8>>` equals `Vec<Vec<u8> >`. All other
  compound punctuation is taken whole (`a && b` is not `a & &b`).
- Every non-ASCII character that Rust does not call white space counts as a letter, and identifiers are compared as
  written, without NFC. So a zero-width or other invisible character outside a comment makes a different token.
- Documentation comments are comments. Literals are compared as written: `1_000` is not `1000`.
- A shebang is skipped, unless it opens an attribute (`#![`, white space allowed before the bracket, comments not).
"""

import re
from typing import Final

# Pattern_White_Space of UAX #31, which Unicode has promised never to change.
_WHITE: Final = "\t\n\x0b\x0c\r \x85\u200e\u200f\u2028\u2029"
_LETTER: Final = "A-Za-z_\x80-\x84\x86-\u200d\u2010-\u2027\u202a-\U0010ffff"
_IDENTIFIER: Final = f"[{_LETTER}][0-9{_LETTER}]*+"
_DIGITS: Final = "[0-9][0-9_]*+"

# rustc's own limit on the hashes of a raw string.
_RAW_HASHES_MAX: Final = 255

# Possessive quantifiers throughout: no alternative is retried at another length, so a token costs its own length. An
# opened literal that does not close ends the lexing, so no text is scanned to its end more often than a fixed number.
_TOKEN: Final = re.compile(
    rf"""
      (?P<skip> [{_WHITE}]++ | //[^\n]*+ )
    | (?P<block> /\* )
    | (?P<raw> [bc]?r\#*+" )
    | (?P<token>
        [bc]?"[^"\\]*+(?:\\.[^"\\]*+)*+"
      | b?'(?:\\.[^'\n]*+|[^\\'\n])'
      | '(?:r\#)?{_IDENTIFIER}(?!')
      | (?:r\#)?{_IDENTIFIER}
      | {_DIGITS}(?:\.{_DIGITS})?+[eE][+-]?+_*+{_DIGITS}(?:{_IDENTIFIER})?+
      | {_DIGITS}\.{_DIGITS}(?:{_IDENTIFIER})?+
      | {_DIGITS}\.(?![.{_LETTER}])
      | [0-9][0-9{_LETTER}]*+
      | \.\.[.=]?+ | :: | -> | => | == | != | && | \|\| | [-+*/%^&|]=
      | [-!\#$%&()*+,./:;<=>?@\[\]^{{|}}~]
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_SHEBANG: Final = re.compile(rf"#!(?![{_WHITE}]*+\[)[^\n]*+")


def rust_tokens(source: str) -> list[str] | None:
    """Return the tokens of `source` in order, or None if it does not lex.

    Never raises, and takes time linear in the length of `source`. No token contains NUL, so that NUL can separate them.
    """
    if "\0" in source:
        return None
    source = source.removeprefix("\ufeff").replace("\r\n", "\n")
    shebang = _SHEBANG.match(source)
    at = shebang.end() if shebang else 0
    tokens: list[str] = []
    while found := _TOKEN.match(source, at):
        start, at = found.span()
        match found.lastgroup:
            case "skip":
                continue
            case "block":
                end = _block_comment_end(source, at)
            case "raw":
                end = _raw_string_end(source, found.group(), at)
            case _:
                end = at
        if end is None:
            return None
        at = end
        if found.lastgroup != "block":
            tokens.append(source[start:at])
    return tokens if at == len(source) else None


def _block_comment_end(source: str, inside: int) -> int | None:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(source, inside):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return None


def _raw_string_end(source: str, opening: str, inside: int) -> int | None:
    hashes = "#" * opening.count("#")
    if len(hashes) > _RAW_HASHES_MAX:
        return None
    closing = source.find('"' + hashes, inside)
    return None if closing < 0 else closing + 1 + len(hashes)
