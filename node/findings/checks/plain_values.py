"""Calls and values that consist of literals, as people write them in examples, and as Rust of a wanted type."""

from collections.abc import Sequence
from typing import Final

from node.findings.calling.drawn_types import INTEGERS
from node.findings.reading.grammar import Node, SyntaxTree, parse
from node.findings.reading.rust_types import Array, Function, Named, Reference, RustType, Slice, TupleType

DEPTH_MAX: Final = 32
"""Depth of nested lists, tuples and `Some`s that are read: a type that is read has at most 24, and each level costs
Python's stack a few calls and, in `vec!`, one more parse. What is deeper is no plain value."""

_PREFIX: Final = "const X: T = "
_WORDS: Final = {"True": "true", "False": "false"}
"""Truth values as Python writes them: people who ask think in several languages."""

_CONSTRUCTORS: Final = frozenset({"Some", "Ok", "Err"})
_FLOATS: Final = frozenset({"f32", "f64"})
_EXACT_PARTS: Final = 8
"""A result with a fraction is an example only in multiples of 1/8: others may be rounded, and equality is exact."""


def expression_of(text: str) -> tuple[SyntaxTree, Node] | None:
    """Return the one expression that `text` is; None if it is none."""
    tree = parse(f"{_PREFIX}{text};")
    if tree is None or tree.faulty or tree.root.named_child_count != 1:
        return None
    item = tree.root.named_children[0]
    value = item.child_by_field_name("value") if item.type == "const_item" else None
    if value is None or value.start_byte != len(_PREFIX) or value.end_byte != len(tree.content) - 1:
        return None
    return tree, value


def plain_value(text: str) -> str | None:
    """Return `text` as Rust if it is a literal, or a list, tuple or `Option` of such; None otherwise."""
    return _plain_text(text, 0)


def plain_call(text: str) -> str | None:
    """Return `text` as Rust if it calls a function by its name with plain values; None otherwise."""
    found = expression_of(text)
    if found is None:
        return None
    tree, node = found
    called = node.child_by_field_name("function") if node.type == "call_expression" else None
    arguments = node.child_by_field_name("arguments")
    if called is None or called.type != "identifier" or arguments is None or tree.text(called) in _CONSTRUCTORS:
        return None
    values = [_plain(tree, child, 0) for child in arguments.named_children]
    if any(value is None for value in values):
        return None
    return f"{tree.text(called)}({', '.join(value for value in values if value is not None)})"


def fitted_call(call: str, expected: str, function: Function) -> tuple[str, str] | None:
    """Return a plain call and its result with the types of `function`; None if they do not fit it.

    `f([1, 2])` becomes `f(vec![1, 2])` where the function takes a vector.
    """
    found, result = expression_of(call), expression_of(expected)
    if found is None or result is None or found[1].type != "call_expression":
        return None
    tree, node = found
    called, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if called is None or arguments is None or tree.text(called) != function.name or function.receiver:
        return None
    given = arguments.named_children
    if len(given) != len(function.parameters):
        return None
    values = [_fit(tree, child, each.type) for child, each in zip(given, function.parameters, strict=True)]
    wanted = _fit(*result, function.result, is_result=True)
    if wanted is None or any(value is None for value in values):
        return None
    return f"{function.name}({', '.join(value for value in values if value is not None)})", wanted


def _plain_text(text: str, depth: int) -> str | None:
    found = expression_of(text) if depth <= DEPTH_MAX else None
    return _plain(*found, depth) if found is not None else None


def _plain(tree: SyntaxTree, node: Node, depth: int) -> str | None:
    """The value at `node`, `depth` levels within another, as Rust; None if it is not plain, or too deep."""
    if depth > DEPTH_MAX:
        return None
    text = tree.text(node)
    match node.type:
        case "integer_literal" | "float_literal" | "string_literal" | "char_literal" | "boolean_literal":
            return text
        case "unit_expression":
            return "()"
        case "identifier":
            return "None" if text == "None" else _WORDS.get(text)
        case "unary_expression":
            inner = node.named_children
            numeric = len(inner) == 1 and inner[0].type in ("integer_literal", "float_literal")
            return text if numeric and text.startswith("-") else None
        case "reference_expression":
            value = node.child_by_field_name("value")
            mutable = any(child.type == "mutable_specifier" for child in node.children)
            return None if value is None or mutable else _plain(tree, value, depth + 1)
        case "array_expression" | "tuple_expression":
            if any(child.type == ";" for child in node.children):
                return None
            return _listed(tree, node.named_children, depth + 1, is_tuple=node.type == "tuple_expression")
        case "macro_invocation":
            inner_text = text.removeprefix("vec!").strip()
            is_list = text.startswith("vec!") and inner_text.startswith("[")
            # The list within is the level, not the macro.
            return _plain_text(inner_text, depth) if is_list else None
        case "call_expression":
            return _constructed(tree, node, depth + 1)
        case _:
            return None


def _listed(tree: SyntaxTree, nodes: Sequence[Node], depth: int, *, is_tuple: bool) -> str | None:
    values = [_plain(tree, child, depth) for child in nodes]
    if any(value is None for value in values):
        return None
    text = ", ".join(value for value in values if value is not None)
    if is_tuple:
        return f"({text}{',' if len(values) == 1 else ''})"
    return f"[{text}]"


def _constructed(tree: SyntaxTree, node: Node, depth: int) -> str | None:
    """`Some(4)`, and `String::from("text")` as its text."""
    called, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if called is None or arguments is None:
        return None
    given = arguments.named_children
    if called.type == "field_expression":
        method, value = called.child_by_field_name("field"), called.child_by_field_name("value")
        owned = method is not None and tree.text(method) in ("to_string", "to_owned", "into") and not given
        return _plain(tree, value, depth) if owned and value is not None and value.type == "string_literal" else None
    inner = _plain(tree, given[0], depth) if len(given) == 1 else None
    if inner is None:
        return None
    if tree.text(called) == "String::from":
        return inner if given[0].type == "string_literal" else None
    return f"{tree.text(called)}({inner})" if tree.text(called) in _CONSTRUCTORS else None


def _fit(tree: SyntaxTree, node: Node, wanted: RustType, *, is_result: bool = False) -> str | None:
    """The value at `node` as Rust of the type `wanted`."""
    value = _plain(tree, node, 0)
    if value is None:
        return None
    plain = expression_of(value)
    return None if plain is None else _typed(*plain, wanted, is_result=is_result)


def _typed(tree: SyntaxTree, node: Node, wanted: RustType, *, is_result: bool) -> str | None:
    text = tree.text(node)
    match wanted:
        case Reference(True, _):
            return None
        case Reference(_, Named(("str",))):
            return text if node.type == "string_literal" else None
        case Reference(_, target):
            inner = _typed(tree, node, target, is_result=is_result)
            return None if inner is None else f"&{inner}"
        case Slice(element) | Array(element, _):
            return _elements(tree, node, element, "[", "]", is_result)
        case Named((*_, "Vec"), (element,)):
            return _elements(tree, node, element, "::std::vec![", "]", is_result)
        case TupleType(()):
            return text if node.type == "unit_expression" else None
        case TupleType(elements):
            return _tuple(tree, node, elements, is_result)
        case Named((*_, ("Option" | "Result") as name), arguments):
            return _wrapped(tree, node, name, arguments, is_result)
        case Named(segments, ()):
            return _scalar(node, text, segments[-1], is_result)
        case _:
            return None


def _scalar(node: Node, text: str, name: str, is_result: bool) -> str | None:
    number = node.type == "integer_literal" or (node.type == "unary_expression" and "." not in text)
    if name in INTEGERS:
        return text if number and not (name.startswith("u") and text.startswith("-")) else None
    if name in _FLOATS:
        if number:
            return f"{text}.0" if text.removeprefix("-").isdigit() else None
        decimal = text.removeprefix("-").replace(".", "", 1)
        if node.type not in ("float_literal", "unary_expression") or not (decimal.isascii() and decimal.isdigit()):
            return None
        return text if not is_result or float(text) * _EXACT_PARTS % 1 == 0 else None
    kinds = {"bool": "boolean_literal", "char": "char_literal", "String": "string_literal"}
    if kinds.get(name) != node.type:
        return None
    return f"::std::string::String::from({text})" if name == "String" else text


def _elements(
    tree: SyntaxTree, node: Node, element: RustType, opening: str, closing: str, is_result: bool
) -> str | None:
    if node.type != "array_expression":
        return None
    values = [_typed(tree, child, element, is_result=is_result) for child in node.named_children]
    # The type of an empty list would have to be inferred from the comparison, which often fails.
    if any(value is None for value in values) or (not values and is_result):
        return None
    return f"{opening}{', '.join(value for value in values if value is not None)}{closing}"


def _tuple(tree: SyntaxTree, node: Node, elements: Sequence[RustType], is_result: bool) -> str | None:
    children = node.named_children
    if node.type != "tuple_expression" or len(children) != len(elements):
        return None
    values = [
        _typed(tree, child, element, is_result=is_result) for child, element in zip(children, elements, strict=True)
    ]
    if any(value is None for value in values):
        return None
    return f"({''.join(f'{value}, ' for value in values)})"


def _wrapped(tree: SyntaxTree, node: Node, name: str, arguments: Sequence[RustType], is_result: bool) -> str | None:
    """`Some`, `None`, `Ok` and `Err`; a bare value is not taken for `Some` of it."""
    if node.type == "identifier":
        return "::std::option::Option::None" if name == "Option" and tree.text(node) == "None" else None
    called, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if node.type != "call_expression" or called is None or given is None or given.named_child_count != 1:
        return None
    label = tree.text(called)
    wanted = {("Option", "Some"): 0, ("Result", "Ok"): 0, ("Result", "Err"): 1}.get((name, label))
    if wanted is None or wanted >= len(arguments):
        return None
    inner = _typed(tree, given.named_children[0], arguments[wanted], is_result=is_result)
    path = "::std::option::Option" if name == "Option" else "::std::result::Result"
    return None if inner is None else f"{path}::{label}({inner})"
