"""R1, R2: what was signed for one round counts in no other, at no moment of it, and on no other network.

Two rounds of the same members, the same question and the same answers, which differ in their nonce alone: every message
of the one is offered to every state of the other.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from consensus.certificates.certificate import verify_certificate
from consensus.certificates.closings import Missing, extend
from consensus.certificates.evidence import examine
from consensus.certificates.record import RoundRecord, check_contribution, open_record
from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault, FaultReason
from protocol.messages import Cancel, Closing, Contribution
from protocol.params import NetworkParams
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import DeclineReason, Digest, Kind
from tests.support.findings import plan
from tests.support.hand import Hand
from tests.support.swarm import START_MS, Swarm, keypair, params

OURS, THEIRS = b"o" * 32, b"t" * 32
"""Nonces of the two rounds."""


@cache
def played(nonce: bytes) -> tuple[Swarm, tuple[VerifiedMessage, ...]]:
    """A decided round of six in two waves, and all that was said in it; `f` answers, and declines to judge."""
    swarm = Swarm("abcdef", tool_versions="g1")
    swarm.nodes["f"].unable_to_judge = DeclineReason.ABSTAINS
    swarm.ask(nonce=nonce, waves=(1, 2), findings=plan())
    swarm.run()
    said = {message.id: message for heard in swarm.heard.values() for message in heard}
    return swarm, tuple(said[id] for id in sorted(said))


def states(swarm: Swarm) -> Iterator[RoundRecord]:
    """Every record of the round, the last one first."""
    record: RoundRecord | None = swarm.verified().record
    while record is not None:
        yield record
        record = record.before


def test_every_message_at_every_state_of_another_round() -> None:
    ours, said_here = played(OURS)
    _, said_there = played(THEIRS)
    pool = {message.id: message for message in (*said_here, *said_there)}
    kinds = {message.kind for message in said_there}
    assert kinds == set(Kind) - {Kind.OFFER, Kind.EVIDENCE, Kind.CANCEL}
    tried = 0
    for record in states(ours):
        for message in said_there:
            if isinstance(message.body, Contribution):
                tried += 1
                assert isinstance(check_contribution(record, message), Fault), message.kind
            elif isinstance(message.body, Closing):
                tried += 1
                fault = extend(record, message, pool)
                assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_CHAIN
    assert tried == len(list(states(ours))) * sum(
        isinstance(message.body, Contribution | Closing) for message in said_there
    )
    assert tried >= 100, "five states, 24 messages"


def test_a_cancel_of_another_round_at_every_state() -> None:
    ours, theirs = played(OURS)[0], played(THEIRS)[0]
    for record in states(ours):
        for there in states(theirs):
            cancel = Cancel(author=there.message.author, query=there.id, prev=there.head)
            fault = extend(record, seal(keypair("a"), ours.params.digest, cancel), {})
            assert isinstance(fault, Fault) and fault.reason is FaultReason.WRONG_CHAIN


def test_the_same_states_take_what_was_said_there() -> None:
    """The other round's own states do take them: it is the round alone that makes the difference."""
    theirs, said_there = played(THEIRS)
    taken = set()
    for record in states(theirs):
        for message in said_there:
            if isinstance(message.body, Contribution) and check_contribution(record, message) is None:
                taken.add(message.id)
    assert taken == {message.id for message in said_there if isinstance(message.body, Contribution)}


@pytest.mark.parametrize("field", ["closings", "answers", "ballots", "cosigns"])
def test_every_part_of_a_certificate_swapped_for_another_rounds(field: str) -> None:
    apart = replace(params(), ride_along_bytes_max=0)
    ours, theirs = (_certificate(nonce, apart) for nonce in (OURS, THEIRS))
    for index, stranger in enumerate(getattr(theirs, field)):
        kept = list(getattr(ours, field))
        kept[index] = stranger
        if field != "closings":
            kept.sort(key=lambda envelope: _opened(envelope, apart).id)
        assert isinstance(verify_certificate(codec.encode(replace(ours, **{field: tuple(kept)}))), Fault)


def test_nothing_said_on_one_network_is_said_on_another() -> None:
    """Every message of a whole round, at a validator whose parameters differ in one figure."""
    swarm, said = played(OURS)
    other = replace(swarm.params, grace_ms=swarm.params.grace_ms + 1)
    hand = Hand("abcde", other)
    validator = Swarm("abcde", other).nodes["b"].participant.validator
    for message in said:
        assert isinstance(open_envelope(message.envelope, swarm.params.digest), VerifiedMessage)
        for on in (topic(other, "rust", 0), topic(swarm.params, "rust", 0)):
            with forgetting():
                refused = validator.admit_gossip(on, message.author, message.envelope, START_MS)
            assert isinstance(refused, Fault) and refused.reason is FaultReason.BAD_SIGNATURE
    first, second = hand.equivocation("c")
    with forgetting():
        shown = examine(hand.evidence("b", first, second), swarm.params.digest)
    assert isinstance(shown, Fault) and shown.reason is FaultReason.WRONG_EVIDENCE


def test_a_state_never_depends_on_what_lies_beside_it() -> None:
    """A closing whose contributions are at hand only in another round's pool is not extended with theirs."""
    ours, _ = played(OURS)
    _, said_there = played(THEIRS)
    verified = ours.verified().record
    opened = open_record(ours.params, verified.message)
    assert isinstance(opened, RoundRecord)
    theirs: dict[Digest, VerifiedMessage] = {message.id: message for message in said_there}
    commits, slate = verified.closings[0], verified.closings[1]
    record = extend(opened, commits, theirs)
    assert isinstance(record, RoundRecord)
    bare = replace(slate.body, ride_along=())
    hand_sealed = Hand("abcde", ours.params).seal("a", bare)
    assert isinstance(extend(record, hand_sealed, theirs), Missing)


def _certificate(nonce: bytes, network: NetworkParams) -> Certificate:
    swarm = Swarm("abcd", network)
    swarm.ask(nonce=nonce)
    swarm.run()
    assert swarm.certificate is not None
    certificate = codec.decode(Certificate, swarm.certificate)
    assert isinstance(certificate, Certificate)
    return certificate


def _opened(envelope: bytes, network: NetworkParams) -> VerifiedMessage:
    message = open_envelope(envelope, network.digest)
    assert isinstance(message, VerifiedMessage)
    return message
