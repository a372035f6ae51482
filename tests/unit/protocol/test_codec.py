"""P1, P2: one encoding for each value; everything else is refused with its reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest

from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.limits import DEPTH_MAX, ITEMS_MAX
from protocol.messages import AnswerContent, Ballot, Cosign, Offer
from protocol.streams import PullRequest
from protocol.types import Kind, Role
from tests.support.samples import CONTENT, digest, samples

COSIGN = samples()[Kind.COSIGN]
RAW = codec.encode(COSIGN)
ITEMS = msgpack.unpackb(RAW)
MALFORMED, NOT_CANONICAL = FaultReason.MALFORMED, FaultReason.NOT_CANONICAL


def text(value: str) -> bytes:
    return bytes((0xA0 | len(value),)) + value.encode()


def record(**fields: bytes | None) -> bytes:
    """The co-signature's map with some values replaced by raw bytes, added, or (None) left out."""
    packed = {name: msgpack.packb(value) for name, value in ITEMS.items()} | fields
    kept = {name: value for name, value in packed.items() if value is not None}
    return bytes((0x80 | len(kept),)) + b"".join(text(name) + value for name, value in sorted(kept.items()))


BACKWARDS = b"\x84" + b"".join(text(name) + msgpack.packb(ITEMS[name]) for name in sorted(ITEMS, reverse=True))


def test_the_map_that_the_table_is_made_from_is_valid() -> None:
    assert record() == RAW
    assert codec.decode(Cosign, RAW) == COSIGN


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", MALFORMED),
        (RAW + b"\x00", MALFORMED),
        (RAW + RAW, MALFORMED),
        (record(objection=b"\xc0"), MALFORMED),
        (record(objection=b"\xc3"), MALFORMED),
        (record(objection=b"\xcb\x7f\xf8" + bytes(6)), MALFORMED),
        (record(objection=b"\xca\x3f\x80\x00\x00"), MALFORMED),
        (record(objection=b"\xd4\x01\x00"), MALFORMED),
        (record(objection=b"\xc7\x00\x01"), MALFORMED),
        (record(objection=b"\xc1"), MALFORMED),
        (record(objection=text("unheard of")), MALFORMED),
        (record(objection=b"\xa2\xff\xfe"), MALFORMED),
        (record(objection=b"\xa3\xed\xa0\x80"), MALFORMED),
        (record(objection=b"\xa2\xc0\x80"), MALFORMED),
        (record(objection=b"\x04"), MALFORMED),
        (record(on=text("t" * 31)), MALFORMED),
        (record(on=b"\xc4\x1f" + b"t" * 31), MALFORMED),
        (record(on=b"\xc4\x21" + b"t" * 33), MALFORMED),
        (record(on=None), MALFORMED),
        (record(onn=b"\x00"), MALFORMED),
        (record(on=None, onn=b"\xc4\x20" + b"t" * 32), MALFORMED),
        (b"\x85" + RAW[1:] + text("on") + b"\xc4\x20" + b"t" * 32, NOT_CANONICAL),
        (b"\xde\x00\x04" + RAW[1:], NOT_CANONICAL),
        (b"\xdf\x00\x00\x00\x04" + RAW[1:], NOT_CANONICAL),
        (record(on=b"\xc5\x00\x20" + b"t" * 32), NOT_CANONICAL),
        (record(objection=b"\xd9\x04none"), NOT_CANONICAL),
        (BACKWARDS, NOT_CANONICAL),
        (b"\x81\x01\x01", MALFORMED),
        (b"\x81\x90\x01", MALFORMED),
        (b"\x81\x81\x01\x01\x01", MALFORMED),
        (b"\x81\xc4\x02on\x01", MALFORMED),
        (b"\x94" + RAW[1:], MALFORMED),
        (b"\x80", MALFORMED),
        (b"\x90", MALFORMED),
        (b"\x00", MALFORMED),
    ],
    ids=lambda value: value.hex()[:24] or "empty" if isinstance(value, bytes) else value.value,
)  # fmt: skip
def test_refused(raw: bytes, reason: FaultReason) -> None:
    result = codec.decode(Cosign, raw)
    assert isinstance(result, Fault) and result.reason is reason, result


@pytest.mark.parametrize("long", ["cc07", "cd0007", "ce00000007", "cf0000000000000007", "d007", "d10007"])
def test_an_integer_has_one_form(long: str) -> None:
    raw = codec.encode(replace(CONTENT, prompt_tokens=7))
    assert raw.count(b"prompt_tokens\x07") == 1
    result = codec.decode(AnswerContent, raw.replace(b"prompt_tokens\x07", b"prompt_tokens" + bytes.fromhex(long)))
    assert isinstance(result, Fault) and result.reason is NOT_CANONICAL


@pytest.mark.parametrize("value", [b"\xff", b"\xcf" + b"\xff" * 8, b"\xce\x00\x00\x00\x04", b"\x04", b"\xe0"])
def test_flags_outside_of_the_set(value: bytes) -> None:
    raw = codec.encode(samples()[Kind.OFFER]).replace(b"\xa5roles\x03", b"\xa5roles" + value)
    result = codec.decode(Offer, raw)
    assert isinstance(result, Fault) and result.reason is MALFORMED


def test_every_set_of_flags_has_its_number() -> None:
    offer = samples()[Kind.OFFER]
    assert isinstance(offer, Offer)
    for number in range(4):
        other = replace(offer, roles=Role(number))
        assert codec.decode(Offer, codec.encode(other)) == other


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> bytes:
        return b"\x91" * depth + b"\x00"

    deep, deeper = (codec.decode(Cosign, nested(depth)) for depth in (DEPTH_MAX, DEPTH_MAX + 1))
    assert isinstance(deep, Fault) and "nested" not in deep.detail
    assert isinstance(deeper, Fault) and "nested" in deeper.detail


def test_values_are_counted_over_all_containers() -> None:
    def wide(arrays: int, each: int) -> bytes:
        return b"\xdc" + arrays.to_bytes(2, "big") + (b"\xdc" + each.to_bytes(2, "big") + bytes(each)) * arrays

    # 1 outer array, 2 inner ones, their elements
    most = (ITEMS_MAX - 3) // 2
    assert "values" not in str(codec.decode(Cosign, wide(2, most)))
    assert "values" in str(codec.decode(Cosign, wide(2, most + 1)))


def _ballot(count: int) -> Ballot:
    ballot = samples()[Kind.BALLOT]
    assert isinstance(ballot, Ballot)
    return replace(ballot, judgements=(ballot.judgements[0],) * count)


@pytest.mark.parametrize(
    ("make", "least", "most"),
    [
        (_ballot, 1, 64),
        (lambda size: replace(CONTENT, text="x" * size), 0, 65_536),
        (lambda size: replace(CONTENT, text="é" * (size // 2) + "x" * (size % 2)), 0, 65_536),
        (lambda number: replace(CONTENT, prompt_tokens=number), 0, (1 << 32) - 1),
        (lambda count: PullRequest(query=digest("q"), ids=(digest("i"),) * count), 0, 192),
    ],
)
def test_bounds_hold_in_both_directions(make: Callable[[int], Any], least: int, most: int) -> None:
    """The bound itself passes, one beyond it is our bug when we encode and a fault when it comes from outside."""
    for number in (least, most):
        assert codec.decode(type(make(number)), codec.encode(make(number))) == make(number)
    with pytest.raises(codec.EncodingError):
        codec.encode(make(most + 1))


def test_bounds_hold_for_what_another_encoder_wrote() -> None:
    plain = msgpack.unpackb(codec.encode(CONTENT))
    for field, value in (("text", "x" * 65_537), ("prompt_tokens", 1 << 32), ("prompt_tokens", -1)):
        result = codec.decode(AnswerContent, msgpack.packb({**plain, field: value}))
        assert isinstance(result, Fault) and result.reason is MALFORMED and field in result.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "\ud800"},
        {"text": b"bytes"},
        {"prompt_tokens": True},
        {"prompt_tokens": 1.0},
        {"finish": "whim"},
        {"finish": "stop"},
    ],
    ids=str,
)
def test_a_local_value_that_does_not_fit_is_our_bug(changes: dict[str, Any]) -> None:
    with pytest.raises(codec.EncodingError, match=next(iter(changes))):
        codec.encode(replace(CONTENT, **changes))


def test_a_number_is_no_set_of_flags() -> None:
    """It would be one after decoding: what is encoded is equal to what is decoded, in its types too."""
    with pytest.raises(codec.EncodingError, match="roles: not a set of Role"):
        codec.encode(replace(samples()[Kind.OFFER], roles=3))  # type: ignore[call-arg]


def test_lists_are_not_tuples_and_subclasses_are_not_the_schema() -> None:
    with pytest.raises(codec.EncodingError, match="not an array"):
        codec.encode(PullRequest(query=digest("q"), ids=[digest("i")]))  # type: ignore[arg-type]
