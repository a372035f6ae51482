"""The one canonical msgpack codec: the only module that imports msgpack (rules P1, P2).

A schema is a frozen dataclass whose annotations carry bounds (`protocol.schema`). The codec scans bytes from outside
for depth, count and kind of values before msgpack touches them. It then decodes them strictly by the schema and encodes
the result again, and accepts them only if that gives the same bytes. So a value has exactly one encoding, and a
signature covers one meaning.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import IntFlag, StrEnum
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgpack

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.errors import Fault, FaultReason
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.limits import DEPTH_MAX, ITEMS_MAX, MESSAGE_BYTES_MAX
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.schema import Count, Range, Size

T = TypeVar("T")


class EncodingError(ValueError):
    """A local value does not fit its schema: our bug, or a caller's input that was not checked first."""


class _Refused(Exception):
    """The bytes do not fit the schema; never leaves this module."""


def encode(value: Any) -> bytes:
    """Encode an instance of a schema canonically. Raises EncodingError if a field is out of bounds.

    Each field must have exactly its declared type (no string for an enum, no list for a tuple), so that decoding gives
    an equal instance.
    """
    try:
        plain = _plan(type(value)).encode(value)
    except _Refused as error:
        raise EncodingError(f"{type(value).__name__}: {error}") from error
    packed: bytes = msgpack.packb(plain, use_bin_type=True)
    return packed


def decode(schema: type[T], raw: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> T | Fault:
    """Decode `raw`, or return the fault: TOO_LARGE, MALFORMED or NOT_CANONICAL. Never raises on any bytes."""
    if len(raw) > bytes_max:
        return Fault(FaultReason.TOO_LARGE, "P1", f"{len(raw)} bytes, at most {bytes_max}")
    try:
        _scan(raw)
        value: T = _plan(schema).decode(_unpack(raw))
    except _Refused as error:
        return Fault(FaultReason.MALFORMED, "P1", f"{schema.__name__}: {error}")
    if encode(value) != raw:
        return Fault(FaultReason.NOT_CANONICAL, "P2", schema.__name__)
    return value


def peek(raw: bytes, *, bytes_max: int) -> dict[str, Any] | None:
    """Return the fields of a record whose schema is not known yet, unchecked but bounded by rule P1; else None.

    For finding out which version's schema the bytes follow. Never raises on bytes.
    """
    if len(raw) > bytes_max:
        return None
    try:
        _scan(raw)
        plain = _unpack(raw)
    except _Refused:
        return None
    return plain if isinstance(plain, dict) else None


def _unpack(raw: bytes) -> Any:
    try:
        return msgpack.unpackb(raw, raw=False, use_list=False, strict_map_key=True, max_ext_len=0)
    except ValueError as error:  # `_scan` accepts the bytes, but a text is not UTF-8 or a map's key is not a text
        raise _Refused("text is not UTF-8, or a key is not a text") from error


# -- before msgpack: depth, count and kinds of values --------------------------------------------------------------

_INT, _BYTES, _ARRAY, _MAP = range(4)

_WIDTHS: dict[int, tuple[int, int]] = {
    0xC4: (_BYTES, 1), 0xC5: (_BYTES, 2), 0xC6: (_BYTES, 4),
    0xCC: (_INT, 1), 0xCD: (_INT, 2), 0xCE: (_INT, 4), 0xCF: (_INT, 8),
    0xD0: (_INT, 1), 0xD1: (_INT, 2), 0xD2: (_INT, 4), 0xD3: (_INT, 8),
    0xD9: (_BYTES, 1), 0xDA: (_BYTES, 2), 0xDB: (_BYTES, 4),
    0xDC: (_ARRAY, 2), 0xDD: (_ARRAY, 4), 0xDE: (_MAP, 2), 0xDF: (_MAP, 4),
}  # fmt: skip
"""Maps the first byte of a value with a length or payload field to its type and to that field's width in bytes.

Nil, booleans, floats and extensions occur in no schema, so they are absent here and are refused.
"""


def _scan(raw: bytes) -> None:
    """Walk the bytes once without building anything. Raises _Refused where a bound is exceeded."""
    open_containers = [1]
    position = items = 0
    size = len(raw)
    while open_containers:
        if not open_containers[-1]:
            open_containers.pop()
            continue
        open_containers[-1] -= 1
        items += 1
        if items > ITEMS_MAX:
            raise _Refused(f"more than {ITEMS_MAX} values")
        if position >= size:
            raise _Refused("truncated")
        what, number, position = _head(raw, position)
        if what == _BYTES:
            position += number
        elif what != _INT and number:
            if len(open_containers) > DEPTH_MAX:
                raise _Refused(f"nested deeper than {DEPTH_MAX}")
            if number > ITEMS_MAX:
                raise _Refused(f"more than {ITEMS_MAX} values")
            open_containers.append(number if what == _ARRAY else 2 * number)
    if position != size:
        raise _Refused("truncated" if position > size else "trailing bytes")


def _head(raw: bytes, position: int) -> tuple[int, int, int]:
    """Return the type of the value at `position`, its length (containers: elements) and where its payload begins.

    Without a payload the third value is the position of the next value.
    """
    first = raw[position]
    position += 1
    if first < 0x80 or first >= 0xE0:
        return _INT, 0, position
    if first < 0x90:
        return _MAP, first & 0x0F, position
    if first < 0xA0:
        return _ARRAY, first & 0x0F, position
    if first < 0xC0:
        return _BYTES, first & 0x1F, position
    if first not in _WIDTHS:
        raise _Refused(f"type byte 0x{first:02x} is in no schema")
    what, width = _WIDTHS[first]
    end = position + width
    if end > len(raw):
        raise _Refused("truncated")
    return what, 0 if what == _INT else int.from_bytes(raw[position:end], "big"), end


# -- schemas: from annotations to a pair of functions --------------------------------------------------------------


class _Plan:
    """Two functions that convert one annotated type to msgpack's plain values and back. Both check the bounds."""

    __slots__ = ("decode", "encode")

    def __init__(self, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
        self.encode = encode
        self.decode = decode


_PLANS: dict[Any, _Plan] = {}
"""Caches one plan for each annotation that occurs in a schema of ours: a fixed, small number."""


def _plan(annotation: Any) -> _Plan:
    plan = _PLANS.get(annotation)
    if plan is None:
        plan = _PLANS[annotation] = _make_plan(annotation)
    return plan


def _make_plan(annotation: Any) -> _Plan:
    bound: Any = None
    if get_origin(annotation) is Annotated:
        annotation, bound, *_ = get_args(annotation)
    annotation = getattr(annotation, "__supertype__", annotation)
    if isinstance(annotation, type) and is_dataclass(annotation):
        return _record(annotation)
    if get_origin(annotation) is tuple:
        return _sequence(get_args(annotation)[0], bound)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _enumeration(annotation)
    if isinstance(annotation, type) and issubclass(annotation, IntFlag):
        return _flags(annotation)
    scalars: dict[Any, Callable[[Any], _Plan]] = {int: _integer, bytes: _byte_string, str: _text}
    return scalars[annotation](bound)


def _integer(bound: Range) -> _Plan:
    least, most = bound.least, bound.most

    def check(value: Any) -> int:
        if type(value) is not int:
            raise _Refused("not an integer")
        if not least <= value <= most:
            raise _Refused(f"integer outside of {least}..{most}")
        return value

    return _Plan(check, check)


def _byte_string(bound: Size) -> _Plan:
    least, most = bound.least, bound.most

    def check(value: Any) -> bytes:
        if type(value) is not bytes:
            raise _Refused("not a byte string")
        if not least <= len(value) <= most and not (bound.or_empty and not value):
            raise _Refused(f"{len(value)} bytes, not within {least}..{most}")
        return value

    return _Plan(check, check)


def _text(bound: Size) -> _Plan:
    least, most = bound.least, bound.most

    def check(value: Any) -> str:
        if type(value) is not str:
            raise _Refused("not a text")
        if len(value) > most:
            raise _Refused(f"text longer than {most} bytes")
        try:
            size = len(value) if value.isascii() else len(value.encode())
        except UnicodeEncodeError as error:
            raise _Refused("text has a lone surrogate") from error
        if not least <= size <= most:
            raise _Refused(f"text of {size} bytes, not within {least}..{most}")
        return value

    return _Plan(check, check)


def _enumeration(enum: type[StrEnum]) -> _Plan:
    members = {member.value: member for member in enum}

    def encode_member(value: Any) -> str:
        if type(value) is not enum:
            raise _Refused(f"not a {enum.__name__}")
        return value.value

    def decode_member(value: Any) -> StrEnum:
        if type(value) is not str or value not in members:
            raise _Refused(f"not a {enum.__name__}")
        return members[value]

    return _Plan(encode_member, decode_member)


def _flags(enum: type[IntFlag]) -> _Plan:
    every = sum(enum)

    def encode_flags(value: Any) -> int:
        if type(value) is not enum or value & ~every:
            raise _Refused(f"not a set of {enum.__name__}")
        return value.value

    def decode_flags(value: Any) -> IntFlag:
        if type(value) is not int or value & ~every:
            raise _Refused(f"not a set of {enum.__name__}")
        return enum(value)

    return _Plan(encode_flags, decode_flags)


def _sequence(element: Any, bound: Count) -> _Plan:
    plan, least, most = _plan(element), bound.least, bound.most

    def through(convert: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
        def check(value: Any) -> tuple[Any, ...]:
            if type(value) is not tuple:
                raise _Refused("not an array")
            if not least <= len(value) <= most:
                raise _Refused(f"{len(value)} elements, not within {least}..{most}")
            return tuple(convert(each) for each in value)

        return check

    return _Plan(through(plan.encode), through(plan.decode))


def _record(schema: type[Any]) -> _Plan:
    hints = get_type_hints(schema, include_extras=True)
    plans = [(name, _plan(hints[name])) for name in sorted(field.name for field in fields(schema))]
    names = frozenset(name for name, _ in plans)

    def encode_record(value: Any) -> dict[str, Any]:
        if type(value) is not schema:
            raise _Refused(f"not a {schema.__name__}")
        return {name: _named(name, plan.encode, getattr(value, name)) for name, plan in plans}

    def decode_record(value: Any) -> Any:
        if type(value) is not dict or value.keys() != names:
            raise _Refused(f"fields are not those of {schema.__name__}")
        decoded = {name: _named(name, plan.decode, value[name]) for name, plan in plans}
        try:
            return schema(**decoded)
        except ValueError as error:  # the schema's own check of the relations between its fields
            raise _Refused(str(error)) from error

    return _Plan(encode_record, decode_record)


def _named(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except _Refused as error:
        raise _Refused(f"{name}: {error}") from error
