"""Reads Rust text into a syntax tree, within bounds: the only module that knows tree-sitter.

The same bytes give the same tree on every machine: the bounds are counts, never time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import tree_sitter
import tree_sitter_rust

Node: TypeAlias = tree_sitter.Node
"""A node of a syntax tree; `node.type` is its kind in the grammar of Rust."""

BYTES_MAX: Final = 64 * 1024
"""Bytes of a text that is parsed: as long as an answer may be. The worst texts known (65,536 quotes) take 2 s."""

NODES_MAX: Final = 60_000
"""Nodes of a tree. Programs by people and models have at most .66 nodes for each byte, so 43,000 in 64 KiB."""

DEPTH_MAX: Final = 256
"""Depth of a tree. Programs by people and models reach 40; rustc itself crashes some ten thousand further down."""

OPERATIONS_MAX: Final = 20_000
"""Hundreds of steps that the parser may take. An honest text of 64 KiB needs some 4,000, the worst known 5,900."""

_LANGUAGE: Final = tree_sitter.Language(tree_sitter_rust.language())
_READ_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """The tree of one Rust text."""

    content: bytes = field(repr=False)
    """Parsed text, UTF-8."""
    root: Node

    @property
    def faulty(self) -> bool:
        """Whether some part of the text is no Rust."""
        return self.root.has_error

    def text(self, node: Node) -> str:
        """Return the text of `node`."""
        return self.content[node.start_byte : node.end_byte].decode(errors="replace")


def parse(text: str) -> SyntaxTree | None:
    """Return the tree of `text`; None if the text is too long or its tree too large or too deep.

    A text that is not Rust has a tree with faulty nodes. A text with NUL or a lone surrogate has none: the parser
    would end at the first, and no encoding carries the second.
    """
    if "\0" in text or len(text) > BYTES_MAX:
        return None
    try:
        content = text.encode()
    except UnicodeEncodeError:
        return None
    if len(content) > BYTES_MAX:
        return None
    tree = _parse(content)
    if tree is None or tree.root_node.descendant_count > NODES_MAX or _too_deep(tree.root_node):
        return None
    return SyntaxTree(content, tree.root_node)


def descendants(node: Node, *, below: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield `node` and all that is within it, in the order of the text.

    `below`: kinds of nodes that are yielded, but not entered.
    """
    cursor = node.walk()
    depth = 0
    while True:
        current = cursor.node
        assert current is not None
        yield current
        if current.type not in below and cursor.goto_first_child():
            depth += 1
            continue
        while True:
            if depth == 0:
                return
            if cursor.goto_next_sibling():
                break
            cursor.goto_parent()
            depth -= 1


def _parse(content: bytes) -> tree_sitter.Tree | None:
    """Parse within `OPERATIONS_MAX`."""
    calls = 0

    def stops(_offset: int, _has_error: bool) -> bool:
        nonlocal calls
        calls += 1
        return calls > OPERATIONS_MAX

    def read(offset: int, _point: object) -> bytes:
        return content[offset : offset + _READ_BYTES]

    try:
        return tree_sitter.Parser(_LANGUAGE).parse(read, progress_callback=stops)
    except ValueError:
        # The library's way to say that the parse was stopped.
        return None


def _too_deep(root: Node) -> bool:
    cursor = root.walk()
    depth = 0
    while True:
        if cursor.goto_first_child():
            depth += 1
            if depth > DEPTH_MAX:
                return True
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            depth -= 1
