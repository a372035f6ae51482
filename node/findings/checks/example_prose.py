"""Examples in plain prose: `f(2) is 4`, `f(2) -> 4`, `returns 4 for f(2)`, and a session of Python's."""

from collections.abc import Iterator
from typing import Final

from node.findings.checks.plain_values import plain_call, plain_value

LINE_CHARACTERS_MAX: Final = 400
"""Length of a line that may hold an example."""

CALLS_MAX: Final = 64
"""Calls of a query that are looked at. Each costs a few small parses."""

_CONNECTORS: Final = (
    "should evaluate to", "should return", "should be equal to", "should equal", "should give", "should yield",
    "should be", "must return", "must be", "will return", "would return", "evaluates to", "is equal to", "returns",
    "yields", "equals", "gives", "is", "===", "==", "->", "=>", "→", "➞", "⇒", "// =>", "// ->", "//", "# =>", "=",
)  # fmt: skip
_WISHES: Final = ("should", "must")
_DOUBTS: Final = (
    "actual", "broken", "bug", "but ", "currently", "fails", "fix", "incorrect", "instead", "mistake", "unexpected",
    "wrong",
)  # fmt: skip
"""A text with such a word may tell what a faulty program does: then only what should or must be is an example."""

_RETURNS: Final = ("returns ", "return ", "gives ", "yields ")
_FOLLOWING: Final = ("and ", "because ", "since ", "(", "#", "//", "but ", "while ", "or ")
"""Beginnings of text that may follow the end of a value; after `4 times` the example is not plain."""

_OPENING: Final = {"(": ")", "[": "]", "{": "}"}


def prose_examples(text: str) -> Iterator[tuple[str, str]]:
    """Yield calls with their results, both as Rust, from the lines of `text`."""
    lines = text.split("\n")
    doubtful = any(word in text.lower() for word in _DOUBTS)
    looked_at = 0
    for index, line in enumerate(lines):
        if len(line) > LINE_CHARACTERS_MAX:
            continue
        following = next((each.strip() for each in lines[index + 1 : index + 2]), "")
        for start, end in _calls(line):
            looked_at += 1
            if looked_at > CALLS_MAX:
                return
            call = plain_call(line[start:end])
            if call is None:
                continue
            rest = line[end:]
            # A sentence may go on in the next line.
            expected = _after(rest, doubtful) or _after(f"{rest.rstrip()} {following}", doubtful)
            if expected is None and not doubtful:
                expected = _before(line[:start]) or _session(line, start, end, following)
            if expected is not None:
                yield call, expected


def _calls(line: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each name with parentheses, outermost first."""
    position = 0
    while (opened := line.find("(", position)) >= 0:
        position = opened + 1
        start = opened
        while start and ((line[start - 1].isascii() and line[start - 1].isalnum()) or line[start - 1] == "_"):
            start -= 1
        closed = closing(line, opened)
        named = start < opened and not line[start].isdigit()
        if named and closed > 0 and line[start - 1 : start] not in (".", ":", "!", "&"):
            yield start, closed
            position = closed


def closing(text: str, opened: int) -> int:
    """Return the position after the bracket that closes the one at `opened`, quoted text apart; -1: there is none."""
    expected: list[str] = []
    quote = ""
    position = opened
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter == '"':
            quote = letter
        elif letter in _OPENING:
            expected.append(_OPENING[letter])
        elif letter in _OPENING.values():
            if not expected or expected.pop() != letter:
                return -1
            if not expected:
                return position + 1
        position += 1
    return -1


def _after(rest: str, doubtful: bool) -> str | None:
    """The value that follows a call and a connector."""
    rest = rest.lstrip("`; \t")
    for connector in _CONNECTORS:
        if rest.startswith(connector):
            if doubtful and not connector.startswith(_WISHES):
                return None
            following = rest[len(connector) :]
            if connector[-1].isalpha() and not following.startswith((" ", ":", "`")):
                continue
            return _value(following.lstrip(": \t").removeprefix("`"))
    return None


def _before(start: str) -> str | None:
    """The value of `returns 4 for`, before the call."""
    start = start.rstrip("` \t")
    if not start.endswith(" for"):
        return None
    start = start.removesuffix("for").rstrip().removesuffix("`")
    for word in _RETURNS:
        _, found, value = start.rpartition(word)
        if found:
            return plain_value(value.strip("` "))
    return None


def _session(line: str, start: int, end: int, following: str) -> str | None:
    """A call after Python's prompt, whose result is the next line."""
    if line[:start].strip() != ">>>" or line[end:].strip() or not following or following.startswith(">>>"):
        return None
    return plain_value(following)


def _value(text: str) -> str | None:
    """The plain value at the start of `text`, if nothing follows that could belong to it."""
    end = _value_end(text)
    if end <= 0:
        return None
    rest = text[end:].lstrip("`\"'*").strip()
    rest = rest[1:].strip() if rest[:1] in (".", ",", ";", ")", ":") else rest
    sentence_ends = text[end : end + 1] in (".", ",", ";", ")", "`")
    if rest and not (sentence_ends or rest.startswith(_FOLLOWING)):
        return None
    return plain_value(text[:end])


def _value_end(text: str) -> int:
    """Return where the value at the start of `text` ends, by its form alone; 0: there is none."""
    if text.startswith('"'):
        position = 1
        while position < len(text) and text[position] != '"':
            position += 2 if text[position] == "\\" else 1
        return position + 1 if position < len(text) else 0
    if text.startswith("'"):
        return text.find("'", 2 if text[1:2] != "\\" else 3) + 1
    end = 0
    while end < len(text) and ((text[end].isascii() and text[end].isalnum()) or text[end] in "_.-!&:"):
        end += 1
    if text[end : end + 1] in _OPENING and text[end : end + 1] != "":
        return max(closing(text, end), 0)
    # The full stop of a sentence is not part of a number.
    return len(text[:end].rstrip(".:-!"))
