"""`Arb` implementations for an answer's own structs and enums: how values of them are drawn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.findings.calling.drawn_types import Scope, UnsupportedError, drawn_type
from node.findings.reading.extraction import Source
from node.findings.reading.rust_types import (
    Array,
    Enumeration,
    Fields,
    Generic,
    Named,
    Reference,
    RustType,
    Slice,
    Structure,
    TupleType,
)

OWN_TYPES_MAX: Final = 48
"""Types of an answer of which values are drawn; a program with more is no answer to a small task."""

RECURSION_MAX: Final = 3
"""Depth to which a type is drawn that holds values of itself, as a tree does: at most some hundred nodes."""

_CAN_BE_EMPTY: Final = {
    "Option": "::std::option::Option::None",
    "Vec": "::std::vec::Vec::new()",
    "VecDeque": "::std::collections::VecDeque::new()",
}
_DRAW: Final = "::strand_harness::arb(g)"


@dataclass(frozen=True, slots=True)
class OwnTypes:
    """The answer's types of which values can be drawn."""

    parameters: Mapping[str, Sequence[Generic]]
    """Generic parameters by name of the type, lifetimes as `'a` first."""
    hidden: frozenset[str]
    """Names of its other types."""
    implementations: tuple[str, ...]
    """Rust text, one for each type, in the order of the program."""

    def scope(self, generics: Sequence[Generic] = ()) -> Scope:
        """Return the scope of a signature with these generic parameters."""
        return Scope(generics, self.parameters, self.hidden)


def own_types(source: Source) -> OwnTypes:
    """Return which of a source's structs and enums can be drawn, and how."""
    declared: dict[str, Structure | Enumeration] = {each.name: each for each in source.enumerations}
    declared |= {each.name: each for each in source.structures}
    names = frozenset(declared)
    drawable = dict(list(declared.items())[:OWN_TYPES_MAX])
    # A type that cannot be drawn takes those with it that hold one.
    while True:
        parameters = {name: _parameters(each) for name, each in drawable.items()}
        found = OwnTypes(parameters, names - drawable.keys(), ())
        held = {name: each for name, each in drawable.items() if _can_hold(each, found)}
        if len(held) < len(drawable):
            drawable = held
            continue
        texts = {name: _implementation(each, drawable, found) for name, each in drawable.items()}
        if all(texts.values()):
            return OwnTypes(parameters, found.hidden, tuple(text for text in texts.values() if text))
        drawable = {name: each for name, each in drawable.items() if texts[name]}


def _can_hold(declared: Structure | Enumeration, found: OwnTypes) -> bool:
    """Whether all that a value of the type holds can be drawn."""
    scope = found.scope(declared.generics)
    try:
        for each in _held(declared):
            drawn_type(each, scope)
    except UnsupportedError:
        return False
    return True


def _parameters(declared: Structure | Enumeration) -> tuple[Generic, ...]:
    lifetimes = tuple(Generic(f"'l{index}", ()) for index in range(declared.lifetimes))
    return lifetimes + declared.generics


def _implementation(
    declared: Structure | Enumeration, drawable: Mapping[str, Structure | Enumeration], found: OwnTypes
) -> str | None:
    """Return the implementation for a type; None: it cannot be drawn."""
    try:
        value = _value(declared, _reaching(declared.name, drawable), found)
        given = [_bounded(generic) for generic in declared.generics]
    except UnsupportedError:
        return None
    arguments = ["'static"] * declared.lifetimes + [generic.name for generic in declared.generics]
    own = f"{declared.name}<{', '.join(arguments)}>" if arguments else declared.name
    parameters = f"<{', '.join(given)}>" if given else ""
    return (
        f"impl{parameters} ::strand_harness::Arb for {own} "
        f"{{ fn arb(g: &mut ::strand_harness::G) -> Self {{ {value} }} }}"
    )


def _value(declared: Structure | Enumeration, reaching: frozenset[str], found: OwnTypes) -> str:
    """The body that draws a value; `reaching`: types through which the type holds itself."""
    scope = found.scope(declared.generics)
    if isinstance(declared, Structure):
        fields = declared.fields
        if fields is None:
            raise UnsupportedError(f"type {declared.name}")
        shallow = _construct(declared.name, fields, scope, frozenset())
        if not _mentions(fields.types, reaching):
            return shallow
        return _guarded(_construct(declared.name, fields, scope, reaching), shallow)
    variants = [(f"{declared.name}::{name}", fields) for name, fields in declared.variants or ()]
    every = [_construct(path, fields, scope, frozenset()) for path, fields in variants]
    flat = [text for text, (_, fields) in zip(every, variants, strict=True) if not _mentions(fields.types, reaching)]
    if not flat:
        raise UnsupportedError(f"type {declared.name}")
    return _choice(every) if len(flat) == len(every) else _guarded(_choice(flat), _choice(every))


def _construct(path: str, fields: Fields, scope: Scope, emptied: frozenset[str]) -> str:
    """The expression for one form; a field that mentions one of `emptied` is empty."""
    values: list[str] = []
    for each in fields.types:
        drawn_type(each, scope)
        if not _mentions((each,), emptied):
            values.append(_DRAW)
        elif isinstance(each, Named) and each.name in _CAN_BE_EMPTY and each.name not in scope.own:
            values.append(_CAN_BE_EMPTY[each.name])
        else:
            raise UnsupportedError(f"type {path}")
    if fields.unit:
        return path
    if fields.braced:
        listed = ", ".join(f"{name}: {value}" for name, value in zip(fields.names, values, strict=True))
        return f"{path} {{ {listed} }}"
    return f"{path}({', '.join(values)})"


def _choice(values: Sequence[str]) -> str:
    arms = [f"{index} => {value}," for index, value in enumerate(values[:-1])]
    return f"match g.below({len(values)}) {{ {' '.join([*arms, f'_ => {values[-1]}'])} }}"


def _guarded(deep: str, shallow: str) -> str:
    """Draw `shallow` values down to `RECURSION_MAX`, and `deep` ones below."""
    return (
        "::std::thread_local! { static DEPTH: ::std::cell::Cell<u32> = const { ::std::cell::Cell::new(0) } } "
        f"let depth = DEPTH.get(); DEPTH.set(depth + 1); "
        f"let value = if depth >= {RECURSION_MAX} {{ {deep} }} else {{ {shallow} }}; DEPTH.set(depth); value"
    )


def _reaching(name: str, drawable: Mapping[str, Structure | Enumeration]) -> frozenset[str]:
    """Names of types that hold a value of the type `name`, itself included if it does."""
    holders: set[str] = set()
    wanted = {name}
    while True:
        added = {other for other, each in drawable.items() if other not in holders and _mentions(_held(each), wanted)}
        if not added:
            return frozenset(holders)
        holders |= added
        wanted |= added


def _held(declared: Structure | Enumeration) -> tuple[RustType, ...]:
    if isinstance(declared, Structure):
        return () if declared.fields is None else declared.fields.types
    return tuple(each for _, fields in declared.variants or () for each in fields.types)


def _mentions(types: Sequence[RustType], names: frozenset[str] | set[str]) -> bool:
    return any(name in names for each in types for name in _names(each))


def _names(declared: RustType) -> Iterator[str]:
    match declared:
        case Reference(_, target):
            yield from _names(target)
        case Array(element, _) | Slice(element):
            yield from _names(element)
        case TupleType(elements):
            for each in elements:
                yield from _names(each)
        case Named(segments, arguments):
            yield segments[-1]
            for each in arguments:
                yield from _names(each)


def _bounded(generic: Generic) -> str:
    """A generic parameter with its bounds, and `Arb`."""
    if generic.is_const:
        return f"const {generic.name}: usize"
    bounds = "".join(f" + {_bound_text(bound)}" for bound in generic.bounds if _bound_text(bound) != "Sized")
    return f"{generic.name}: ::strand_harness::Arb + 'static{bounds}"


def _bound_text(bound: RustType) -> str:
    """A bound as Rust; only those of a plain kind."""
    match bound:
        case Named(segments, arguments, bindings):
            inner = [_bound_text(each) for each in arguments]
            inner += [f"{label} = {_bound_text(each)}" for label, each in bindings]
            return "::".join(segments) + (f"<{', '.join(inner)}>" if inner else "")
        case _:
            raise UnsupportedError("bound")
