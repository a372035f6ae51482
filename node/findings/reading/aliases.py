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
"""Aliases that are put in within one declaration: those that double each other could else make a type of any size."""

NESTED_MAX: Final = 8
"""Aliases that stand for aliases."""


@dataclass(frozen=True, slots=True)
class Alias:
    """`type Name<T> = ...;`."""

    parameters: tuple[Generic, ...]
    type: RustType


class Expander:
    """Puts aliases in, within `EXPANSIONS_MAX` for one declaration; what lies beyond stays as it is."""

    def __init__(self, aliases: Mapping[str, Alias]) -> None:
        self._aliases = aliases
        self._left = EXPANSIONS_MAX

    def function(self, function: Function) -> Function:
        """Return `function` with the aliases in its signature put in."""
        if not self._aliases:
            return function
        self._left = EXPANSIONS_MAX
        return replace(
            function,
            generics=tuple(
                replace(generic, bounds=tuple(map(self._expanded, generic.bounds))) for generic in function.generics
            ),
            parameters=tuple(
                replace(parameter, type=self._expanded(parameter.type)) for parameter in function.parameters
            ),
            result=self._expanded(function.result),
        )

    def fields(self, fields: Fields) -> Fields:
        """Return the fields of a type with the aliases in them put in."""
        self._left = EXPANSIONS_MAX
        return replace(fields, types=tuple(map(self._expanded, fields.types))) if self._aliases else fields

    def _expanded(self, declared: RustType, nested: int = 0, depth: int = 0) -> RustType:
        """Return the type, which stands `depth` levels within another, with aliases put in.

        Aliases within aliases multiply the depth of types: what becomes too deep is opaque, as what is read so.
        """
        if depth > TYPE_DEPTH_MAX:
            return OpaqueType("deep_type", "")

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
        if alias is None or nested >= NESTED_MAX or self._left <= 0 or len(alias.parameters) != len(named.arguments):
            return named
        self._left -= 1
        given = {
            generic.name: Alias((), argument)
            for generic, argument in zip(alias.parameters, named.arguments, strict=True)
        }
        meant = alias.type
        if given:
            inside = Expander(given)
            inside._left = self._left
            meant = inside._expanded(meant, NESTED_MAX - 1, depth)
            self._left = inside._left
        return self._expanded(meant, nested + 1, depth)
