"""R3: two different messages of one slot are evidence, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.evidence import Slot, accuse, examine, slot_of
from protocol.errors import Fault, FaultReason
from protocol.messages import EquivocationProof
from protocol.signing import VerifiedMessage, seal
from protocol.types import Kind
from tests.support.hand import Hand, changed_query
from tests.support.samples import KEYPAIR, NETWORK, digest, samples


def sealed(kind: Kind, **changes: Any) -> VerifiedMessage:
    return seal(KEYPAIR, NETWORK, replace(samples()[kind], **changes))


PAIRS: dict[Kind, tuple[VerifiedMessage, VerifiedMessage]] = {
    Kind.COMMIT: (sealed(Kind.COMMIT), sealed(Kind.COMMIT, commitment=digest("z"))),
    Kind.CLOSE_COMMITS: (sealed(Kind.CLOSE_COMMITS), sealed(Kind.CLOSE_COMMITS, prev=digest("z"))),
    Kind.ANSWER: (sealed(Kind.ANSWER), sealed(Kind.ANSWER, salt=b"z" * 32)),
    Kind.CLOSE_SLATE: (sealed(Kind.CLOSE_SLATE), sealed(Kind.CLOSE_SLATE, ride_along=())),
    Kind.BALLOT: (sealed(Kind.BALLOT), sealed(Kind.BALLOT, on=digest("z"))),
    Kind.CLOSE_WAVE: (sealed(Kind.CLOSE_WAVE), sealed(Kind.CLOSE_WAVE, ballots=())),
    Kind.CLOSE_TALLY: (sealed(Kind.CLOSE_TALLY), sealed(Kind.CLOSE_TALLY, p_best=0)),
    Kind.COSIGN: (sealed(Kind.COSIGN), sealed(Kind.COSIGN, on=digest("z"))),
    Kind.OFFER: (sealed(Kind.OFFER), sealed(Kind.OFFER, queue=0)),
}


def evidence(one: bytes, other: bytes) -> VerifiedMessage:
    return seal(KEYPAIR, NETWORK, EquivocationProof(author=KEYPAIR.public, first=one, second=other))


def proves_nothing(message: VerifiedMessage) -> None:
    result = examine(message, NETWORK)
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_EVIDENCE, result


@pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: kind.name)
def test_two_messages_of_one_slot(kind: Kind) -> None:
    one, other = PAIRS[kind]
    slot = slot_of(one)
    assert slot is not None and slot == slot_of(other) and slot.kind is kind
    for pair in ((one, other), (other, one)):
        assert examine(accuse(KEYPAIR, NETWORK, *pair), NETWORK) == slot
    assert accuse(KEYPAIR, NETWORK, one, other) == accuse(KEYPAIR, NETWORK, other, one)


@pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: kind.name)
def test_one_message_twice_or_in_the_wrong_order(kind: Kind) -> None:
    low, high = sorted(PAIRS[kind], key=lambda message: message.id)
    proves_nothing(evidence(low.envelope, low.envelope))
    proves_nothing(evidence(high.envelope, low.envelope))


def test_messages_of_different_slots() -> None:
    ordered = [
        (sealed(Kind.COMMIT), sealed(Kind.COSIGN)),
        (sealed(Kind.COMMIT), sealed(Kind.COMMIT, query=digest("z"))),
        (sealed(Kind.BALLOT), sealed(Kind.BALLOT, wave=0)),
        (sealed(Kind.CLOSE_WAVE), sealed(Kind.CLOSE_WAVE, wave=0)),
        (sealed(Kind.OFFER), sealed(Kind.OFFER, sequence=1)),
    ]
    for one, other in ordered:
        proves_nothing(accuse(KEYPAIR, NETWORK, one, other))


def test_messages_of_different_authors() -> None:
    hand = Hand()
    for name in "cd":
        two = [hand.commit("b"), hand.seal(name, hand.commit("b").body)]
        result = examine(hand.evidence("a", *two), hand.params.digest)
        assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_EVIDENCE


def test_queries_and_evidence_have_no_slot() -> None:
    """Each query begins a round of its own, so two of them are no crime."""
    hand = Hand()
    two = (hand.query, changed_query(hand, nonce=b"z" * 32))
    assert slot_of(hand.query) is None
    result = examine(hand.evidence("b", *two), hand.params.digest)
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_EVIDENCE
    assert slot_of(accuse(KEYPAIR, NETWORK, *PAIRS[Kind.COMMIT])) is None


def test_notices_only_inform() -> None:
    """A requester that builds its certificate anew after a restart may name another digest."""
    one, other = sealed(Kind.NOTICE), sealed(Kind.NOTICE, certificate_digest=digest("z"))
    proves_nothing(accuse(KEYPAIR, NETWORK, one, other))


def test_messages_that_do_not_verify() -> None:
    one, other = sorted(PAIRS[Kind.COMMIT], key=lambda message: message.id)
    forged = other.envelope[:-1] + bytes((other.envelope[-1] ^ 1,))
    proves_nothing(evidence(one.envelope, forged))
    proves_nothing(evidence(forged, one.envelope))
    proves_nothing(evidence(one.envelope, bytes(100)))
    proves_nothing(sealed(Kind.COMMIT))


def test_evidence_of_another_network() -> None:
    message = accuse(KEYPAIR, NETWORK, *PAIRS[Kind.COMMIT])
    result = examine(message, digest("n"))
    assert isinstance(result, Fault) and result.reason is FaultReason.WRONG_EVIDENCE


def test_slots() -> None:
    author = KEYPAIR.public
    assert slot_of(sealed(Kind.OFFER)) == Slot(b"", author, Kind.OFFER, 1 << 53)
    assert slot_of(sealed(Kind.BALLOT)) == Slot(digest("q"), author, Kind.BALLOT, 1)
    assert slot_of(sealed(Kind.COSIGN)) == Slot(digest("q"), author, Kind.COSIGN, 0)
