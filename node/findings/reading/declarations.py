"""Reads declarations from the syntax tree into the model of `rust_types`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from node.findings.reading.aliases import Alias, Expander
from node.findings.reading.grammar import Node, SyntaxTree
from node.findings.reading.rust_types import (
    ENTRIES_MAX,
    TYPE_DEPTH_MAX,
    UNIT,
    Array,
    Bounded,
    CallableBound,
    Enumeration,
    Fields,
    Function,
    FunctionPointer,
    Generic,
    Implementation,
    Named,
    OpaqueType,
    Parameter,
    Reference,
    RustType,
    Slice,
    Structure,
    TupleType,
)

_CALLABLES: Final = frozenset({"Fn", "FnMut", "FnOnce"})
_SKIPPED: Final = frozenset({"attribute_item", "line_comment", "block_comment", "visibility_modifier"})


def read_type(tree: SyntaxTree, node: Node, depth: int = 0) -> RustType:
    """Return the type at `node`."""
    if depth > TYPE_DEPTH_MAX or node.has_error:
        return _opaque(tree, node)

    def inner(child: Node | None) -> RustType:
        return OpaqueType("missing", "") if child is None else read_type(tree, child, depth + 1)

    match node.type:
        case "primitive_type" | "type_identifier" | "identifier" | "self" | "metavariable":
            return Named((tree.text(node),))
        case "scoped_type_identifier" | "scoped_identifier":
            segments = path_segments(tree, node)
            return Named(segments) if segments else _opaque(tree, node)
        case "generic_type" | "generic_type_with_turbofish":
            return _generic_type(tree, node, depth)
        case "reference_type":
            mutable = any(child.type == "mutable_specifier" for child in node.children)
            return Reference(mutable, inner(node.child_by_field_name("type")))
        case "array_type":
            element = inner(node.child_by_field_name("element"))
            length = node.child_by_field_name("length")
            return Slice(element) if length is None else Array(element, tree.text(length))
        case "tuple_type":
            return TupleType(tuple(inner(child) for child in _entries(node)))
        case "unit_type":
            return UNIT
        case "parenthesized_type":
            return inner(next(_entries(node), None))
        case "abstract_type" | "dynamic_type":
            keyword = "impl" if node.type == "abstract_type" else "dyn"
            return Bounded(keyword, (inner(node.child_by_field_name("trait")),))
        case "bounded_type":
            return _bounded(tree, node, depth)
        case "function_type":
            return _function_type(tree, node, depth)
        case "higher_ranked_trait_bound":
            return inner(node.child_by_field_name("type"))
        case "removed_trait_bound":
            return Named(("Sized",))
        case _:
            return _opaque(tree, node)


def read_function(tree: SyntaxTree, node: Node) -> Function | None:
    """Return the function at a `function_item` or `function_signature_item`; None if it has no name."""
    name = node.child_by_field_name("name")
    parameters = node.child_by_field_name("parameters")
    if name is None or parameters is None or name.type != "identifier":
        return None
    complete = not parameters.has_error
    receiver = ""
    plain: list[Parameter] = []
    for child in _entries(parameters):
        match child.type:
            case "self_parameter":
                receiver = _receiver(child)
            case "parameter":
                pattern = child.child_by_field_name("pattern")
                declared = child.child_by_field_name("type")
                if pattern is not None and pattern.type == "self":
                    receiver = "other"
                elif declared is not None:
                    label = tree.text(pattern) if pattern is not None and pattern.type == "identifier" else "_"
                    plain.append(Parameter(label, read_type(tree, declared)))
                else:
                    complete = False
            case _:
                complete = False
    result = node.child_by_field_name("return_type")
    generics = _read_generics(tree, node)
    return Function(
        name=tree.text(name),
        generics=generics[:ENTRIES_MAX],
        parameters=tuple(plain[:ENTRIES_MAX]),
        result=UNIT if result is None else read_type(tree, result),
        receiver=receiver,
        qualifiers=_qualifiers(node),
        complete=complete and len(plain) <= ENTRIES_MAX and len(generics) <= ENTRIES_MAX,
    )


def read_structure(tree: SyntaxTree, node: Node) -> Structure | None:
    """Return the struct at a `struct_item`; None if it has no name."""
    name = node.child_by_field_name("name")
    if name is None:
        return None
    fields = _fields(tree, node.child_by_field_name("body"))
    return Structure(tree.text(name), _read_generics(tree, node)[:ENTRIES_MAX], _lifetimes(node), fields)


def read_enumeration(tree: SyntaxTree, node: Node) -> Enumeration | None:
    """Return the enum at an `enum_item`; None if it has no name."""
    name = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    if name is None or body is None:
        return None
    variants: list[tuple[str, Fields]] | None = []
    for child in _entries(body):
        label = child.child_by_field_name("name")
        fields = _fields(tree, child.child_by_field_name("body"))
        if variants is None or child.type != "enum_variant" or label is None or fields is None:
            variants = None
        else:
            variants.append((tree.text(label), fields))
    if variants is not None and len(variants) > ENTRIES_MAX:
        variants = None
    generics = _read_generics(tree, node)[:ENTRIES_MAX]
    return Enumeration(tree.text(name), generics, _lifetimes(node), None if variants is None else tuple(variants))


def read_implementation(tree: SyntaxTree, node: Node) -> Implementation | None:
    """Return the implementation at an `impl_item`; None if its type cannot be seen."""
    declared = node.child_by_field_name("type")
    if declared is None:
        return None
    trait = node.child_by_field_name("trait")
    body = node.child_by_field_name("body")
    functions = [] if body is None else [read_function(tree, child) for child in functions_of(body)]
    return Implementation(
        generics=_read_generics(tree, node)[:ENTRIES_MAX],
        trait=None if trait is None else read_type(tree, trait),
        type=read_type(tree, declared),
        functions=tuple(function for function in functions if function is not None)[:ENTRIES_MAX],
    )


def associated_functions(block: Implementation) -> tuple[Function, ...]:
    """Return the functions of an inherent implementation that can be called by their path, named `Type::function`.

    Those that take inputs, of a type without parameters. `Self` is put in as the type.
    """
    if block.trait is not None or block.generics or not isinstance(block.type, Named) or not block.type.plain:
        return ()
    expander = Expander({"Self": Alias((), block.type)})
    return tuple(
        replace(expander.function(each), name=f"{block.type.name}::{each.name}")
        for each in block.functions
        if each.complete and each.parameters and not each.receiver
    )


def read_alias(tree: SyntaxTree, node: Node) -> tuple[str, Alias] | None:
    """Return name and meaning of a `type_item`; None if they cannot be seen."""
    name, meant = node.child_by_field_name("name"), node.child_by_field_name("type")
    if name is None or meant is None:
        return None
    return tree.text(name), Alias(_read_generics(tree, node)[:ENTRIES_MAX], read_type(tree, meant))


def functions_of(body: Node) -> Iterator[Node]:
    """Yield the functions that stand directly in `body`."""
    return (child for child in body.children if child.type == "function_item")


def path_segments(tree: SyntaxTree, node: Node) -> tuple[str, ...]:
    """Return the names of a path (`std::fmt::Display`), without a leading `::`; empty if it is no plain path."""
    names: list[str] = []
    current: Node | None = node
    while current is not None and len(names) <= TYPE_DEPTH_MAX:
        match current.type:
            case "scoped_type_identifier" | "scoped_identifier":
                name = current.child_by_field_name("name")
                if name is None:
                    return ()
                names.append(tree.text(name))
                current = current.child_by_field_name("path")
            case "identifier" | "type_identifier" | "crate" | "self" | "super" | "primitive_type" | "metavariable":
                names.append(tree.text(current))
                return tuple(reversed(names))
            case _:
                return ()
    return tuple(reversed(names)) if current is None else ()


def _opaque(tree: SyntaxTree, node: Node) -> OpaqueType:
    return OpaqueType(node.type, tree.text(node)[:80])


def _entries(node: Node) -> Iterator[Node]:
    """Yield what a list consists of, without punctuation, comments, attributes and visibilities."""
    return (child for child in node.named_children if child.type not in _SKIPPED)


def _generic_type(tree: SyntaxTree, node: Node, depth: int) -> RustType:
    base = node.child_by_field_name("type")
    listed = node.child_by_field_name("type_arguments")
    if base is None or listed is None:
        return _opaque(tree, node)
    named = read_type(tree, base, depth + 1)
    arguments: list[RustType] = []
    bindings: list[tuple[str, RustType]] = []
    for child in _entries(listed):
        if child.type == "lifetime":
            continue
        if child.type == "type_binding":
            label, bound = child.child_by_field_name("name"), child.child_by_field_name("type")
            if label is not None and bound is not None:
                bindings.append((tree.text(label), read_type(tree, bound, depth + 1)))
        else:
            arguments.append(read_type(tree, child, depth + 1))
    if not isinstance(named, Named) or len(arguments) > ENTRIES_MAX or len(bindings) > ENTRIES_MAX:
        return _opaque(tree, node)
    return replace(named, arguments=tuple(arguments), bindings=tuple(bindings))


def _bounded(tree: SyntaxTree, node: Node, depth: int) -> RustType:
    """`impl A + B`: the grammar puts the keyword into the first bound."""
    bounds: list[RustType] = []
    keyword = ""
    for child in _entries(node):
        if child.type in ("lifetime", "use_bounds"):
            continue
        bound = read_type(tree, child, depth + 1)
        if isinstance(bound, Bounded):
            keyword = keyword or bound.keyword
            bounds += bound.bounds
        else:
            bounds.append(bound)
    return Bounded(keyword, tuple(bounds)) if keyword and len(bounds) <= ENTRIES_MAX else _opaque(tree, node)


def _function_type(tree: SyntaxTree, node: Node, depth: int) -> RustType:
    listed = node.child_by_field_name("parameters")
    parameters: list[RustType] = []
    for child in _entries(listed) if listed is not None else ():
        declared = child.child_by_field_name("type") if child.type == "parameter" else child
        parameters.append(_opaque(tree, child) if declared is None else read_type(tree, declared, depth + 1))
    returned = node.child_by_field_name("return_type")
    result = UNIT if returned is None else read_type(tree, returned, depth + 1)
    if len(parameters) > ENTRIES_MAX:
        return _opaque(tree, node)
    trait = node.child_by_field_name("trait")
    if trait is None:
        return FunctionPointer(tuple(parameters), result)
    named = read_type(tree, trait, depth + 1)
    if isinstance(named, Named) and named.name in _CALLABLES:
        return CallableBound(named.name, tuple(parameters), result)
    return _opaque(tree, node)


def _receiver(node: Node) -> str:
    kinds = [child.type for child in node.children]
    if "&" not in kinds:
        return "self"
    return "&mut self" if "mutable_specifier" in kinds else "&self"


def _qualifiers(node: Node) -> frozenset[str]:
    modifiers = next((child for child in node.children if child.type == "function_modifiers"), None)
    if modifiers is None:
        return frozenset()
    kinds = {child.type for child in modifiers.children}
    found = kinds & {"async", "const", "unsafe"}
    return frozenset(found | {"extern"} if "extern_modifier" in kinds else found)


def _read_generics(tree: SyntaxTree, node: Node) -> tuple[Generic, ...]:
    """Type and const parameters in order, each with the bounds of its declaration and of the where clause."""
    found: dict[str, Generic] = {}
    listed = node.child_by_field_name("type_parameters")
    for child in _entries(listed) if listed is not None else ():
        name = child.child_by_field_name("name")
        if name is None:
            continue
        if child.type == "const_parameter":
            found[tree.text(name)] = Generic(tree.text(name), (), is_const=True)
        elif child.type == "type_parameter":
            found[tree.text(name)] = Generic(tree.text(name), _bounds(tree, child.child_by_field_name("bounds")))
    clause = next((child for child in node.children if child.type == "where_clause"), None)
    for predicate in _entries(clause) if clause is not None else ():
        left = predicate.child_by_field_name("left")
        constrained = None if left is None else read_type(tree, left)
        if isinstance(constrained, Named) and constrained.plain and constrained.name in found:
            generic = found[constrained.name]
            added = _bounds(tree, predicate.child_by_field_name("bounds"))
            found[constrained.name] = replace(generic, bounds=generic.bounds + added)
    return tuple(found.values())


def _bounds(tree: SyntaxTree, node: Node | None) -> tuple[RustType, ...]:
    if node is None:
        return ()
    children = (child for child in _entries(node) if child.type not in ("lifetime", "use_bounds"))
    return tuple(read_type(tree, child) for child in children)[:ENTRIES_MAX]


def _lifetimes(node: Node) -> int:
    listed = node.child_by_field_name("type_parameters")
    return 0 if listed is None else sum(child.type == "lifetime_parameter" for child in listed.children)


def _fields(tree: SyntaxTree, body: Node | None) -> Fields | None:
    """The fields of a struct or variant; None if they cannot be read."""
    if body is None:
        return Fields((), (), braced=False, unit=True)
    if body.has_error:
        return None
    if body.type == "ordered_field_declaration_list":
        types = tuple(read_type(tree, child) for child in _entries(body))
        return Fields((), types, braced=False) if len(types) <= ENTRIES_MAX else None
    names: list[str] = []
    types_found: list[RustType] = []
    for child in _entries(body):
        name, declared = child.child_by_field_name("name"), child.child_by_field_name("type")
        if child.type != "field_declaration" or name is None or declared is None:
            return None
        names.append(tree.text(name))
        types_found.append(read_type(tree, declared))
    if len(names) > ENTRIES_MAX:
        return None
    return Fields(tuple(names), tuple(types_found), braced=True)
