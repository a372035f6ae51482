"""The pool of literals from which a part of the inputs is drawn: those of the query, and those that answers share.

A condition on a certain number or word is rarely met by chance; the query and the programs tell which ones matter.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from node.findings.reading.extraction import Source
from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from protocol.messages import Turn

QUERY_LITERALS_MAX: Final = 40
"""Numbers, and texts, of the query: the first ones, since what a question is about comes early."""

SHARED_LITERALS_MAX: Final = 60
"""Literals that answers share."""

TEXT_CHARACTERS_MAX: Final = 80
"""Length of a text in the pool."""

ANSWERS_MIN: Final = 2
"""Answers that must use a literal: one alone could steer the inputs."""

_QUOTED: Final = re.compile(
    r'"((?:\\.|[^"\\\n]){0,80})"' r"|'((?:\\.|[^'\\\n]){1,40})'(?![0-9A-Za-z_])" r"|`([^`\n]{1,40})`"
)
_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z_.])-?[0-9]{1,18}(?![0-9A-Za-z_])")
_BRACKETS: Final = "()[]{}<>"
_ESCAPES: Final = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\0": "\0", '\\"': '"', "\\'": "'", "\\\\": "\\"}


@dataclass(frozen=True, slots=True)
class LiteralPool:
    """Numbers and texts, each once, in a fixed order."""

    integers: tuple[int, ...]
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line for each literal, as the harness reads them: `i 7`, `s word`, with escapes for line breaks."""
        lines = [f"i {number}" for number in self.integers]
        for text in self.texts:
            escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
            lines.append(f"s {escaped}")
        return "".join(f"{line}\n" for line in lines)


def literal_pool(turns: Sequence[Turn], sources: Sequence[Source | None]) -> LiteralPool:
    """Return the pool for a query and all answers of its slate."""
    prompt = "\n".join(turn.text for turn in turns)
    integers, texts = _of_query(prompt)
    used: dict[int | str, int] = {}
    for source in sources:
        tree = None if source is None else parse(source.text)
        if tree is not None:
            for literal in set(_of_program(tree)):
                used[literal] = used.get(literal, 0) + 1
    shared = [literal for literal, count in used.items() if count >= ANSWERS_MIN]
    numbers = sorted(each for each in shared if isinstance(each, int) and each not in integers)
    words = sorted(each for each in shared if isinstance(each, str) and each not in texts)
    numbers = numbers[:SHARED_LITERALS_MAX]
    words = words[: SHARED_LITERALS_MAX - len(numbers)]
    return LiteralPool((*integers, *numbers), (*texts, *words, *_brackets(prompt)))


def _of_query(prompt: str) -> tuple[list[int], list[str]]:
    texts: dict[str, None] = {}
    for match in _QUOTED.finditer(prompt):
        quoted, single, code = match.groups()
        if code is not None and ("->" in code or "::" in code or "fn " in code):
            continue
        texts.setdefault(next(part for part in (quoted, single, code) if part is not None))
    integers = dict.fromkeys(int(match.group()) for match in _NUMBER.finditer(prompt))
    return list(integers)[:QUERY_LITERALS_MAX], list(texts)[:QUERY_LITERALS_MAX]


def _brackets(prompt: str) -> list[str]:
    """The brackets that the query mentions outside of code, as one text."""
    outside = re.sub(r"`[^`]*`", "", prompt)
    found = "".join(bracket for bracket in _BRACKETS if bracket in outside)
    return [found] if found else []


def _of_program(tree: SyntaxTree) -> Iterator[int | str]:
    for node in descendants(tree.root):
        match node.type:
            case "integer_literal":
                number = _integer(tree.text(node))
                if number is not None and number > 2:
                    yield number
            case "string_literal" | "char_literal" | "raw_string_literal":
                text = _text(tree, node)
                # What holds a placeholder is a format, not an input.
                if text and len(text) <= TEXT_CHARACTERS_MAX and "{}" not in text and "{:" not in text:
                    yield text


def _integer(text: str) -> int | None:
    digits = text.replace("_", "")
    for suffix in ("i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"):
        if digits.endswith(suffix) and not digits.startswith("0x"):
            digits = digits[: -len(suffix)]
            break
    if len(digits) > 18 or not digits.isascii():
        return None
    try:
        return int(digits, 0)
    except ValueError:
        return None


def _text(tree: SyntaxTree, node: Node) -> str | None:
    """The value of a text literal; None if it has escapes beyond the simple ones."""
    if node.type == "char_literal":
        inner = tree.text(node).removeprefix("b").removeprefix("'").removesuffix("'")
        return _ESCAPES.get(inner) if inner.startswith("\\") else inner
    parts: list[str] = []
    for child in node.named_children:
        part = tree.text(child)
        if child.type == "escape_sequence":
            escaped = _ESCAPES.get(part)
            if escaped is None:
                return None
            parts.append(escaped)
        else:
            parts.append(part)
    return "".join(parts)
