"""Finds the names of a program that can be replaced everywhere without changing what it does."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Final

from node.findings.reading.grammar import Node, SyntaxTree, descendants
from node.gold.edits import Edit, applied, replacing

_NAMES: Final = frozenset({"identifier", "type_identifier", "field_identifier", "shorthand_field_identifier"})
_PATTERNS: Final = frozenset({"parameter", "let_declaration", "for_expression", "let_condition", "match_arm"})
_IN_FORMATS: Final = re.compile(r"\{([a-z_][a-z0-9_]*)[:}]")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

PARAMETERS: Final = (
    "input", "given", "data", "arg", "src", "x", "y", "a", "b", "p", "q", "v", "w", "one", "two", "param", "subject",
)  # fmt: skip
"""Names for parameters of public functions: they stand in the prompt, so they must not say anything wrong."""

LOCALS: Final = (
    "item", "entry", "piece", "unit", "mark", "slot", "part", "spot", "elem", "found", "res", "acc", "state", "cur",
    "prev", "cand", "sample", "sym", "amount", "total", "tally", "lvl", "span", "extent", "base", "origin", "goal",
    "raw", "clean", "picked", "pending", "latest", "fst", "snd", "n", "k", "i", "j", "m", "t", "u", "c", "d", "e",
    "buf", "tmp", "val", "it", "this", "that", "here", "there", "ours", "theirs", "keep", "hold", "mid", "edge", "more",
    "less",
)  # fmt: skip
"""Names for everything else that a program binds."""


def fresh_names(tree: SyntaxTree, fixed: Collection[str], taken: Collection[str], random: Random) -> dict[str, str]:
    """Draw new names for a program's parameters and local variables.

    `fixed`: names that stay. `taken`: names that no new one may have. Half of the parameters keep their names.
    """
    public, local = _bound(tree)
    staying = {*_immovable(tree), *fixed}
    movable = [name for name in dict.fromkeys((*public, *local)) if name not in staying]
    used = {*taken, *_words(tree)}
    drawn: dict[str, str] = {}
    for name in movable:
        if name in public and random.random() < 0.5:
            continue
        free = [each for each in (PARAMETERS if name in public else LOCALS) if each not in used]
        if free:
            drawn[name] = random.choice(free)
            used.add(drawn[name])
    return drawn


def renamed(tree: SyntaxTree, names: Mapping[str, str], types: Mapping[str, str] | None = None) -> str:
    """Return the tree's text with these names replaced; `types`: names that are replaced also as types and methods."""
    wide = types or {}
    edits: list[Edit] = []
    for node in descendants(tree.root):
        if node.type not in _NAMES:
            continue
        name = tree.text(node)
        if name in wide:
            edits.append(replacing(node, wide[name]))
        elif node.type == "identifier" and name in names:
            edits.append(replacing(node, names[name]))
    return applied(tree.content, edits)


def renamed_words(text: str, names: Mapping[str, str]) -> str:
    """Return a piece of code in prose with these names replaced."""
    return _WORD.sub(lambda word: names.get(word.group(), word.group()), text)


def _words(tree: SyntaxTree) -> set[str]:
    return set(_WORD.findall(tree.content.decode()))


def _bound(tree: SyntaxTree) -> tuple[list[str], list[str]]:
    """Return the names of parameters of public functions, and of all else that is bound, in order of appearance."""
    public: list[str] = []
    local: list[str] = []
    for node in descendants(tree.root):
        if node.type == "function_item" and _is_private_helper(node):
            local += _texts(tree, node.child_by_field_name("name"))
        if node.type == "closure_parameters":
            local += [name for child in node.named_children for name in _in_pattern(tree, child)]
        elif node.type in _PATTERNS:
            pattern = node.child_by_field_name("pattern")
            names = [] if pattern is None else list(_in_pattern(tree, pattern))
            (public if node.type == "parameter" and _is_public(node) else local).extend(names)
    return public, [name for name in local if name not in public]


def _texts(tree: SyntaxTree, node: Node | None) -> list[str]:
    return [] if node is None else [tree.text(node)]


def _is_public(parameter: Node) -> bool:
    """Whether a parameter belongs to a public function, or to a closure or type in its signature."""
    function = parameter.parent.parent if parameter.parent is not None else None
    return function is not None and any(child.type == "visibility_modifier" for child in function.children)


def _is_private_helper(function: Node) -> bool:
    """Whether a function is neither public nor a method."""
    is_method = function.parent is not None and function.parent.type == "declaration_list"
    return not is_method and not any(child.type == "visibility_modifier" for child in function.children)


def _in_pattern(tree: SyntaxTree, pattern: Node) -> Iterator[str]:
    """Yield the variables that a pattern binds."""
    for node in descendants(pattern, below=frozenset({"scoped_identifier", "if", "block"})):
        if node.type == "identifier" and (name := tree.text(node))[0].islower():
            yield name


def _immovable(tree: SyntaxTree) -> set[str]:
    """Return the names that also mean something else in this program: fields, methods, paths, parts of formats."""
    names: set[str] = set()
    for node in descendants(tree.root):
        match node.type:
            case "field_identifier" | "shorthand_field_identifier":
                names.add(tree.text(node))
            case "shorthand_field_initializer" | "scoped_identifier" | "use_declaration":
                names.update(tree.text(each) for each in descendants(node) if each.type == "identifier")
            case "string_literal":
                names.update(_IN_FORMATS.findall(tree.text(node)))
            case "function_item" if not _is_private_helper(node):
                names.update(_texts(tree, node.child_by_field_name("name")))
            case "token_tree":
                names.update(_after_dots(tree, node.children))
            case _:
                pass
    return names


def _after_dots(tree: SyntaxTree, tokens: Sequence[Node]) -> Iterator[str]:
    """Yield the methods and fields that stand inside of a macro's arguments, which have no syntax of their own."""
    for before, token in pairwise(tokens):
        if token.type == "identifier" and tree.text(before) == ".":
            yield tree.text(token)
