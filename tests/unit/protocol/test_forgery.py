"""R1, P3: whoever changes, borrows or replays an envelope of any kind is refused."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum, Flag
from typing import Any

import pytest

from protocol import codec
from protocol.errors import Fault, FaultReason, Verdict
from protocol.hashing import message_preimage
from protocol.limits import DEPTH_MAX, ITEMS_MAX, MESSAGE_BYTES_MAX, SLOT_MESSAGE_BYTES_MAX
from protocol.messages import MESSAGE_TYPES, CloseSlate, Commit, EquivocationProof, Message
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.types import Digest, Key, Kind
from tests.support.samples import KEYPAIR, NETWORK, OTHER, digest, samples
from tests.support.schemas import largest
from tests.support.swarm import params

HEADER = 65
"""bytes before the body: kind and signature."""

GROUP_ORDER = (1 << 252) + 27742317777372353535851937790883648493
"""L, the order of Ed25519's base point (RFC 8032, section 5.1)."""

ENVELOPE_BYTES = {kind: HEADER + len(codec.encode(body)) for kind, body in samples().items()}

BYTES = {FaultReason.MALFORMED, FaultReason.NOT_CANONICAL, FaultReason.BAD_SIGNATURE}

every_kind = pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)


def sealed(kind: Kind, network: Digest = NETWORK) -> VerifiedMessage:
    return seal(KEYPAIR, network, samples()[kind])


def refused(envelope: bytes, network: Digest = NETWORK) -> FaultReason:
    """Why an envelope is refused; all that is wrong with its bytes is the sender's fault."""
    fault = open_envelope(envelope, network)
    assert isinstance(fault, Fault), "a forgery was taken"
    assert fault.verdict is Verdict.REJECT
    return fault.reason


@every_kind
def test_what_is_sealed_opens_as_it_was(kind: Kind) -> None:
    message = sealed(kind)
    with forgetting():
        assert open_envelope(message.envelope, NETWORK) == message
    assert (message.kind, message.author, message.body) == (kind, KEYPAIR.public, samples()[kind])
    assert sealed(kind).envelope == message.envelope, "signing is deterministic"


@every_kind
def test_every_bit(kind: Kind) -> None:
    """Each of its bits is under the signature, or is the signature: 51,464 forgeries of all kinds together."""
    envelope = sealed(kind).envelope
    reasons = Counter(refused(forged) for forged in flipped(envelope))
    assert reasons.total() == 8 * len(envelope) == 8 * ENVELOPE_BYTES[kind]
    assert set(reasons) <= BYTES | {FaultReason.UNKNOWN_KIND, FaultReason.TOO_LARGE}
    assert reasons[FaultReason.BAD_SIGNATURE] >= 8 * 64, "a changed signature changes nothing else"


def test_the_forgeries_are_as_many_as_is_said() -> None:
    assert 8 * sum(ENVELOPE_BYTES.values()) == 51_464
    assert sum(len(list(leaves(body))) for body in samples().values()) == 193


@every_kind
def test_every_field(kind: Kind) -> None:
    """Each field of each record within a message, changed for what is as well-formed: only the signature tells."""
    body = samples()[kind]
    signature = sealed(kind).envelope[1:HEADER]
    changed = {name: codec.encode(other) for name, other in neighbours(body)}
    assert set(changed) == set(leaves(body)), "a field was not tried"
    for name, raw in changed.items():
        assert refused(bytes((kind,)) + signature + raw) is FaultReason.BAD_SIGNATURE, name


@every_kind
def test_the_other_form_of_a_signature(kind: Kind) -> None:
    """S and S + L satisfy one equation: where both passed, one message would have two envelopes."""
    envelope = sealed(kind).envelope
    scalar = int.from_bytes(envelope[33:HEADER], "little") + GROUP_ORDER
    forged = envelope[:33] + scalar.to_bytes(32, "little") + envelope[HEADER:]
    assert refused(forged) is FaultReason.BAD_SIGNATURE


@every_kind
def test_signed_by_another_key(kind: Kind) -> None:
    raw = codec.encode(samples()[kind])
    signature = OTHER.sign(message_preimage(NETWORK, kind, raw))
    assert refused(bytes((kind,)) + signature + raw) is FaultReason.BAD_SIGNATURE


@every_kind
def test_another_author_put_in(kind: Kind) -> None:
    """A signature says nothing of a body that names somebody else."""
    body = samples()[kind]
    signature = sealed(kind).envelope[1:HEADER]
    raw = codec.encode(_by(body, OTHER.public))
    assert refused(bytes((kind,)) + signature + raw) is FaultReason.BAD_SIGNATURE


@every_kind
def test_replayed_as_another_kind(kind: Kind) -> None:
    envelope = sealed(kind).envelope
    for other in set(Kind) - {kind}:
        assert refused(bytes((other,)) + envelope[1:]) in BYTES


def test_the_kind_is_under_the_signature() -> None:
    """Also where two kinds should one day have the same fields: the first byte changes id and signature."""
    raw = codec.encode(samples()[Kind.COMMIT])
    signature = KEYPAIR.sign(message_preimage(NETWORK, Kind.COSIGN, raw))
    assert refused(bytes((Kind.COMMIT,)) + signature + raw) is FaultReason.BAD_SIGNATURE
    assert message_preimage(NETWORK, Kind.COMMIT, raw) != message_preimage(NETWORK, Kind.COSIGN, raw)


@every_kind
def test_replayed_on_another_network(kind: Kind) -> None:
    minimal = params("minimal")
    envelope = sealed(kind, minimal.digest).envelope
    assert isinstance(open_envelope(envelope, minimal.digest), VerifiedMessage)
    for other in (params("devnet"), replace(minimal, grace_ms=minimal.grace_ms + 1)):
        assert refused(envelope, other.digest) is FaultReason.BAD_SIGNATURE


@every_kind
def test_no_frame(kind: Kind) -> None:
    envelope = sealed(kind).envelope
    for end in range(HEADER + 1):
        assert refused(envelope[:end]) is FaultReason.MALFORMED
    assert refused(envelope + b"\x00") is FaultReason.MALFORMED


@pytest.mark.parametrize("number", sorted(set(range(256)) - set(Kind)))
def test_unknown_kinds(number: int) -> None:
    assert refused(bytes((number,)) + sealed(Kind.COMMIT).envelope[1:]) is FaultReason.UNKNOWN_KIND


def test_an_author_that_is_no_key() -> None:
    """Byte strings that are no point of the curve, or one of small order, verify nothing."""
    for author in (bytes(32), b"\xff" * 32, b"\x01" + bytes(31)):
        raw = codec.encode(_by(samples()[Kind.COMMIT], Key(author)))
        for signature in (bytes(64), b"\x01" + bytes(63)):
            assert refused(bytes((Kind.COMMIT,)) + signature + raw) is FaultReason.BAD_SIGNATURE


def test_sizes() -> None:
    """Evidence may be as large as a message can be, every other kind a little less than half of it."""
    body = bytes(SLOT_MESSAGE_BYTES_MAX - HEADER)
    frame = bytes((Kind.COMMIT,)) + bytes(64) + body
    assert refused(frame) is FaultReason.MALFORMED
    assert refused(frame + b"\x00") is FaultReason.TOO_LARGE
    frame = bytes((Kind.EVIDENCE,)) + bytes(64) + bytes(MESSAGE_BYTES_MAX - HEADER)
    assert refused(frame) is FaultReason.MALFORMED
    assert refused(frame + b"\x00") is FaultReason.TOO_LARGE


def test_two_largest_messages_fit_into_evidence() -> None:
    """Every equivocation can be shown."""
    largest = bytes(SLOT_MESSAGE_BYTES_MAX)
    raw = codec.encode(EquivocationProof(author=KEYPAIR.public, first=largest, second=largest))
    assert HEADER + len(raw) <= MESSAGE_BYTES_MAX


@every_kind
def test_seal_refuses_a_body_of_another_author(kind: Kind) -> None:
    with pytest.raises(ValueError, match="signed by the author"):
        seal(OTHER, NETWORK, samples()[kind])


def test_seal_refuses_what_does_not_fit() -> None:
    commit = Commit(author=KEYPAIR.public, query=digest("q"), on=digest("q"), commitment=Digest(b"short"))
    with pytest.raises(codec.EncodingError, match="commitment"):
        seal(KEYPAIR, NETWORK, commit)


def test_seal_refuses_what_others_would_not_open() -> None:
    """`seal` does not open what it has made, so its sizes are checked when it is made."""
    slate = samples()[Kind.CLOSE_SLATE]
    assert isinstance(slate, CloseSlate)
    rider = SLOT_MESSAGE_BYTES_MAX - len(sealed(Kind.CLOSE_SLATE).envelope)
    largest = replace(slate, ride_along=(*slate.ride_along, bytes(rider - 5)))
    with forgetting():
        message = seal(KEYPAIR, NETWORK, largest)
        assert len(message.envelope) == SLOT_MESSAGE_BYTES_MAX
        assert open_envelope(message.envelope, NETWORK) == message
    with pytest.raises(codec.EncodingError, match="own CLOSE_SLATE message"):
        seal(KEYPAIR, NETWORK, replace(largest, ride_along=(*slate.ride_along, bytes(rider - 4))))


@pytest.mark.parametrize("schema", MESSAGE_TYPES.values(), ids=lambda schema: schema.__name__)
def test_bounds_of_fields_keep_within_the_bounds_of_bytes(schema: type[Message]) -> None:
    """Nothing can be sealed that the scan before decoding would refuse for its number of values or its depth."""
    items, depth = largest(schema)
    assert items <= ITEMS_MAX and depth <= DEPTH_MAX


def test_ids_differ_by_network_kind_and_body() -> None:
    ids = [sealed(kind, network).id for kind in Kind for network in (NETWORK, digest("n"))]
    assert len(set(ids)) == 2 * len(MESSAGE_TYPES)


def _by(body: Message, author: Key) -> Message:
    return replace(body, author=author)


# -- what to change ----------------------------------------------------------------------------------------------------


def flipped(envelope: bytes) -> Iterator[bytes]:
    """The envelope with one bit changed, for each of its bits."""
    for at, byte in enumerate(envelope):
        for bit in range(8):
            yield envelope[:at] + bytes((byte ^ 1 << bit,)) + envelope[at + 1 :]


def leaves(value: Any, name: str = "") -> Iterator[str]:
    """The names of everything in a body that holds no further parts; an empty list is one."""
    for part, inner in _parts(value):
        if _parts(inner):
            yield from leaves(inner, f"{name}.{part}")
        else:
            yield f"{name}.{part}"


def neighbours(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The value with one leaf changed, for each leaf, under the leaf's name."""
    for part, inner in _parts(value):
        path = f"{name}.{part}"
        changed = neighbours(inner, path) if _parts(inner) else [(path, _other(inner, part))]
        for leaf, other in changed:
            if isinstance(value, tuple):
                yield leaf, (*value[: int(part)], other, *value[int(part) + 1 :])
            else:
                yield leaf, replace(value, **{part: other})


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, tuple):
        return [(str(index), each) for index, each in enumerate(value)]
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return []


def _other(value: Any, name: str) -> Any:
    """Another value of the same type that the same bounds allow; a list that is empty gets an element."""
    match value:
        case Flag():
            return type(value)(value.value ^ 1) or type(value)(2)
        case Enum():
            return next(each for each in type(value) if each is not value)
        case int():
            return value - 1 if value > 0 else value + 1
        case str():
            return value[:-1] + ("x" if value[-1:] != "x" else "y")
        case bytes():
            return value[:-1] + bytes((value[-1] ^ 1,))
        case ():
            return (sealed(Kind.COMMIT).envelope if name == "ride_along" else digest("z"),)
        case _:
            raise AssertionError(f"no other value for {value!r}")
