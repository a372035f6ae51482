"""What is noted of a round, within its bounds, and what comes back from the store."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest

from node.api.events import Asked, BaseEvent, Decided, Progress, RoundEvent, TextSent
from node.rounds.following import noting
from node.rounds.following.noting import NOTED_MAX, EventNotes, pack, unpack
from protocol.types import Outcome, OutcomeReason

KEYS = tuple(random.Random(7).randbytes(32).hex() for _ in range(64))
ID = "ab" * 32
ASKED = Asked(query_id=ID, members=KEYS)
DECIDED = Decided(
    query_id=ID,
    outcome=Outcome.DECIDED,
    reason=OutcomeReason.NONE,
    winner="ab" * 32,
    p_best=0.9,
    p_correct=None,
    answer="That.",
)


def progress(received: int, phase: str = "answering") -> Progress:
    nobody: Any = {"silent": KEYS, "refused": {}, "declined": {}}
    return Progress(
        query_id=ID, phase=phase, wave=0, received=KEYS[: received % 64], expected=KEYS, seq=received, **nobody
    )


def noted(*events: BaseEvent) -> list[RoundEvent]:
    notes = EventNotes()
    for each in events:
        notes.note(each)
    return list(notes)


def test_all_is_noted_in_order() -> None:
    events = (ASKED, progress(0), TextSent(member=KEYS[0]), progress(1), progress(0, "opening"), DECIDED)
    assert noted(*events) == list(events)


def test_beyond_the_bound_newer_progress_takes_the_place_of_older() -> None:
    """The beginning, the end and each phase's last figures stay."""
    many = [progress(number) for number in range(NOTED_MAX + 40)]
    found = noted(ASKED, *many, progress(0, "opening"), progress(1, "opening"), DECIDED)
    assert len(found) == NOTED_MAX
    assert (found[0], found[1]) == (ASKED, progress(2)), "the oldest two made room"
    assert found[-3:] == [many[-1], progress(1, "opening"), DECIDED]


def test_what_is_packed_comes_back() -> None:
    events = noted(ASKED, progress(0), progress(5), DECIDED)
    packed = pack(events)
    assert packed is not None and unpack(packed) == tuple(events)


def test_the_longest_round_of_64_members_is_small() -> None:
    packed = pack(noted(ASKED, *(progress(number) for number in range(NOTED_MAX)), DECIDED))
    assert packed is not None and len(packed) < 128 * 1024
    assert unpack(packed) is not None


def test_what_is_too_large_is_not_stored() -> None:
    text = random.Random(7).randbytes(noting.PACKED_BYTES_MAX).hex()
    assert pack([TextSent(member=text)]) is None


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no bytes of zlib",
        zlib.compress(b"[]")[:-1],
        zlib.compress(b"[1]"),
        zlib.compress(b'[{"event":"of a later strand"}]'),
        zlib.compress(b"\xff"),
        zlib.compress(b" " * (noting.UNPACKED_BYTES_MAX + 1)),
    ],
    ids=["nothing", "no zlib", "cut", "no event", "unknown", "no text", "too large"],
)
def test_what_is_damaged_or_of_another_strand_is_nothing(packed: bytes) -> None:
    assert unpack(packed) is None
