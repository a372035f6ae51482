"""Type aliases of a program, put in where they are used: `Grid` means `Vec<Vec<u8>>` to whoever draws values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from node.findings.reading.rust_types import (
    TYPE_DEPTH_MAX,
    Array,
    Bounded,
    CallableBound,
    Fields,
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

EXPANSIONS_MAX: Final = 200
"""Aliases that are put in within one declaration; people's have some ten."""

SIZE_MAX: Final = 4_096
"""Characters of the types of one declaration once aliases are put in, names and what stands around each type: people's
have some hundred. `type P<T> = (T, T)` doubles with each `P<P<...>>`, so that a line could else fill the memory."""

PROGRAM_SIZE_MAX: Final = 256 * 1024
"""The same of all declarations of a program, which has 64 KiB before its aliases are put in: a second's work."""

_AROUND: Final = 3
"""Characters around a type: brackets and a comma."""

NESTED_MAX: Final = 8
"""Aliases that stand for aliases."""


_TOO_LARGE: Final = OpaqueType("large_type", "")


@dataclass(frozen=True, slots=True)
class Alias:
    """`type Name<T> = ...;`."""

    parameters: tuple[Generic, ...]
    type: RustType


@dataclass(slots=True)
class _Budget:
    """What is left for one declaration, and for those after it."""

    expansions: int = EXPANSIONS_MAX
    size: int = SIZE_MAX
    program_size: int = PROGRAM_SIZE_MAX

    def begin(self) -> None:
        """Begin a declaration."""
        self.expansions, self.size = EXPANSIONS_MAX, min(SIZE_MAX, self.program_size)

    def take(self, characters: int) -> None:
        """Take so many characters of a type."""
        self.size -= characters
        self.program_size -= characters


class Expander:
    """Puts aliases in, within `EXPANSIONS_MAX` for one declaration; what lies beyond stays as it is.

    A declaration beyond `SIZE_MAX` has opaque types alone, so that nothing is drawn for it.
    """

    def __init__(self, aliases: Mapping[str, Alias], budget: _Budget | None = None) -> None:
        """Make an expander of a program's aliases. `budget`: that of the expander for which this one works."""
        self._aliases = aliases
        self._budget = budget or _Budget()

    def function(self, function: Function) -> Function:
        """Return `function` with the aliases in its signature put in."""
        if not self._aliases:
            return function
        self._budget.begin()
        expanded = replace(
            function,
            generics=tuple(
                replace(generic, bounds=tuple(map(self._expanded, generic.bounds))) for generic in function.generics
            ),
            parameters=tuple(
                replace(parameter, type=self._expanded(parameter.type)) for parameter in function.parameters
            ),
            result=self._expanded(function.result),
        )
        if self._budget.size >= 0:
            return expanded
        opaque = tuple(replace(parameter, type=_TOO_LARGE) for parameter in function.parameters)
        return replace(function, generics=(), parameters=opaque, result=_TOO_LARGE)

    def fields(self, fields: Fields) -> Fields:
        """Return the fields of a type with the aliases in them put in."""
        if not self._aliases:
            return fields
        self._budget.begin()
        expanded = tuple(map(self._expanded, fields.types))
        return replace(fields, types=expanded if self._budget.size >= 0 else (_TOO_LARGE,) * len(fields.types))

    def _expanded(self, declared: RustType, nested: int = 0, depth: int = 0) -> RustType:
        """Return the type, which stands `depth` levels within another, with aliases put in.

        Aliases within aliases multiply the depth of types: what becomes too deep is opaque, as what is read so.
        """
        if depth > TYPE_DEPTH_MAX:
            return OpaqueType("deep_type", "")
        self._budget.take(_own_size(declared))
        if self._budget.size < 0:
            return _TOO_LARGE

        def inner(each: RustType) -> RustType:
            return self._expanded(each, nested, depth + 1)

        match declared:
            case Reference(mutable, target):
                return Reference(mutable, inner(target))
            case Array(element, length):
                return Array(inner(element), length)
            case Slice(element):
                return Slice(inner(element))
            case TupleType(elements):
                return TupleType(tuple(map(inner, elements)))
            case Bounded(keyword, bounds):
                return Bounded(keyword, tuple(map(inner, bounds)))
            case FunctionPointer(parameters, result):
                return FunctionPointer(tuple(map(inner, parameters)), inner(result))
            case CallableBound(trait, parameters, result):
                return CallableBound(trait, tuple(map(inner, parameters)), inner(result))
            case Named(segments, arguments, bindings):
                named = Named(
                    segments, tuple(map(inner, arguments)), tuple((label, inner(each)) for label, each in bindings)
                )
                return self._replaced(named, nested, depth)
            case OpaqueType():
                return declared

    def _replaced(self, named: Named, nested: int, depth: int) -> RustType:
        alias = self._aliases.get(named.name) if len(named.segments) == 1 else None
        if (
            alias is None
            or nested >= NESTED_MAX
            or self._budget.expansions <= 0
            or len(alias.parameters) != len(named.arguments)
        ):
            return named
        self._budget.expansions -= 1
        given = {
            generic.name: Alias((), argument)
            for generic, argument in zip(alias.parameters, named.arguments, strict=True)
        }
        meant = alias.type
        if given:
            meant = Expander(given, self._budget)._expanded(meant, NESTED_MAX - 1, depth)
        return self._expanded(meant, nested + 1, depth)


def _own_size(declared: RustType) -> int:
    """Return the characters of a type without those of the types in it."""
    match declared:
        case Named(segments, _, bindings):
            return _AROUND + sum(map(len, segments)) + sum(len(label) for label, _ in bindings)
        case Array(_, length):
            return _AROUND + len(length)
        case OpaqueType(_, text):
            return _AROUND + len(text)
        case _:
            return _AROUND
