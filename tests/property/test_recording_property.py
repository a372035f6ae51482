"""A recording comes from anywhere: reading it never raises, and what is taken is what would be written."""

from hypothesis import given
from hypothesis import strategies as st

from consensus.rounds.recording import Recording, frame, read
from protocol.errors import Fault
from tests.unit.consensus.test_recording import BEGINNING, RAW


@given(st.binary(max_size=200))
def test_any_bytes_after_a_beginning(raw: bytes) -> None:
    assert isinstance(read(raw), Fault | Recording)
    taken = read(frame(BEGINNING) + raw)
    assert isinstance(taken, Fault) or raw.startswith(b"".join(map(frame, taken.inputs)))


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_read_as_the_same(position: int, change: int) -> None:
    changed = bytearray(RAW)
    changed[position] ^= change
    assert read(bytes(changed)) != read(RAW)


@given(st.integers(0, len(RAW)))
def test_a_start_of_a_recording_is_its_start(end: int) -> None:
    whole, start = read(RAW), read(RAW[:end])
    assert isinstance(whole, Recording)
    assert isinstance(start, Fault) == (end < len(frame(BEGINNING)))
    assert isinstance(start, Fault) or start.inputs == whole.inputs[: len(start.inputs)]
