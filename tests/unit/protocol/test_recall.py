"""A memo that holds nothing: what it shares, and what it must not."""

from dataclasses import dataclass

import pytest

from protocol.errors import Fault, FaultReason
from protocol.recall import Recall, forgetting
from protocol.signing import open_envelope, seal
from protocol.types import Kind
from tests.support.samples import KEYPAIR, NETWORK, digest, samples


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Result:
    """Something that was costly."""

    value: int


def test_a_result_is_found_while_someone_holds_it() -> None:
    memo = Recall[str, Result]()
    assert memo.recall("one") is None
    held = Result(1)
    memo.remember("one", held)
    assert memo.recall("one") is held and memo.recall("two") is None
    del held
    assert memo.recall("one") is None, "the memo keeps nothing alive"
    assert not memo._held, "nor does it grow"


def test_the_first_result_stays_while_it_is_held() -> None:
    """Otherwise one that is dropped at once would hide the one that others hold."""
    memo = Recall[str, Result]()
    first = Result(1)
    assert memo.remember("one", first) is first
    assert memo.remember("one", Result(1)) is first
    assert memo.recall("one") is first
    with forgetting():
        assert memo.remember("one", other := Result(1)) is other


def test_forgetting() -> None:
    memo = Recall[str, Result]()
    before, within = Result(1), Result(2)
    memo.remember("before", before)
    with forgetting():
        assert memo.recall("before") is None
        memo.remember("within", within)
        with forgetting():
            pass
        assert memo.recall("within") is None
    assert memo.recall("within") is None
    assert memo.recall("before") is before


def test_forgetting_ends_with_an_error() -> None:
    memo = Recall[str, Result]()
    held = Result(1)
    memo.remember("one", held)
    with pytest.raises(RuntimeError), forgetting():
        raise RuntimeError
    assert memo.recall("one") is held


# -- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_a_message_is_verified_once_in_a_process(kind: Kind) -> None:
    sealed = seal(KEYPAIR, NETWORK, samples()[kind])
    assert open_envelope(bytes(bytearray(sealed.envelope)), NETWORK) is sealed
    assert seal(KEYPAIR, NETWORK, samples()[kind]) is sealed
    with forgetting():
        again = open_envelope(sealed.envelope, NETWORK)
    assert again == sealed and again is not sealed
    assert repr(again) == repr(sealed), "the same types in every field"


def test_what_is_held_vouches_for_no_other_bytes_and_no_other_network() -> None:
    sealed = seal(KEYPAIR, NETWORK, samples()[Kind.COMMIT])
    forged = sealed.envelope[:1] + bytes(64) + sealed.envelope[65:]
    for envelope, network in ((forged, NETWORK), (sealed.envelope, digest("n"))):
        fault = open_envelope(envelope, network)
        assert isinstance(fault, Fault) and fault.reason is FaultReason.BAD_SIGNATURE


def test_a_fault_is_found_again_each_time() -> None:
    sealed = seal(KEYPAIR, NETWORK, samples()[Kind.COMMIT])
    first, second = (open_envelope(sealed.envelope + b"\x00", NETWORK) for _ in range(2))
    assert first == second and isinstance(first, Fault)


def test_what_was_opened_is_held_as_what_was_sealed() -> None:
    envelope = seal(KEYPAIR, NETWORK, samples()[Kind.NOTICE]).envelope
    opened = open_envelope(envelope, NETWORK)
    assert open_envelope(envelope, NETWORK) is opened
