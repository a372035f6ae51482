"""Finds a program's imports, well-known names that it uses without import, and crates of others that it needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from node.findings.reading.declarations import functions_of, path_segments
from node.findings.reading.grammar import Node, SyntaxTree, descendants
from node.findings.reading.std_names import (
    ATOMIC_ORDERINGS,
    BUILT_IN_CRATES,
    CMP_ORDERINGS,
    STD_FUNCTIONS,
    STD_MODULES,
    STD_NAMES,
    TOOL_ATTRIBUTES,
)

CRATES_MAX: Final = 16
"""Names of crates that are told; a program that needs one cannot be tested, however many more it names."""

LEAVES_MAX: Final = 512
"""Names that the imports of a program may bring in; further ones are not looked at."""

_ITEMS: Final = frozenset(
    {
        "const_item", "const_parameter", "enum_item", "enum_variant", "extern_crate_declaration", "function_item",
        "macro_definition", "mod_item", "static_item", "struct_item", "trait_item", "type_item", "type_parameter",
        "union_item",
    }
)  # fmt: skip
_RELATIVE: Final = frozenset({"crate", "self", "super", "Self"})
_PRIMITIVES: Final = frozenset(
    {
        "array", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "pointer", "slice", "str",
        "u128", "u16", "u32", "u64", "u8", "usize",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a `use` declaration brings in."""

    path: tuple[str, ...]
    name: str
    """`*`: all names of the path; `_`: none."""

    def __str__(self) -> str:
        path = "::".join(self.path)
        if self.name == "*":
            return f"use {path}::*;"
        return f"use {path};" if self.name == self.path[-1] else f"use {path} as {self.name};"


def imports_of(tree: SyntaxTree, declaration: Node) -> tuple[Import, ...]:
    """Return what a `use_declaration` brings in, at most `LEAVES_MAX`."""
    argument = declaration.child_by_field_name("argument")
    if argument is None:
        return ()
    found: list[Import] = []
    for leaf in _leaves(tree, argument, ()):
        if len(found) == LEAVES_MAX:
            break
        found.append(leaf)
    return tuple(found)


def missing_imports(tree: SyntaxTree) -> tuple[str, ...]:
    """Return the paths of well-known names that are used, and neither imported nor defined; sorted.

    To import them changes nothing for a program that compiles, since it resolves all its names.
    """
    root = _scope(tree, tree.root)
    wanted = set(root.used)
    orderings = set(root.orderings)
    pending = list(root.modules)
    while pending:
        inner = _scope(tree, pending.pop())
        if inner.sees_parent:
            wanted |= inner.used - inner.names
            if "Ordering" not in inner.names:
                orderings |= inner.orderings
            pending += inner.modules
    wanted -= root.names | defined_names(tree)
    paths = {STD_NAMES[name] for name in wanted if name in STD_NAMES}
    if "Ordering" in wanted:
        if orderings and orderings <= ATOMIC_ORDERINGS:
            paths.add("std::sync::atomic::Ordering")
        elif orderings <= CMP_ORDERINGS:
            paths.add("std::cmp::Ordering")
    return tuple(sorted(paths))


def foreign_crates(tree: SyntaxTree) -> tuple[str, ...]:
    """Return the names of crates that are neither the program's own modules nor the compiler's; sorted."""
    heads, known = _imported(tree)
    for node in descendants(tree.root):
        match node.type:
            case "extern_crate_declaration":
                name = node.child_by_field_name("name")
                if name is not None and tree.text(name) not in BUILT_IN_CRATES:
                    # Whatever else has that name, the declaration asks for a crate.
                    heads.add(tree.text(name))
                    known.discard(tree.text(name))
            case "attribute":
                path = node.named_children[:1]
                segments = path_segments(tree, path[0]) if path else ()
                heads |= {segments[0]} - TOOL_ATTRIBUTES if len(segments) > 1 else set()
            case "scoped_identifier" | "scoped_type_identifier":
                path_node = node.child_by_field_name("path")
                if path_node is not None and path_node.type == "identifier":
                    heads.add(tree.text(path_node))
    return _named_like_crates(heads - known)


def imported_crates(tree: SyntaxTree) -> tuple[str, ...]:
    """Return those of `foreign_crates` that stand in a `use` declaration."""
    heads, known = _imported(tree)
    return _named_like_crates(heads - known)


def _imported(tree: SyntaxTree) -> tuple[set[str], set[str]]:
    """First names of all imports; names that are no crates of others."""
    known = defined_names(tree) | BUILT_IN_CRATES | _RELATIVE | _PRIMITIVES | STD_MODULES
    heads: set[str] = set()
    for node in descendants(tree.root):
        if node.type == "use_declaration":
            leaves = imports_of(tree, node)
            heads |= {leaf.path[0] for leaf in leaves if leaf.path}
            known |= {leaf.name for leaf in leaves if len(leaf.path) > 1}
    return heads, known


def _named_like_crates(names: set[str]) -> tuple[str, ...]:
    """Those without capitals, which only types, traits and constants have."""
    return tuple(sorted(name for name in names if name == name.lower()))[:CRATES_MAX]


@dataclass(slots=True)
class _Scope:
    """Names that a module's own text uses and binds, without those of modules within it."""

    used: set[str]
    names: set[str]
    orderings: set[str]
    modules: list[Node]
    sees_parent: bool = False


def _scope(tree: SyntaxTree, module: Node) -> _Scope:
    scope = _Scope(set(), set(), set(), [])
    body = module.child_by_field_name("body") if module.type == "mod_item" else module
    if body is None:
        return scope
    for child in body.children:
        if child.type == "use_declaration":
            leaves = imports_of(tree, child)
            scope.names |= {leaf.name for leaf in leaves}
            scope.sees_parent |= any(leaf.name == "*" and leaf.path == ("super",) for leaf in leaves)
        elif child.type in _ITEMS:
            scope.names |= _declared(tree, child)
    qualified: set[int] = set()
    outer = frozenset({"mod_item", "attribute_item", "inner_attribute_item", "use_declaration"})
    for node in descendants(body, below=outer):
        match node.type:
            case "mod_item":
                scope.modules.append(node)
            case "scoped_identifier" | "scoped_type_identifier":
                _see_path(tree, node, scope, qualified)
            case "identifier" | "type_identifier":
                name = tree.text(node)
                if name[:1].isupper() and node.start_byte not in qualified:
                    scope.used.add(name)
            case "call_expression":
                called = node.child_by_field_name("function")
                if called is not None and called.type == "identifier" and tree.text(called) in STD_FUNCTIONS:
                    scope.used.add(tree.text(called))
            case "token_tree":
                _see_tokens(tree, node, scope, qualified)
    return scope


def _see_path(tree: SyntaxTree, node: Node, scope: _Scope, qualified: set[int]) -> None:
    """`a::b`: its first name is used, the others are found from there."""
    path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
    if name is not None:
        qualified.add(name.start_byte)
    if path is None or path.type != "identifier":
        return
    head = tree.text(path)
    if head in STD_MODULES:
        scope.used.add(head)
    if head == "Ordering" and name is not None:
        scope.orderings.add(tree.text(name))


def _see_tokens(tree: SyntaxTree, node: Node, scope: _Scope, qualified: set[int]) -> None:
    """Note names in the tokens that a macro is given, which the grammar does not read as paths."""
    tokens = node.children
    for index, token in enumerate(tokens):
        if token.type != "identifier":
            continue
        before = tokens[index - 1].type if index else ""
        after = tokens[index + 1].type if index + 1 < len(tokens) else ""
        if before in ("::", "."):
            qualified.add(token.start_byte)
            continue
        name = tree.text(token)
        if after == "::":
            if name in STD_MODULES:
                scope.used.add(name)
            if name == "Ordering" and index + 2 < len(tokens):
                scope.orderings.add(tree.text(tokens[index + 2]))
        elif after == "token_tree" and name in STD_FUNCTIONS:
            scope.used.add(name)


def _declared(tree: SyntaxTree, item: Node) -> set[str]:
    name = item.child_by_field_name("alias") or item.child_by_field_name("name")
    return set() if name is None else {tree.text(name)}


def imported_names(tree: SyntaxTree) -> set[str]:
    """Return the names that imports bind, wherever they stand."""
    declarations = (node for node in descendants(tree.root) if node.type == "use_declaration")
    return {leaf.name for declaration in declarations for leaf in imports_of(tree, declaration)}


def defined_names(tree: SyntaxTree) -> set[str]:
    """Return the names of all declarations and enum variants, wherever they stand: a glob import may bring each in.

    Those of methods are not among them.
    """
    names: set[str] = set()
    methods: set[int] = set()
    for node in descendants(tree.root):
        if node.type in ("impl_item", "trait_item"):
            body = node.child_by_field_name("body")
            methods |= set() if body is None else {child.start_byte for child in functions_of(body)}
        if node.type in _ITEMS and not (node.type == "function_item" and node.start_byte in methods):
            names |= _declared(tree, node)
    return names


def _leaves(tree: SyntaxTree, node: Node, prefix: tuple[str, ...]) -> Iterator[Import]:
    match node.type:
        case "use_as_clause":
            path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
            if path is not None and alias is not None:
                yield Import(prefix + path_segments(tree, path), tree.text(alias))
        case "use_list":
            for child in node.named_children:
                yield from _leaves(tree, child, prefix)
        case "scoped_use_list":
            path, listed = node.child_by_field_name("path"), node.child_by_field_name("list")
            if listed is not None:
                yield from _leaves(tree, listed, prefix + (() if path is None else path_segments(tree, path)))
        case "use_wildcard":
            inner = node.named_children[:1]
            yield Import(prefix + (path_segments(tree, inner[0]) if inner else ()), "*")
        case "self":
            if prefix:
                yield Import(prefix, prefix[-1])
        case _:
            segments = prefix + path_segments(tree, node)
            if segments:
                yield Import(segments, segments[-1])
