"""Concrete Rust types of which the harness library can draw values, for the types of a signature.

Lifetimes become `'static`, generic parameters a type that satisfies their bounds, `const` parameters `CONST_VALUE`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from node.findings.reading.abstract_types import abstract_type
from node.findings.reading.rust_types import (
    Array,
    Bounded,
    Generic,
    Named,
    OpaqueType,
    Reference,
    RustType,
    Slice,
    TupleType,
)

CONST_VALUE: Final = "3"
"""Value of every `const` generic parameter, as the length of an array."""

TUPLE_MAX: Final = 6
"""Elements of the longest tuple that the harness library draws."""

INTEGERS: Final = frozenset({"i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"})
_PLAIN: Final = {name: name for name in (*INTEGERS, "bool", "char", "f32", "f64")} | {
    "String": "::std::string::String",
    "PathBuf": "::std::path::PathBuf",
    "OsString": "::std::ffi::OsString",
    "Duration": "::std::time::Duration",
    "Condvar": "::std::sync::Condvar",
    "Barrier": "::std::sync::Barrier",
    **{f"Atomic{name}": f"::std::sync::atomic::Atomic{name}" for name in ("Bool", "I32", "I64", "U32", "U64", "Usize")},
}
_WITH_ONE: Final = {
    "Vec": "::std::vec::Vec",
    "VecDeque": "::std::collections::VecDeque",
    "LinkedList": "::std::collections::LinkedList",
    "BinaryHeap": "::std::collections::BinaryHeap",
    "BTreeSet": "::std::collections::BTreeSet",
    "HashSet": "::std::collections::HashSet",
    "Option": "::std::option::Option",
    "Box": "::std::boxed::Box",
    "Rc": "::std::rc::Rc",
    "Arc": "::std::sync::Arc",
    "Mutex": "::std::sync::Mutex",
    "RwLock": "::std::sync::RwLock",
    "RefCell": "::std::cell::RefCell",
    "Cell": "::std::cell::Cell",
    "OnceLock": "::std::sync::OnceLock",
    "Wrapping": "::std::num::Wrapping",
    "Reverse": "::std::cmp::Reverse",
}
_WITH_TWO: Final = {
    "HashMap": "::std::collections::HashMap",
    "BTreeMap": "::std::collections::BTreeMap",
    "Result": "::std::result::Result",
}
MUTABLE_INSIDE: Final = frozenset({"Mutex", "RwLock", "RefCell", "Cell", "OnceLock"})
"""Types whose values a function may change through a shared reference; atomics are others."""

_MET_BY_I32: Final = frozenset(
    {
        "Add", "AddAssign", "Any", "BitAnd", "BitOr", "BitXor", "Borrow", "Clone", "Copy", "Debug", "Default",
        "Display", "Div", "Eq", "From", "FromStr", "Hash", "Into", "Mul", "Neg", "Not", "Ord", "PartialEq",
        "PartialOrd", "Product", "Rem", "Send", "Sized", "Step", "Sub", "SubAssign", "Sum", "Sync", "ToOwned",
        "ToString", "Unpin",
    }
)  # fmt: skip
"""Traits of the standard library that `i32` implements: a parameter with no other bounds is drawn as `i32`."""

TEXT: Final = "&'static str"


class UnsupportedError(Exception):
    """A signature or type of which no values can be drawn; the message names what. Never leaves this package."""


class Scope:
    """Meaning of the names in a signature: its generic parameters and the answer's own types."""

    def __init__(
        self, generics: Sequence[Generic], own: Mapping[str, Sequence[Generic]], hidden: frozenset[str] = frozenset()
    ) -> None:
        """Make a scope.

        Args:
            generics: the parameters of the function or type.
            own: the answer's types of which values can be drawn, with their parameters; lifetimes are `'a` in name.
            hidden: names that the answer gives to types of its own of which no values can be drawn.
        """
        self.generics = {generic.name: generic for generic in generics}
        self.own = own
        self.hidden = hidden

    def parameter(self, declared: RustType) -> Generic | None:
        """Return the generic parameter that `declared` is."""
        if isinstance(declared, Named) and declared.plain:
            return self.generics.get(declared.name)
        return None


def drawn_type(declared: RustType, scope: Scope) -> str:
    """Return the Rust text of the type to draw for `declared`; raises `UnsupportedError`."""
    match declared:
        case Reference(mutable, target):
            return f"&'static {'mut ' if mutable else ''}{_referred(target, scope, mutable=mutable)}"
        case Array(element, length):
            generic = scope.generics.get(length.strip())
            return f"[{drawn_type(element, scope)}; {CONST_VALUE if generic is not None else length}]"
        case TupleType(elements):
            if len(elements) > TUPLE_MAX:
                raise UnsupportedError(f"tuple of {len(elements)}")
            return f"({''.join(f'{drawn_type(element, scope)}, ' for element in elements)})"
        case Bounded("impl", bounds):
            return drawn_for_bounds(bounds)
        case Named():
            return _drawn_named(declared, scope)
        case _:
            raise UnsupportedError(_describe(declared))


def passed_type(declared: RustType, scope: Scope) -> str:
    """Return the Rust text of a closure's parameter, whose references live as long as the call."""
    match declared:
        case Reference(mutable, Slice(element)):
            return f"&{'mut ' if mutable else ''}[{drawn_type(element, scope)}]"
        case Reference(mutable, Named(("str",))):
            return "&mut str" if mutable else "&str"
        case Reference(mutable, target):
            return f"&{'mut ' if mutable else ''}{passed_type(target, scope)}"
        case _:
            return drawn_type(declared, scope)


def drawn_for_bounds(bounds: Sequence[RustType]) -> str:
    """Return a type that satisfies the bounds of a generic parameter; raises `UnsupportedError`."""
    unmet: list[str] = []
    for bound in bounds:
        if not isinstance(bound, Named):
            raise UnsupportedError(_describe(bound))
        argument = abstract_type(bound.arguments[0]) if bound.arguments else ""
        match bound.name:
            case "AsRef" | "Borrow" if argument in ("str", "Path", "OsStr"):
                return TEXT
            case "AsRef" if argument.startswith("list<") and argument[5:-1] in _PLAIN:
                return f"::std::vec::Vec<{argument[5:-1]}>"
            case "Into" if argument in ("str", "PathBuf", "OsString"):
                return TEXT
            case "Into" if argument in INTEGERS or argument in ("f32", "f64"):
                return argument
            case name if name not in _MET_BY_I32:
                unmet.append(name)
    if unmet:
        raise UnsupportedError(f"bound {'+'.join(unmet)}")
    return "i32"


def _referred(target: RustType, scope: Scope, *, mutable: bool) -> str:
    match target:
        case Named(segments) if segments[-1] == "str":
            return "str"
        case Named(segments) if segments[-1] == "Path" and not mutable:
            return "::std::path::Path"
        case Slice(element):
            return f"[{drawn_type(element, scope)}]"
        case _:
            return drawn_type(target, scope)


def _drawn_named(declared: Named, scope: Scope) -> str:
    generic = scope.parameter(declared)
    if generic is not None:
        if generic.is_const:
            raise UnsupportedError("const parameter as a type")
        return drawn_for_bounds(generic.bounds)
    name, arguments = declared.name, declared.arguments
    if name in scope.own and len(declared.segments) == 1:
        return _own_type(declared, scope)
    if name in scope.hidden:
        raise UnsupportedError(f"type {name}")
    if name == "Ordering" and "atomic" not in declared.segments:
        return "::std::cmp::Ordering"
    if name in _PLAIN and not arguments:
        return _PLAIN[name]
    if name == "Box" and len(arguments) == 1:
        match arguments[0]:
            case Slice(element):
                return f"::std::boxed::Box<[{drawn_type(element, scope)}]>"
            case Named(("str",)):
                return "::std::boxed::Box<str>"
    path = {1: _WITH_ONE, 2: _WITH_TWO}.get(len(arguments), {}).get(name)
    if path is None:
        raise UnsupportedError(f"type {name}")
    return f"{path}<{', '.join(drawn_type(argument, scope) for argument in arguments)}>"


def _own_type(declared: Named, scope: Scope) -> str:
    """A type of the answer, with its lifetimes and parameters."""
    parts: list[str] = []
    given = list(declared.arguments)
    for generic in scope.own[declared.name]:
        if generic.name.startswith("'"):
            parts.append("'static")
        elif not given:
            # Left out because it has a default, or because it is `Self`'s.
            break
        elif generic.is_const:
            argument = given.pop(0)
            known = isinstance(argument, Named) and argument.name in scope.generics
            parts.append(CONST_VALUE if known or not isinstance(argument, OpaqueType) else argument.text)
        else:
            parts.append(drawn_type(given.pop(0), scope))
    return f"{declared.name}<{', '.join(parts)}>" if parts else declared.name


def _describe(declared: RustType) -> str:
    match declared:
        case Bounded(keyword, bounds):
            return f"{keyword} {'+'.join(bound.name for bound in bounds if isinstance(bound, Named))}".strip()
        case OpaqueType(kind, _):
            return kind.replace("_", " ")
        case _:
            return type(declared).__name__
