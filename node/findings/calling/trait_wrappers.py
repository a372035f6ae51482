"""Writes calls of an implementation of a trait of the standard library: `impl FromStr for Colour`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.findings.calling.drawn_types import Scope, UnsupportedError, drawn_type
from node.findings.reading.rust_types import Implementation, Named, RustType

_ITEMS_SHOWN: Final = 300
"""Items of an iterator that are looked at: it may have no end."""


@dataclass(frozen=True, slots=True)
class TraitCall:
    """Rust text of one call."""

    drawn: tuple[str, ...]
    """Types of the inputs, which are `a` and `b`."""
    result: str
    """Expression of type `String`."""


def trait_call(block: Implementation, scope: Scope) -> TraitCall:
    """Return how the trait of `block` is called; raises `UnsupportedError`."""
    trait = block.trait
    if not isinstance(trait, Named):
        raise UnsupportedError("inherent implementation")
    own = drawn_type(block.type, scope)
    argument = trait.arguments[0] if trait.arguments else None
    make = _CALLS.get(trait.name)
    if make is None:
        raise UnsupportedError(f"trait {trait.name}")
    return make(own, argument, scope)


def _shown(expression: str) -> str:
    return f"::strand_harness::show!({expression})"


def _argument(argument: RustType | None, scope: Scope) -> str:
    if argument is None:
        raise UnsupportedError("trait without its argument")
    return drawn_type(argument, scope)


def _conversion(function: str) -> Callable[[str, RustType | None, Scope], TraitCall]:
    def call(own: str, argument: RustType | None, scope: Scope) -> TraitCall:
        return TraitCall((_argument(argument, scope),), _shown(f"<{own}>::{function}(a)"))

    return call


def _of_one(result: str) -> Callable[[str, RustType | None, Scope], TraitCall]:
    def call(own: str, _argument: RustType | None, _scope: Scope) -> TraitCall:
        return TraitCall((own,), result)

    return call


def _of_two(expression: str) -> Callable[[str, RustType | None, Scope], TraitCall]:
    """A binary operation, whose right side is of the type itself unless the trait names another."""

    def call(own: str, argument: RustType | None, scope: Scope) -> TraitCall:
        right = own if argument is None or argument == Named(("Self",)) else drawn_type(argument, scope)
        return TraitCall((own, right), _shown(expression))

    return call


def _parse(own: str, _argument: RustType | None, _scope: Scope) -> TraitCall:
    return TraitCall(("&'static str",), _shown(f"a.parse::<{own}>()"))


def _default(own: str, _argument: RustType | None, _scope: Scope) -> TraitCall:
    return TraitCall((), _shown(f"<{own} as ::std::default::Default>::default()"))


def _index(own: str, argument: RustType | None, scope: Scope) -> TraitCall:
    return TraitCall((own, _argument(argument, scope)), _shown("a[b]"))


def _hash(own: str, _argument: RustType | None, _scope: Scope) -> TraitCall:
    digest = (
        f"let digest = |value: &{own}| {{ let mut hasher = ::std::collections::hash_map::DefaultHasher::new(); "
        "::std::hash::Hash::hash(value, &mut hasher); ::std::hash::Hasher::finish(&hasher) };"
    )
    return TraitCall((own, own), f"{{ {digest} {_shown('(digest(&a), digest(&a) == digest(&b))')} }}")


_COLLECTED: Final = "collect::<::std::vec::Vec<_>>()"

_CALLS: Final[dict[str, Callable[[str, RustType | None, Scope], TraitCall]]] = {
    "From": _conversion("from"),
    "TryFrom": _conversion("try_from"),
    "FromStr": _parse,
    "Default": _default,
    "Display": _of_one('::std::format!("{}|{:>12}|", a, a)'),
    "Iterator": _of_one(_shown(f"(a.by_ref().take({_ITEMS_SHOWN}).{_COLLECTED}, a.next())")),
    "IntoIterator": _of_one(_shown(f"a.into_iter().take({_ITEMS_SHOWN}).{_COLLECTED}")),
    "Deref": _of_one(_shown("*a")),
    "Clone": _of_one(f'{{ let b = a.clone(); ::std::format!("{{}} {{}}", {_shown("b")}, {_shown("a")}) }}'),
    "Hash": _hash,
    "Ord": _of_two("(a.cmp(&b), a.partial_cmp(&b))"),
    "PartialOrd": _of_two("a.partial_cmp(&b)"),
    "PartialEq": _of_two("a == b"),
    "Index": _index,
    "Add": _of_two("a + b"),
    "Sub": _of_two("a - b"),
    "Mul": _of_two("a * b"),
    "Div": _of_two("a / b"),
    "Rem": _of_two("a % b"),
    "Neg": _of_one(_shown("-a")),
    "Not": _of_one(_shown("!a")),
}
