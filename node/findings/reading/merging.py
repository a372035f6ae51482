"""Makes one program of the code blocks of an answer: the later definition of a name replaces the earlier one.

Within a block nothing is judged: two definitions of one name there are the author's fault, and the compiler's to tell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from node.findings.reading.declarations import functions_of
from node.findings.reading.grammar import Node, SyntaxTree
from node.findings.reading.imports import Import, imports_of

_NAMESPACES: Final = {
    "function_item": "value",
    "const_item": "value",
    "static_item": "value",
    "struct_item": "type",
    "enum_item": "type",
    "union_item": "type",
    "trait_item": "type",
    "type_item": "type",
    "mod_item": "type",
    "macro_definition": "macro",
}
_OTHER_ITEMS: Final = frozenset(
    {"use_declaration", "extern_crate_declaration", "foreign_mod_item", "function_signature_item", "macro_invocation"}
)
_PRECEDING: Final = frozenset({"attribute_item", "line_comment", "block_comment"})
_STATEMENT_MACROS: Final = frozenset(
    {
        "assert", "assert_eq", "assert_ne", "dbg", "debug_assert", "debug_assert_eq", "eprint", "eprintln", "format",
        "matches", "panic", "print", "println", "todo", "unreachable", "vec", "write", "writeln",
    }
)  # fmt: skip
"""Macros that make no items: at the top of a program they are an example of its use."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a block at its top level: an item with its attributes and comments, or something that is none."""

    node: Node
    start: int
    end: int
    key: tuple[str, str]
    """Namespace and name; for an implementation its head; empty where it defines no name."""
    methods: tuple[tuple[str, int, int], ...] = ()
    """Functions of an inherent implementation, with where they stand."""

    @property
    def is_item(self) -> bool:
        """Whether it can stand at the top of a module."""
        return bool(self.key[0]) or self.node.type in _OTHER_ITEMS

    @property
    def weak(self) -> bool:
        """Whether it must not replace an earlier definition: it is faulty, or a function with nothing in it."""
        if self.node.has_error:
            return True
        body = self.node.child_by_field_name("body")
        if self.node.type != "function_item" or body is None:
            return False
        return not any(child.type not in ("line_comment", "block_comment") for child in body.named_children)


@dataclass(slots=True)
class Part:
    """A code block with its pieces, and the spans that are taken out of it."""

    tree: SyntaxTree
    pieces: tuple[Piece, ...]
    removed: list[tuple[int, int]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    """Lines put before it."""

    @property
    def defines(self) -> bool:
        """Whether it defines any name."""
        return any(piece.key[0] for piece in self.pieces)

    @property
    def only_main(self) -> bool:
        """Whether `main` is all that it defines: an example of how to use the rest."""
        keys = {piece.key for piece in self.pieces if piece.key[0]}
        return keys == {("value", "main")}

    def drop(self, piece: Piece) -> None:
        """Take `piece` out."""
        self.removed.append((piece.start, piece.end))

    def text(self) -> str:
        """Return what is left."""
        kept: list[bytes] = []
        position = 0
        for start, end in sorted(self.removed):
            kept.append(self.tree.content[position : max(position, start)])
            position = max(position, end)
        kept.append(self.tree.content[position:])
        return "".join(f"{line}\n" for line in self.added) + b"".join(kept).decode(errors="replace")


def part_of(tree: SyntaxTree) -> Part:
    """Return the pieces of a block; what belongs to a crate's first lines alone is taken out already."""
    part = Part(tree, ())
    pieces: list[Piece] = []
    start: int | None = None
    for child in tree.root.children:
        if child.type in ("inner_attribute_item", "shebang") or _is_inner_comment(child):
            part.removed.append((child.start_byte, child.end_byte))
        elif child.type in _PRECEDING:
            start = child.start_byte if start is None else start
        elif child.type == "empty_statement":
            continue
        else:
            pieces.append(_piece(tree, child, child.start_byte if start is None else start))
            start = None
    part.pieces = tuple(pieces)
    return part


def merge(parts: Sequence[Part]) -> str:
    """Return the program that the blocks make together, in their order."""
    kept = [part for part in parts if part.defines]
    if any(not part.only_main for part in kept):
        kept = [part for part in kept if not part.only_main]
    alone = len(kept) == 1
    for part in kept:
        for piece in part.pieces:
            # A faulty block that is all there is stays as it is, so that the compiler can tell.
            if not piece.is_item and not (alone and part.tree.faulty):
                part.drop(piece)
    _drop_replaced(kept)
    _drop_imported_twice(kept)
    texts = (part.text() for part in kept)
    return "\n".join(text for text in texts if text.strip())


def _piece(tree: SyntaxTree, node: Node, start: int) -> Piece:
    namespace = _NAMESPACES.get(node.type)
    methods: tuple[tuple[str, int, int], ...] = ()
    key = ("", "")
    if namespace is not None:
        name = node.child_by_field_name("name")
        key = (namespace, tree.text(name)) if name is not None else key
    elif node.type == "impl_item":
        body = node.child_by_field_name("body")
        head_end = node.end_byte if body is None else body.start_byte
        head = tree.content[node.start_byte : head_end].decode(errors="replace")
        key = ("impl", " ".join(head.split()))
        if body is not None and node.child_by_field_name("trait") is None:
            methods = tuple(_methods(tree, body))
    elif node.type == "expression_statement" and _makes_items(tree, node):
        key = ("macro call", tree.text(node))
    return Piece(node, start, node.end_byte, key, methods)


def _methods(tree: SyntaxTree, body: Node) -> Iterator[tuple[str, int, int]]:
    """Each function with the attributes and comments before it."""
    functions = {function.start_byte for function in functions_of(body)}
    start: int | None = None
    for child in body.children:
        if child.type in _PRECEDING:
            start = child.start_byte if start is None else start
            continue
        name = child.child_by_field_name("name")
        if child.start_byte in functions and name is not None:
            yield tree.text(name), child.start_byte if start is None else start, child.end_byte
        start = None


def _makes_items(tree: SyntaxTree, statement: Node) -> bool:
    inner = statement.named_children[:1]
    if not inner or inner[0].type != "macro_invocation" or statement.has_error:
        return False
    macro = inner[0].child_by_field_name("macro")
    return macro is not None and tree.text(macro).rpartition("::")[2] not in _STATEMENT_MACROS


def _is_inner_comment(node: Node) -> bool:
    return node.type in ("line_comment", "block_comment") and node.child_by_field_name("inner") is not None


def _drop_replaced(parts: Sequence[Part]) -> None:
    """Take out what another block defines better: the last sound definition of a name stays."""
    definitions: dict[tuple[str, str], list[tuple[int, Piece]]] = {}
    for index, part in enumerate(parts):
        for piece in part.pieces:
            if piece.key[0] and not piece.methods:
                definitions.setdefault(piece.key, []).append((index, piece))
    for found in definitions.values():
        sound = [index for index, piece in found if not piece.weak]
        chosen = max(sound) if sound else max(index for index, _ in found)
        for index, piece in found:
            if index != chosen:
                parts[index].drop(piece)
    _drop_replaced_methods(parts)


def _drop_replaced_methods(parts: Sequence[Part]) -> None:
    """Inherent implementations complement each other: only methods of the same name and head are replaced.

    A sketch of one (`impl S { ... }`) is dropped where a sound one stands.
    """
    pieces = [(part, piece) for part in parts for piece in part.pieces if piece.key[0] == "impl"]
    sound = {piece.key for _, piece in pieces if piece.methods and not piece.node.has_error}
    for part, piece in pieces:
        if piece.key in sound and piece.node.has_error:
            part.drop(piece)
    later: dict[str, set[str]] = {}
    for part in reversed(parts):
        seen: dict[str, set[str]] = {}
        for piece in part.pieces:
            if not piece.methods:
                continue
            head = piece.key[1]
            names = {name for name, _, _ in piece.methods}
            if names <= later.get(head, set()):
                part.drop(piece)
                continue
            part.removed += [(start, end) for name, start, end in piece.methods if name in later.get(head, set())]
            seen.setdefault(head, set()).update(set() if piece.node.has_error else names)
        for head, names in seen.items():
            later.setdefault(head, set()).update(names)


def _drop_imported_twice(parts: Sequence[Part]) -> None:
    """Take out of later blocks the names that an earlier one imports: to import a name twice does not compile."""
    imported: set[str] = set()
    for part in parts:
        own: set[str] = set()
        for piece in part.pieces:
            if piece.node.type != "use_declaration":
                continue
            leaves = imports_of(part.tree, piece.node)
            texts = {str(leaf) for leaf in leaves}
            if texts & imported:
                part.drop(piece)
                part.added += _lines(leaf for leaf in leaves if str(leaf) not in imported)
            own |= texts
        imported |= own


def _lines(leaves: Iterable[Import]) -> list[str]:
    return [str(leaf) for leaf in leaves]
