"""Canonical forms of answers, and the clusters of answers whose forms are equal (R7).

Every member recomputes the forms from the texts, so they are a pure function of the bytes, pinned as version "forms/1".
Only ASCII is folded: `bytes.lower`, `bytes.split` and `bytes.strip` treat no other letters or blanks. Everything else,
also characters that are invisible or have no width, stays and makes answers differ.
"""

import re
from collections.abc import Sequence
from typing import Final, assert_never

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.consensus.ranking.rust_tokens import rust_tokens
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import TaskType

_RUST_LABELS: Final = frozenset({b"", b"rs", b"rust"})
# As in CommonMark, but with any indentation: models put fences into nested lists.
_FENCE: Final = re.compile(rb"[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([^ \t,{`]*+)([^\n]*+)")

_ANSWER: Final = re.compile(rb"(?<![a-z0-9])answer[ \t*_`]*+:")
_BOXED: Final = b"\\boxed{"
_BRACE: Final = re.compile(rb"\\.|[{}]", re.DOTALL)
_MATH_DELIMITER: Final = re.compile(rb"\\[()\[\]]")
_CHOICE: Final = re.compile(rb"\(?([a-z])\)?")
_THOUSANDS: Final = re.compile(rb"[+-]?[0-9]{1,3}(?:,[0-9]{3})++(?:\.[0-9]++)?")
_WHOLE: Final = re.compile(rb"([+-]?[0-9]++)\.0++")


def canonical_form(task: TaskType, text: str) -> bytes:
    """Return bytes that are equal for answers with the same content; `b""` if `text` holds no answer.

    Never raises on any text; time and size are linear in its length.
    """
    # A lone surrogate cannot come off the wire, but a form for it is cheaper than an exception to handle.
    raw = text.encode("utf-8", "surrogatepass")
    match task:
        case TaskType.CODE:
            return _code_form(raw)
        case TaskType.FINAL:
            return _final_form(raw)
        case TaskType.OPEN:
            return _folded(raw)
        case _:
            assert_never(task)


def cluster(forms: Sequence[bytes]) -> tuple[int, ...]:
    """Return each answer's cluster, shape (answers,): equal forms share a number, numbered by first appearance.

    `b""` is no answer; the caller omits such answers.
    """
    numbers: dict[bytes, int] = {}
    return tuple(numbers.setdefault(form, len(numbers)) for form in forms)


def _folded(raw: bytes) -> bytes:
    return b" ".join(raw.lower().split())


def _code_form(raw: bytes) -> bytes:
    """Return the tokens joined by NUL; for text that does not lex, the text itself under another tag."""
    fences = _rust_fences(raw)
    source = b"\n".join(fences) if fences else raw
    tokens = rust_tokens(source.decode("utf-8", "surrogatepass"))
    if tokens is None:
        return b"text\0" + source.strip()
    return b"\0".join([b"rust", *(token.encode("utf-8", "surrogatepass") for token in tokens)]) if tokens else b""


def _rust_fences(raw: bytes) -> list[bytes]:
    """Return the bodies of the fenced blocks labelled rust, rs or nothing; an unclosed block ends with the text."""
    bodies: list[bytes] = []
    lines: list[bytes] = []
    mark = b""
    wanted = False
    for line in raw.replace(b"\r\n", b"\n").split(b"\n"):
        fence = _FENCE.fullmatch(line)
        if mark:
            if fence and fence[1].startswith(mark) and not (fence[2] + fence[3]).strip():
                if wanted:
                    bodies.append(b"\n".join(lines))
                mark, lines = b"", []
            else:
                lines.append(line)
        elif fence and not (fence[1].startswith(b"`") and b"`" in fence[3]):
            mark, wanted = fence[1], fence[2].lower() in _RUST_LABELS
    if mark and wanted:
        bodies.append(b"\n".join(lines))
    return bodies


def _final_form(raw: bytes) -> bytes:
    """Return the value after the last mark in the text, `Answer:` or `boxed{`; without a mark, of the last line."""
    text = raw.lower()
    answer = max((found.end() for found in _ANSWER.finditer(text)), default=-1)
    boxed = text.rfind(_BOXED)
    if boxed > answer:
        return _value(_boxed_content(text, boxed + len(_BOXED)))
    lines = text[answer:].split(b"\n") if answer >= 0 else reversed(text.split(b"\n"))
    return next((value for line in lines if (value := _value(line))), b"")


def _boxed_content(text: bytes, start: int) -> bytes:
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += {b"{": 1, b"}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start : brace.start()]
    return text[start:]


def _value(text: bytes) -> bytes:
    r"""Normalise lower-cased `text`.

    - `\(`, `\)`, `\[` and `\]` are removed; so are `*`, backticks and `$` at both ends and full stops at the end;
      blanks fold.
    - A single letter is that letter, in parentheses or not.
    - A decimal number loses its separators when every group after the first has three digits, and a fraction of zeros.
      Other fractions stay: 1.70 is not 1.7 where versions are meant.
    """
    value = b" ".join(_MATH_DELIMITER.sub(b"", text).split())
    value = value.lstrip(b" *`$").rstrip(b" *`$.")
    if choice := _CHOICE.fullmatch(value):
        return choice[1]
    if _THOUSANDS.fullmatch(value):
        value = value.replace(b",", b"")
    if whole := _WHOLE.fullmatch(value):
        value = whole[1]
    return value
