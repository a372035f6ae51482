"""The shape of a type that is written down or sent: names, types and bounds of its fields, without Python's names."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from protocol.schema import Count, Range, Size

_META = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")
"""What msgspec enforces of a Meta."""


def shape(annotation: Any) -> Any:
    """Describe a type as JSON. Two types of one shape have the same encodings, whatever their classes are called."""
    bounds: list[Any] = []
    if get_origin(annotation) is Annotated:
        annotation, *marks = get_args(annotation)
        bounds = [_bound(mark) for mark in marks]
    annotation = getattr(annotation, "__supertype__", annotation)
    described = _plain(annotation)
    return {"of": described, "bounds": bounds} if bounds else described


def _plain(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return {"one of": sorted((shape(each) for each in arguments), key=json.dumps)}
    if origin is tuple:
        items = arguments[:1] if arguments[-1:] == (...,) else arguments
        return {"array": [shape(each) for each in items], "fixed": arguments[-1:] != (...,)}
    if origin is frozenset:
        return {"set": [shape(each) for each in arguments]}
    if origin is not None and issubclass(origin, Mapping):
        return {"map": [shape(each) for each in arguments]}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        names = {each.name: each.value for each in annotation}
        return {"flags": names} if issubclass(annotation, Flag) else {"values": sorted(names.values(), key=str)}
    if isinstance(annotation, type) and (is_dataclass(annotation) or issubclass(annotation, msgspec.Struct)):
        hints = get_type_hints(annotation, include_extras=True)
        if issubclass(annotation, msgspec.Struct):
            written = {each.encode_name: each.name for each in msgspec.structs.fields(annotation)}
            return {"fields": {name: shape(hints[field]) for name, field in written.items()}}
        return {"fields": {each.name: shape(hints[each.name]) for each in fields(annotation)}}
    assert annotation in (int, float, str, bytes, bool, type(None)), annotation
    return annotation.__name__


def _bound(mark: Any) -> Any:
    if isinstance(mark, msgspec.Meta):
        return ["Meta", {name: getattr(mark, name) for name in _META if getattr(mark, name) is not None}]
    assert isinstance(mark, Range | Size | Count), mark
    return [type(mark).__name__, *(getattr(mark, each.name) for each in fields(mark))]


def digest(*parts: Any) -> str:
    """Digest of parts that JSON can hold, in which the order of a mapping's keys does not count."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
