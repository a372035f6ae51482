r"""Preparation of strangers' texts for a language model: without control tokens and without invisible characters.

A server reads `<|im_start|>` or `<s>` inside a text as the token, so that a query or an answer could end its own turn
and speak as the system. Only the prompt is changed, never a stored, signed or hashed text. The changes are visible and
small: a space after the first character of a token (`< s>`, which means the same to Rust as `<s>`) or of a heading that
names a role (`# ## Assistant:`), and Rust's own escape for an invisible character (`\u{200b}`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache

TOLD_TOKENS_MAX = 256
"""Control tokens that a server may report; the largest vocabularies mark hundreds, most of them `<|reserved...|>`."""

TOLD_TOKEN_CHARS_MAX = 64
"""Characters of a control token; the longest known one has 33."""

# ChatML, Llama 2 to 4, Gemma, Phi, DeepSeek, Mistral, Command-R, harmony, GLM, EXAONE, Seed, StarCoder, T5, SmolLM2.
_ANGLE_WORDS = (
    "s|S_END|unk|pad|bos|eos|eot|sop|eop|eoh|eoa|eom|mask|cls|sep|pad|image|audio|video|think|thinking|thought|"
    "reasoning|tools|filename|reponame"
)
_SQUARE_WORDS = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|MODEL_SETTINGS|IMG|"
    "IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|PREFIX|MIDDLE|SUFFIX|BOS|EOS|EOT|CLS|SEP|PAD|MASK|UNK|gMASK|sMASK"
)
_KNOWN = (
    # Nearly all of today's: <|im_start|>, <｜User｜>, <|START_OF_TURN_TOKEN|>, and Gemma's <turn|>.
    r"<\|",
    r"<[A-Za-z_]{1,32}\|>",
    rf"</?(?:{_ANGLE_WORDS})>",
    # <start_of_turn>, <fim_prefix>, <repo_name>, <extra_id_0>; no type of Rust is written so.
    r"</?[a-z0-9]{1,24}(?:_[a-z0-9]{1,24}){1,6}>",
    r"<[A-Z]{1,16}_TOKEN>",
    r"<__[A-Za-z0-9_]{1,64}__>",
    r"<(?:unused\d{1,4}|SPECIAL_\d{1,4}|0x[0-9A-F]{2}|seed:[a-z_]{1,32})>",
    r"<</?SYS>>",
    rf"\[/?(?:{_SQUARE_WORDS})\]",
    r"\[\|\w{1,32}\|\]",
    r"\]~!?b[\]\[]",
    r"\[e~\[",
    # Headings of roles at a line's start, as Alpaca's template has them.
    r"(?<![^\n])#{1,4} ?(?i:system|user|human|assistant|bot|instruction|input|response)s?:",
)

# One character each, so that positions in the folded text are positions in the text.
_ALIKE: dict[str, str] = {
    "<": "\uff1c\u2039\u2329\u3008\u27e8\u276e\u2770\u02c2\u1438\ufe64\u227a",
    ">": "\uff1e\u203a\u232a\u3009\u27e9\u276f\u2771\u02c3\u1433\ufe65\u227b",
    "|": "\uff5c\u2502\u2503\u2223\u01c0\uffe8\u2758\u23d0\u00a6",
    "[": "\uff3b\u3010\u3014\u27e6\u301a\u2772",
    "]": "\uff3d\u3011\u3015\u27e7\u301b\u2773",
    "_": "\uff3f\u2581\ufe4d\ufe4e",
    "/": "\uff0f",
    "=": "\uff1d",
    ":": "\uff1a",
}
_FULL_WIDTH = {chr(0xFF01 + place): chr(0x21 + place) for place in range(94) if chr(0x21 + place).isalnum()}
_LOOK_ALIKES = str.maketrans({alike: plain for plain, all_ in _ALIKE.items() for alike in all_} | _FULL_WIDTH)

# Marks of direction, zero-width characters, tags, fillers and control characters. Joiners and variation selectors
# belong to emoji and to some scripts; beside a letter of ASCII they hide something.
_ALWAYS = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_JOINERS = "\u200c\u200d"
_SELECTORS = "\ufe00-\ufe0f"
_INVISIBLE = re.compile(
    rf"(?=[{_ALWAYS}{_JOINERS}{_SELECTORS}])"
    rf"(?:[{_ALWAYS}]|(?<=[\x20-\x7e])[{_JOINERS}{_SELECTORS}]|[{_JOINERS}]+(?=[\x20-\x7e]))"
)
_LINE_ENDS = re.compile(r"\r\n?")


def shown(text: str, told: Iterable[str] = ()) -> str:
    r"""Return `text` as a prompt shows it; `told`: the control tokens of the engine's own tokenizer.

    Lines end in `\n`. The result is at most nine times as long; time is linear in the text's length.
    """
    text = _INVISIBLE.sub(_escaped, _LINE_ENDS.sub("\n", text))
    return _tokens(tuple(sorted(told))).sub(_broken, text) if text.isascii() else _broken_alike(text, told)


def without_invisible(text: str) -> str:
    """Return `text` without invisible characters, for matching."""
    return _INVISIBLE.sub("", text)


def folded(text: str) -> str:
    """Replace look-alikes of brackets, bars and full-width letters in `text` by plain ASCII; the length stays."""
    return text if text.isascii() else text.translate(_LOOK_ALIKES)


def control_tokens(words: Iterable[object]) -> tuple[str, ...]:
    """Return the possible control tokens among a server's `words`: no plain words, no white space, bounded."""
    kept = {
        word
        for word in words
        if isinstance(word, str) and 3 <= len(word) <= TOLD_TOKEN_CHARS_MAX and word.isprintable()
        and not word[0].isalnum() and not word[-1].isalnum() and " " not in word
    }  # fmt: skip
    return tuple(sorted(kept)[:TOLD_TOKENS_MAX])


@lru_cache(maxsize=8)
def _tokens(told: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that matches the first character of each control token."""
    known = "|".join((*_KNOWN, *(re.escape(token) for token in sorted(told, key=len, reverse=True))))
    first = "".join(sorted({"<", "[", "]", "#", *(token[0] for token in told)}))
    return re.compile(rf"(?=[{re.escape(first)}])(?={known}).")


def _broken_alike(text: str, told: Iterable[str]) -> str:
    """Break up control tokens in a text that may hold look-alikes."""
    parts: list[str] = []
    position = 0
    pattern = _tokens(tuple(sorted({*told, *map(folded, told)})))
    for found in pattern.finditer(folded(text)):
        parts += (text[position : found.end()], " ")
        position = found.end()
    return "".join((*parts, text[position:]))


def _broken(found: re.Match[str]) -> str:
    return f"{found[0]} "


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"\\u{{{ord(character):x}}}" for character in found[0])
