"""The codec against anything: what it encodes it decodes, and nothing that comes from outside makes it raise."""

import random
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX, MESSAGE_BYTES_MAX
from protocol.messages import MESSAGE_TYPES, Commit
from tests.support.effort import cases
from tests.support.samples import samples
from tests.support.schemas import SCHEMAS, instances

DOCUMENTED = {FaultReason.TOO_LARGE, FaultReason.MALFORMED, FaultReason.NOT_CANONICAL}

BODIES = {type(body): codec.encode(body) for body in samples().values()}
SHORT_BODIES = [raw for raw in BODIES.values() if len(raw) < 2_000]

kinds = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=70),
    st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=8)),
)
keys = st.one_of(st.text("abc", max_size=3), st.integers(0, 3), st.binary(max_size=2))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=10,
)


def check(schema: type[Any], raw: bytes) -> None:
    """The whole promise of `decode`: a fault with a documented reason, or the value that these bytes alone encode."""
    result = codec.decode(schema, raw)
    if isinstance(result, Fault):
        assert result.reason in DOCUMENTED, result
    else:
        assert type(result) is schema and codec.encode(result) == raw


@kinds
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_encoded_is_decoded(schema: type[Any], data: st.DataObject) -> None:
    value = data.draw(instances(schema))
    decoded = codec.decode(schema, codec.encode(value), bytes_max=CERTIFICATE_BYTES_MAX)
    assert decoded == value
    assert repr(decoded) == repr(value), "the same types in every field"


# -- hostile bytes: some thousand inputs; more with `make test-soak`, a million of each kind with `make fuzz` ----------


@settings(max_examples=cases(200, fast=60, soak=2_000))
@given(st.binary(max_size=300))
def test_random_bytes(raw: bytes) -> None:
    for schema in SCHEMAS:
        check(schema, raw)


@settings(max_examples=cases(200, fast=50, soak=2_000))
@given(st.sampled_from(list(BODIES)), st.randoms(use_true_random=False))
def test_mutated_bodies(schema: type[Any], rng: random.Random) -> None:
    """Bytes changed, put in, taken out and copied within a body that was valid."""
    for _ in range(10):
        raw = bytearray(BODIES[schema])
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(raw))
            match rng.randrange(4):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    raw.insert(at, rng.choice((0x00, 0x80, 0x90, 0xA0, 0xC0, 0xC4, 0xCB, 0xD9, 0xDD, 0xFF)))
                case 2:
                    del raw[at]
                case _:
                    raw[at:at] = raw[at : at + rng.randint(1, 40)]
        check(schema, bytes(raw))


@settings(max_examples=cases(60, fast=25, soak=1_000))
@given(st.sampled_from(list(BODIES)), st.lists(anything, min_size=10, max_size=10), st.randoms(use_true_random=False))
def test_a_field_of_any_other_value(schema: type[Any], values: list[Any], rng: random.Random) -> None:
    """Well-formed msgpack of the right fields, one of which holds something else."""
    plain = msgpack.unpackb(BODIES[schema])
    for value in values:
        check(schema, msgpack.packb({**plain, rng.choice(sorted(plain)): value}))


@given(anything)
def test_any_msgpack_value(value: Any) -> None:
    """Nil, floats, extensions, keys that are no text: all of msgpack, of which our schemas use a part."""
    raw = msgpack.packb(value)
    for schema in (Commit, Certificate):
        check(schema, raw)


def test_every_truncation() -> None:
    """No proper prefix of a message is a message."""
    for raw in SHORT_BODIES:
        for schema in (schema for schema, body in BODIES.items() if body is raw):
            for end in range(len(raw)):
                result = codec.decode(schema, raw[:end])
                assert isinstance(result, Fault) and result.reason is FaultReason.MALFORMED


def test_a_body_is_of_one_kind_only() -> None:
    """Today's kinds differ in their fields already; that the kind is under the signature does not depend on it."""
    for schema, raw in BODIES.items():
        fits = {other for other in MESSAGE_TYPES.values() if not isinstance(codec.decode(other, raw), Fault)}
        assert fits == {schema}


# -- bombs -------------------------------------------------------------------------------------------------------------

SIZE = 1_000_000

BOMBS = {
    "nested arrays": b"\x91" * SIZE,
    "nested maps": b"\x81\xa0" * (SIZE // 2),
    "an array of a million empty arrays": b"\xdd" + SIZE.to_bytes(4, "big") + b"\x90" * SIZE,
    "a map of a million keys": b"\xdf" + (SIZE // 2).to_bytes(4, "big") + b"\xa0\x00" * (SIZE // 2),
    "an array that says it is long": b"\xdd\xff\xff\xff\xff",
    "a map that says it is long": b"\xdf\xff\xff\xff\xff",
    "a byte string that says it is long": b"\xc6\xff\xff\xff\xff",
    "a text that says it is long": b"\xdb\xff\xff\xff\xff",
    "short arrays side by side": b"\x9f" * 5 + b"\x9f" * SIZE,
    "an extension that says it is long": b"\xc9\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_before_anything_is_built(bomb: bytes) -> None:
    """A megabyte of structure costs less than 256 KiB at its peak: the scan builds nothing."""
    codec.decode(Certificate, BODIES[Commit])  # makes the schema's plan, which is kept, and none of the bomb's doing
    tracemalloc.start()
    try:
        result = codec.decode(Certificate, bomb, bytes_max=CERTIFICATE_BYTES_MAX)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, Fault) and result.reason is FaultReason.MALFORMED
    assert peak_bytes < 256 * 1024


def test_what_is_too_large_is_not_even_scanned() -> None:
    result = codec.decode(Commit, b"\x91" * (MESSAGE_BYTES_MAX + 1))
    assert isinstance(result, Fault) and result.reason is FaultReason.TOO_LARGE
