"""A typed model of what a Rust program declares: types, functions, structs, enums and implementations.

It is read from the syntax tree. What the model cannot say is an `OpaqueType`, never a fault.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

TYPE_DEPTH_MAX: Final = 24
"""Depth of nested types that are read; deeper ones are opaque. No program by people goes beyond 10."""

ENTRIES_MAX: Final = 64
"""Parameters, generics, fields or variants of one declaration: a longer one is opaque or left out."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`&T` or `&mut T`."""

    mutable: bool
    target: "RustType"


@dataclass(frozen=True, slots=True)
class Array:
    """`[T; N]`, with the text of the length."""

    element: "RustType"
    length: str


@dataclass(frozen=True, slots=True)
class Slice:
    """`[T]`."""

    element: "RustType"


@dataclass(frozen=True, slots=True)
class TupleType:
    """`(A, B)`; `()` has no elements."""

    elements: tuple["RustType", ...]


@dataclass(frozen=True, slots=True)
class Bounded:
    """`impl A + B` or `dyn A + B`, without lifetimes."""

    keyword: str
    bounds: tuple["RustType", ...]


@dataclass(frozen=True, slots=True)
class FunctionPointer:
    """`fn(A) -> B`."""

    parameters: tuple["RustType", ...]
    result: "RustType"


@dataclass(frozen=True, slots=True)
class CallableBound:
    """`Fn(A) -> B`, `FnMut(A) -> B` or `FnOnce(A) -> B`."""

    trait: str
    parameters: tuple["RustType", ...]
    result: "RustType"


@dataclass(frozen=True, slots=True)
class Named:
    """A type or trait by its path, with type arguments and associated types (`Item = T`)."""

    segments: tuple[str, ...]
    arguments: tuple["RustType", ...] = ()
    bindings: tuple[tuple[str, "RustType"], ...] = ()

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.segments[-1]

    @property
    def plain(self) -> bool:
        """Whether it is a single name, as a generic parameter is."""
        return len(self.segments) == 1 and not self.arguments and not self.bindings


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type that is not modelled: pointers, `!`, qualified paths, macros. Values of it cannot be drawn."""

    kind: str
    text: str


RustType: TypeAlias = (
    Reference | Array | Slice | TupleType | Bounded | FunctionPointer | CallableBound | Named | OpaqueType
)

UNIT: Final = TupleType(())


@dataclass(frozen=True, slots=True)
class Generic:
    """A type parameter with its bounds (where clauses included), or a `const` parameter."""

    name: str
    bounds: tuple[RustType, ...]
    is_const: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `name` is `_` where the pattern is no plain name."""

    name: str
    type: RustType


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method, by its signature."""

    name: str
    generics: tuple[Generic, ...]
    parameters: tuple[Parameter, ...]
    """Parameters without the receiver."""
    result: RustType
    receiver: str = ""
    """`self`, `&self`, `&mut self` or `other` (as `self: Box<Self>`); empty: an associated or free function."""
    qualifiers: frozenset[str] = frozenset()
    """Those of `async`, `const`, `extern`, `unsafe` that it has."""
    complete: bool = True
    """Whether the signature was read as a whole."""

    def generic(self, name: str) -> Generic | None:
        """Return the generic parameter of that name."""
        return next((generic for generic in self.generics if generic.name == name), None)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a struct or variant, in order."""

    names: tuple[str, ...]
    """Empty for a tuple or unit form."""
    types: tuple[RustType, ...]
    braced: bool
    """Whether it is written with braces."""
    unit: bool = False
    """Whether it is written without parentheses and braces."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A struct."""

    name: str
    generics: tuple[Generic, ...]
    lifetimes: int
    """Number of lifetime parameters."""
    fields: Fields | None
    """None: could not be read."""


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enum."""

    name: str
    generics: tuple[Generic, ...]
    lifetimes: int
    variants: tuple[tuple[str, Fields], ...] | None
    """None: could not be read."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """An `impl` block."""

    generics: tuple[Generic, ...]
    trait: RustType | None
    """None: an inherent implementation."""
    type: RustType
    functions: tuple[Function, ...]
