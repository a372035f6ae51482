"""Completes an answer by what the query gives: a struct that it declares, and that the answer uses and leaves out."""

from collections.abc import Sequence
from typing import Final

from node.findings.reading.fences import fenced_blocks
from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from node.findings.reading.imports import defined_names, foreign_crates, imported_names, imports_of
from node.findings.reading.merging import Part, Piece, merge, part_of
from node.findings.reading.prompt_code import is_bare, latest
from node.findings.reading.std_names import PRELUDE
from protocol.messages import Turn
from protocol.types import TurnRole

ROUNDS_MAX: Final = 8
"""Steps in which what was added asks for more: a type for the types of its fields, and so on."""

GIVEN_CHARACTERS_MAX: Final = 16 * 1024
"""Characters of code in a turn. They are parsed for each answer, so that a longer text would cost too much."""

_NEVER: Final = frozenset({"mod_item", "macro_invocation", "expression_statement", "extern_crate_declaration"})
"""Kinds of items that are not added: tests, examples of use, crates."""

_CONSTANTS: Final = frozenset({"const_item", "static_item"})


def with_given(program: str, turns: Sequence[Turn]) -> str:
    """Return `program` with the items that it uses without defining them, and that the query declares in code blocks.

    The latest turn of the asker that has such a block counts. A program that defines all it uses stays as it is, as
    does one that is no Rust.
    """
    tree = parse(program)
    given = _given(turns)
    if tree is None or tree.faulty or not given:
        return program
    defined = defined_names(tree) | imported_names(tree) | PRELUDE
    used = _names(tree, tree.root)
    added: list[tuple[Part, Piece]] = []
    for _ in range(ROUNDS_MAX):
        found = [
            (part, piece)
            for part, piece in _pieces(given)
            if piece.key[1] in used - defined and piece.node.type != "impl_item"
        ]
        if not found:
            break
        for part, piece in found:
            added.append((part, piece))
            defined.add(piece.key[1])
            used |= _names(part.tree, piece.node)
        # A type comes with what it does.
        types = {piece.key[1] for _, piece in found if piece.key[0] == "type"}
        for part, piece in _pieces(given):
            if piece.node.type == "impl_item" and _implements_for(part.tree, piece.node) in types:
                added.append((part, piece))
                used |= _names(part.tree, piece.node)
    text = _text(given, [piece for _, piece in added], used) + _bare_types(given, used - defined)
    if not text.strip():
        return program
    addition = parse(text)
    return merge([part_of(addition), part_of(tree)]) if addition is not None else program


def _given(turns: Sequence[Turn]) -> list[Part]:
    """The sound code blocks of the asker's latest turn that has any."""
    for turn in reversed(latest(turns)):
        if turn.role is not TurnRole.USER:
            continue
        blocks = [block for block in fenced_blocks(turn.text) if block.says_rust or not block.label]
        if sum(len(block.text) for block in blocks) > GIVEN_CHARACTERS_MAX:
            return []
        trees = [tree for block in blocks if (tree := parse(block.text)) is not None and not tree.faulty]
        parts = [part for tree in trees if (part := part_of(tree)).defines]
        if parts:
            return parts
    return []


def _pieces(given: Sequence[Part]) -> list[tuple[Part, Piece]]:
    """Return the pieces that may be added: no tests, no `main`, and no function that is still to be written."""
    found: list[tuple[Part, Piece]] = []
    for part in given:
        for piece in part.pieces:
            if not piece.key[0] or piece.node.type in _NEVER or piece.key == ("value", "main"):
                continue
            if piece.node.type in _CONSTANTS and piece.key[1] != piece.key[1].upper():
                # It would turn a variable of that name into a pattern.
                continue
            if piece.node.type != "function_item" or not is_bare(part.tree, piece.node.child_by_field_name("body")):
                found.append((part, piece))
    return found


def _names(tree: SyntaxTree, node: Node) -> set[str]:
    """All names in a stretch of a program."""
    kinds = ("identifier", "type_identifier")
    return {tree.text(each) for each in descendants(node) if each.type in kinds}


def _implements_for(tree: SyntaxTree, node: Node) -> str:
    """The name of the type that an implementation is for."""
    declared = node.child_by_field_name("type")
    if declared is not None and declared.type == "generic_type":
        declared = declared.child_by_field_name("type")
    return "" if declared is None else tree.text(declared)


def _bare_types(given: Sequence[Part], missing: set[str]) -> str:
    """The types that the query implements and nobody defines, as `Solution`: they hold nothing."""
    implemented = {
        _implements_for(part.tree, piece.node)
        for part in given
        for piece in part.pieces
        if piece.node.type == "impl_item" and piece.node.child_by_field_name("trait") is None
    }
    return "".join(
        f"pub struct {name};\n" for name in sorted(implemented & missing) if name.isascii() and name.isidentifier()
    )


def _text(given: Sequence[Part], chosen: Sequence[Piece], used: set[str]) -> str:
    """The text of the chosen pieces, after the imports of names in `used` that stand beside them."""
    starts = {id(piece) for piece in chosen}
    imports: list[str] = []
    items: list[str] = []
    for part in given:
        if not any(id(piece) in starts for piece in part.pieces):
            continue
        crates = set(foreign_crates(part.tree))
        for piece in part.pieces:
            text = part.tree.content[piece.start : piece.end].decode(errors="replace")
            if id(piece) in starts:
                items.append(text)
            elif piece.node.type == "use_declaration":
                leaves = imports_of(part.tree, piece.node)
                imports += [str(leaf) for leaf in leaves if leaf.name in used and leaf.path[0] not in crates]
    return "\n".join((*imports, *items)) + "\n"
