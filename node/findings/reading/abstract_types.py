"""Abstract signatures: what remains of a signature when the ways of passing values are dropped.

References vanish, `Vec`, slices and arrays are lists, `String` and `str` are one, `Box`, `Rc` and `Arc` are unwrapped.
Answers with one abstract signature can be run on the same inputs.
"""

from typing import Final

from node.findings.reading.rust_types import (
    Array,
    Bounded,
    CallableBound,
    Function,
    FunctionPointer,
    Generic,
    Named,
    OpaqueType,
    Reference,
    RustType,
    Slice,
    TupleType,
)

SMART_POINTERS: Final = frozenset({"Box", "Rc", "Arc"})
ITERATORS: Final = frozenset({"Iterator", "IntoIterator", "DoubleEndedIterator", "ExactSizeIterator", "FusedIterator"})
_LISTS: Final = frozenset({"Vec", "VecDeque"})
_NAMES: Final = {
    "String": "str",
    "str": "str",
    "HashMap": "map",
    "BTreeMap": "map",
    "HashSet": "set",
    "BTreeSet": "set",
}


def abstract_signature(function: Function) -> str:
    """Return the abstract signature of `function`, as `(list<i32>,str)->Option<i32>`."""
    parts = [abstract_type(parameter.type, function) for parameter in function.parameters]
    if function.receiver:
        parts.insert(0, function.receiver)
    return f"({','.join(parts)})->{abstract_type(function.result, function)}"


def abstract_type(declared: RustType, function: Function | None = None) -> str:
    """Return the abstract form of a type; `function`: where its generic parameters are declared."""

    def inner(each: RustType) -> str:
        return abstract_type(each, function)

    match declared:
        case Reference(mutable, target):
            return inner(target) + ("!" if mutable else "")
        case Array(element, _) | Slice(element):
            return f"list<{inner(element)}>"
        case TupleType(elements):
            return f"({','.join(map(inner, elements))})"
        case Bounded(_, bounds):
            return "impl " + "+".join(sorted(map(inner, bounds)))
        case FunctionPointer(parameters, result):
            return f"impl fn({','.join(map(inner, parameters))})->{inner(result)}"
        case CallableBound(_, parameters, result):
            return f"fn({','.join(map(inner, parameters))})->{inner(result)}"
        case Named():
            return _abstract_named(declared, function)
        case OpaqueType(kind, text):
            return f"{kind} {' '.join(text.split())}"


def callable_bounds(declared: RustType, function: Function) -> tuple[RustType, ...]:
    """Return the bounds of a type that stands for a closure or an iterator; nothing for all others."""
    bounds: tuple[RustType, ...] = ()
    if isinstance(declared, Bounded):
        bounds = declared.bounds
    elif isinstance(declared, Named) and declared.plain and (generic := function.generic(declared.name)):
        bounds = generic.bounds
    names = {bound.name for bound in bounds if isinstance(bound, Named)}
    return bounds if names & ITERATORS or any(isinstance(bound, CallableBound) for bound in bounds) else ()


def _abstract_named(declared: Named, function: Function | None) -> str:
    generic: Generic | None = function.generic(declared.name) if function is not None and declared.plain else None
    if generic is not None and function is not None:
        bounds = callable_bounds(declared, function)
        # A closure's type is named or not: that makes no difference to a caller.
        return abstract_type(Bounded("impl", bounds), function) if bounds else "T"
    name, arguments = declared.name, declared.arguments
    if name in SMART_POINTERS and arguments:
        return abstract_type(arguments[0], function)
    if name in _LISTS and arguments:
        return f"list<{abstract_type(arguments[0], function)}>"
    if name == "Cow":
        return abstract_type(arguments[-1], function) if arguments else "str"
    parts = [abstract_type(argument, function) for argument in arguments]
    parts += [f"{label}={abstract_type(bound, function)}" for label, bound in declared.bindings]
    return _NAMES.get(name, name) + (f"<{','.join(parts)}>" if parts else "")
