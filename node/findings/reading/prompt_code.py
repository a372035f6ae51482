"""The Rust that a query itself contains: code blocks, inline code, and signatures in its prose."""

from collections.abc import Iterator, Sequence
from typing import Final

from node.findings.reading import declarations
from node.findings.reading.fences import fenced_blocks, without_blocks
from node.findings.reading.grammar import Node, SyntaxTree, parse
from node.findings.reading.rust_types import Function, Implementation
from protocol.messages import Turn

SPANS_MAX: Final = 64
"""Inline code spans and signatures in prose that are looked at, in one turn. Each costs a small parse."""

SPAN_CHARACTERS_MAX: Final = 400
"""Length of such a span: a signature by people has at most some 200 characters."""

RESULT_WORDS_MAX: Final = 8
"""Words that the result type of a signature in prose may have."""

QUERY_CHARACTERS_MAX: Final = 64 * 1024
"""Characters of a query that are looked at, its latest turns first: as many as an answer may have."""

DECLARATIONS_MAX: Final = 64
"""Functions or implementations of a query that are considered."""


def declared_in(turns: Sequence[Turn]) -> tuple[list[tuple[Function, bool]], list[Implementation]]:
    """Return the functions that a query declares, the latest turn first, and its implementations of traits.

    Beside each function stands whether it is bare: only a signature, or a body that is still to be written.
    """
    functions: list[tuple[Function, bool]] = []
    implementations: list[Implementation] = []
    for turn in reversed(latest(turns)):
        for tree in code_of(turn.text):
            for node in tree.root.named_children:
                if node.type in ("function_item", "function_signature_item"):
                    function = declarations.read_function(tree, node)
                    if function is not None and function.complete and function.name != "main":
                        functions.append((function, is_bare(tree, node.child_by_field_name("body"))))
                elif node.type == "impl_item":
                    block = declarations.read_implementation(tree, node)
                    if block is not None and block.trait is not None:
                        implementations.append(block)
                    elif block is not None:
                        functions += [(each, False) for each in declarations.associated_functions(block)]
    return functions[:DECLARATIONS_MAX], implementations[:DECLARATIONS_MAX]


def latest(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the last turns of a query, with at most `QUERY_CHARACTERS_MAX` together."""
    left = QUERY_CHARACTERS_MAX
    found: list[Turn] = []
    for turn in reversed(turns):
        left -= len(turn.text)
        if left < 0:
            break
        found.append(turn)
    return tuple(reversed(found))


def code_of(text: str) -> Iterator[SyntaxTree]:
    """Yield the trees of all Rust in a turn: blocks first, then spans and signatures in prose."""
    for block in fenced_blocks(text):
        tree = parse(block.text) if block.says_rust or not block.label else None
        if tree is not None and (block.says_rust or not tree.faulty):
            yield tree
    prose = without_blocks(text)
    for candidate in (*_spans(prose), *_signatures(prose)):
        tree = parse(candidate)
        if tree is not None and not tree.faulty:
            yield tree


def inline_code(prose: str) -> list[str]:
    """Return the inline code spans of `prose`, at most `SPANS_MAX`."""
    found: list[str] = []
    for paragraph in prose.split("\n\n"):
        parts = paragraph.split("`")
        found += [part.strip() for part in parts[1:-1:2] if 0 < len(part) <= SPAN_CHARACTERS_MAX]
    return found[:SPANS_MAX]


def _spans(prose: str) -> list[str]:
    """Inline code as declarations: a signature may be written without `fn`, and none there has a body."""
    found: list[str] = []
    for span in inline_code(prose):
        if span.startswith("impl") and " for " in span:
            found.append(span if span.endswith("}") else f"{span} {{}}")
        elif "(" in span and (_has_keyword(span) or ": " in span or ":" in span.partition("(")[2] or "->" in span):
            whole = span if _has_keyword(span) else f"fn {span}"
            found.append(whole if whole.endswith(("}", ";")) else f"{whole};")
    return found


def _signatures(prose: str) -> list[str]:
    """Signatures that stand in plain prose: `fn`, a name, parentheses, and as much of a result type as can be read."""
    found: list[str] = []
    position = prose.find("fn ")
    while position >= 0 and len(found) < SPANS_MAX:
        before = prose[position - 1 : position]
        if not (before.isalnum() or before in ("_", "`")):
            signature = _signature_at(prose[position : position + SPAN_CHARACTERS_MAX])
            found += [signature] if signature else []
        position = prose.find("fn ", position + 3)
    return found


def _signature_at(text: str) -> str:
    """Return the longest signature at the start of `text`; empty: none."""
    opened = text.find("(")
    closed = _closing(text, opened)
    if opened < 0 or closed < 0:
        return ""
    head, rest = text[: closed + 1], text[closed + 1 :].lstrip()
    if rest.startswith("->"):
        words = rest[2:].split()[:RESULT_WORDS_MAX]
        for count in range(len(words), 0, -1):
            candidate = f"{head} -> {' '.join(words[:count]).rstrip('.,;:{`')};"
            tree = parse(candidate)
            if tree is not None and not tree.faulty and tree.root.named_child_count == 1:
                return candidate
    return f"{head};"


def _closing(text: str, opened: int) -> int:
    """Return where the parenthesis at `opened` is closed, or -1."""
    depth = 0
    for position in range(max(opened, 0), len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return -1


def _has_keyword(span: str) -> bool:
    return span.startswith("fn ") or " fn " in span


def is_bare(tree: SyntaxTree, body: Node | None) -> bool:
    """Whether a function's body is missing, empty or still to be written."""
    if body is None:
        return True
    content = [child for child in body.named_children if child.type not in ("line_comment", "block_comment")]
    return not content or (len(content) == 1 and tree.text(content[0]).startswith(("todo!", "unimplemented!")))
