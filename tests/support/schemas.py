"""Hypothesis strategies for any schema of the wire, read from the same annotations that the codec reads."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from protocol.certificate import Certificate
from protocol.messages import MESSAGE_TYPES, Opening
from protocol.params import NetworkParams
from protocol.schema import Range, Size
from protocol.streams import PullReply, PullRequest
from tests.support.swarm import params

SCHEMAS: tuple[type[Any], ...] = (*MESSAGE_TYPES.values(), Opening, Certificate, PullRequest, PullReply, NetworkParams)
"""Everything that is ever decoded from bytes of somebody else, or from our own disk."""

SPREAD_MAX = 200
"""bytes over a field's least length: enough for every length prefix of one byte and, with 255, the change to two."""

ELEMENTS_MAX = 3
"""elements drawn for an array; its bounds have their own tests."""


@cache
def instances(schema: type[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a schema within its bounds."""
    if schema is NetworkParams:  # its fields are related, so it is not drawn field by field
        return st.sampled_from([params("minimal"), params("devnet")])
    hints = get_type_hints(schema, include_extras=True)
    return st.builds(schema, **{field.name: _values(hints[field.name]) for field in fields(schema)})


def largest(annotation: Any) -> tuple[int, int]:
    """The most msgpack values, and nested containers, of anything within these bounds."""
    bound: Any = None
    if get_origin(annotation) is Annotated:
        annotation, bound, *_ = get_args(annotation)
    annotation = getattr(annotation, "__supertype__", annotation)
    if get_origin(annotation) is tuple:
        items, depth = largest(get_args(annotation)[0])
        return 1 + bound.most * items, 1 + depth
    if not is_dataclass(annotation):
        return 1, 0
    hints = get_type_hints(annotation, include_extras=True)
    inner = [largest(hints[field.name]) for field in fields(annotation)]
    return 1 + sum(1 + items for items, _ in inner), 1 + max(depth for _, depth in inner)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    bound: Any = None
    if get_origin(annotation) is Annotated:
        annotation, bound, *_ = get_args(annotation)
    annotation = getattr(annotation, "__supertype__", annotation)
    if get_origin(annotation) is tuple:
        most = min(bound.most, bound.least + ELEMENTS_MAX)
        return st.lists(_values(get_args(annotation)[0]), min_size=bound.least, max_size=most).map(tuple)
    if is_dataclass(annotation):
        return instances(annotation)
    if issubclass(annotation, Flag):
        return st.integers(0, sum(annotation)).map(annotation)
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    scalars: dict[type[Any], Callable[[Any], st.SearchStrategy[Any]]] = {int: _integers, bytes: _bytes, str: _texts}
    return scalars[annotation](bound)


def _integers(bound: Range) -> st.SearchStrategy[int]:
    edges = (bound.least, bound.most, 0, 127, 128, 255, 256, 65_535, 65_536, 1 << 32)
    within = [number for number in edges if bound.least <= number <= bound.most]
    return st.one_of(st.sampled_from(within), st.integers(bound.least, bound.most))


def _bytes(bound: Size) -> st.SearchStrategy[bytes]:
    drawn = st.binary(min_size=bound.least, max_size=min(bound.most, bound.least + SPREAD_MAX))
    return st.one_of(drawn, st.just(b"")) if bound.or_empty else drawn


def _texts(bound: Size) -> st.SearchStrategy[str]:
    most = min(bound.most, bound.least + SPREAD_MAX)
    characters = st.characters(exclude_categories=["Cs"])
    drawn = st.text(characters, min_size=bound.least, max_size=most // 4)
    return st.one_of(drawn, st.text("ab", min_size=bound.least, max_size=most))
