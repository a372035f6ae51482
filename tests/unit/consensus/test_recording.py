"""The file of a recording: what is written is read; everything else is refused, or left out where it is cut off."""

import pytest

from consensus.rounds import recording
from consensus.rounds.recording import (
    FRAME_BYTES_MAX,
    RECORDING_BYTES_MAX,
    Beginning,
    Closed,
    Input,
    Left,
    PullAnswered,
    Recording,
    Ticked,
    frame,
    read,
)
from protocol.codec import EncodingError
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.types import Digest, Key
from tests.support.swarm import START_MS, params

BEGINNING = Beginning(key=Key(b"k" * 32), params=params(), joins_from_ms=0)
QUERY = Digest(b"q" * 32)
INPUTS: tuple[Input, ...] = (
    Ticked(at_ms=START_MS),
    Closed(query=QUERY),
    Left(query=QUERY),
    PullAnswered(at_ms=START_MS, query=QUERY, reply=b"nonsense"),
)
RAW = frame(BEGINNING) + b"".join(map(frame, INPUTS))


def refused(raw: bytes) -> FaultReason:
    fault = read(raw)
    assert isinstance(fault, Fault), fault
    return fault.reason


def framed(kind: int, body: bytes) -> bytes:
    return (1 + len(body)).to_bytes(4, "big") + bytes((kind,)) + body


def test_what_is_written_is_read() -> None:
    assert read(RAW) == Recording(BEGINNING, INPUTS)


def test_a_last_frame_that_is_cut_off_is_left_out() -> None:
    start = len(frame(BEGINNING))
    whole = Recording(BEGINNING, INPUTS[:1])
    ends = range(start + len(frame(INPUTS[0])), start + len(frame(INPUTS[0]) + frame(INPUTS[1])))
    assert all(read(RAW[:end]) == whole for end in ends)


def test_the_largest_input_fits() -> None:
    largest = PullAnswered(at_ms=START_MS, query=QUERY, reply=bytes(CERTIFICATE_BYTES_MAX))
    assert len(frame(largest)) <= FRAME_BYTES_MAX
    assert read(frame(BEGINNING) + frame(largest)) == Recording(BEGINNING, (largest,))
    with pytest.raises(EncodingError):
        frame(PullAnswered(at_ms=START_MS, query=QUERY, reply=bytes(CERTIFICATE_BYTES_MAX + 1)))


def test_every_input_has_one_kind() -> None:
    assert set(recording._KINDS) == {Beginning, *Input.__args__}
    assert len(set(recording._KINDS)) == len(recording._KINDS)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", FaultReason.MALFORMED),
        (RAW[: len(frame(BEGINNING)) - 1], FaultReason.MALFORMED),
        (RAW[len(frame(BEGINNING)) :], FaultReason.MALFORMED),
        (RAW + frame(BEGINNING), FaultReason.MALFORMED),
        (RAW + bytes(4), FaultReason.UNKNOWN_KIND),
        (RAW + framed(len(recording._KINDS), b"\x80"), FaultReason.UNKNOWN_KIND),
        (RAW + framed(recording._KINDS.index(Ticked), b"\x80"), FaultReason.MALFORMED),
        (RAW + framed(recording._KINDS.index(Ticked), b"\x81\xa5at_ms\xcd\x00\x01"), FaultReason.NOT_CANONICAL),
        (RAW + framed(recording._KINDS.index(Ticked), bytes(FRAME_BYTES_MAX + 1)), FaultReason.TOO_LARGE),
        (RAW + bytes(RECORDING_BYTES_MAX), FaultReason.TOO_LARGE),
    ],
    ids=[
        "empty", "no whole frame", "no beginning", "two beginnings", "frame of nothing", "unknown kind", "no fields",
        "long integer", "frame too large", "file too large",
    ],
)  # fmt: skip
def test_what_is_refused(raw: bytes, reason: FaultReason) -> None:
    assert refused(raw) is reason
