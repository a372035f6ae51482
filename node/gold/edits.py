"""Replacements of parts of a text, all at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from node.findings.reading.grammar import Node


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replaces the bytes from `start` up to `end`."""

    start: int
    end: int
    text: str


def replacing(node: Node, text: str) -> Edit:
    """Return the edit that puts `text` where `node` is."""
    return Edit(node.start_byte, node.end_byte, text)


def applied(content: bytes, edits: Iterable[Edit]) -> str:
    """Return the text after the edits, which must not overlap."""
    parts: list[bytes] = []
    at = 0
    for edit in sorted(edits):
        assert edit.start >= at, "edits overlap"
        parts += [content[at : edit.start], edit.text.encode()]
        at = edit.end
    return b"".join((*parts, content[at:])).decode()
