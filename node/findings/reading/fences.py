"""Finds the code blocks of a Markdown text: fenced ones, as CommonMark has them and as models write them."""

from dataclasses import dataclass
from typing import Final

BLOCKS_MAX: Final = 64
"""Code blocks of a text that are read. Each costs a parse; an answer by a model has at most some ten."""

RUST_LABELS: Final = frozenset({"rust", "rs"})
MARKDOWN_LABELS: Final = frozenset({"markdown", "md"})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    label: str
    """First word of the info string, in lower case; empty: none."""
    attributes: tuple[str, ...]
    """Words after the first one, as in rustdoc: `no_run`, `compile_fail`."""
    text: str

    @property
    def says_rust(self) -> bool:
        """Whether the label, or the name of a file in its place (`src/lib.rs`), promises Rust that compiles."""
        promised = self.label in RUST_LABELS or "rs" in self.attributes
        return promised and "compile_fail" not in self.attributes


def fenced_blocks(text: str) -> tuple[Block, ...]:
    """Return the first `BLOCKS_MAX` fenced blocks. A fence that is never closed reaches to the end.

    Blocks within a block that is labelled as Markdown are returned in its place. Unlike CommonMark's, a fence may be
    indented at will, since models put them into lists; the indentation of the fence is taken from its lines.
    """
    found: list[Block] = []
    for block in _blocks(text):
        if block.label in MARKDOWN_LABELS:
            found += _blocks(block.text)
        else:
            found.append(block)
    return tuple(found[:BLOCKS_MAX])


def without_blocks(text: str) -> str:
    """Return the prose of `text`: all lines outside fenced blocks."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if fence:
            if _closes(line, fence):
                fence = ""
            continue
        fence = _opening(line)
        if not fence:
            lines.append(line)
    return "\n".join(lines)


def _blocks(text: str) -> list[Block]:
    found: list[Block] = []
    fence, info, indentation = "", "", 0
    lines: list[str] = []
    for line in text.split("\n"):
        if not fence:
            fence = _opening(line)
            if fence:
                stripped = line.lstrip(" \t")
                indentation = len(line) - len(stripped)
                info = stripped[len(fence) :]
                lines = []
        elif _closes(line, fence):
            found.append(_block(info, lines))
            fence = ""
        else:
            lines.append(_unindented(line, indentation))
    if fence:
        found.append(_block(info, lines))
    return found


def _opening(line: str) -> str:
    """Return the fence that `line` opens, or nothing."""
    stripped = line.lstrip(" \t")
    for mark in "`~":
        length = len(stripped) - len(stripped.lstrip(mark))
        # An info string with a backtick makes it inline code.
        if length >= 3 and not (mark == "`" and mark in stripped[length:]):
            return mark * length
    return ""


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip(" \t")
    return len(stripped) >= len(fence) and stripped == fence[0] * len(stripped)


def _unindented(line: str, indentation: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    return line[min(blank, indentation) :]


def _block(info: str, lines: list[str]) -> Block:
    separated = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_-+#") else " " for letter in info.lower()
    )
    words = separated.split()
    return Block(words[0] if words else "", tuple(words[1:]), "\n".join(lines) + "\n")
