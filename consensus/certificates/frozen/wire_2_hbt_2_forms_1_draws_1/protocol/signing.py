"""Ed25519 keys and sealed messages: the only module that makes a VerifiedMessage.

An envelope is `kind (1 byte) || signature (64 bytes) || body` (rule P3). The frame lies outside the signed bytes, so
that a body is verified exactly as received.
"""

from dataclasses import dataclass
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol import codec
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.errors import Fault, FaultReason
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.hashing import message_id, message_preimage
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.limits import MESSAGE_BYTES_MAX, SIGNATURE_BYTES, SLOT_MESSAGE_BYTES_MAX
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.messages import MESSAGE_TYPES, Message
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.recall import Recall
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Digest, Key, Kind

_HEADER: Final = 1 + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True, weakref_slot=True)
class VerifiedMessage:
    """A message whose bytes are canonical and whose signature is its author's. `seal` and `open_envelope` make one."""

    kind: Kind
    author: Key
    id: Digest
    body: Message
    envelope: bytes


_VERIFIED: Final = Recall[tuple[Digest, bytes], VerifiedMessage]()
"""Memo by network and envelope, the bytes that determine whether a signature holds."""


class Keypair:
    """An Ed25519 key pair from a 32-byte seed. Signing is deterministic: the same message gives the same envelope."""

    __slots__ = ("_signing_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._signing_key = SigningKey(seed)
        self.public = Key(bytes(self._signing_key.verify_key))

    def sign(self, preimage: bytes) -> bytes:
        """Return the 64-byte signature of the bytes."""
        return bytes(self._signing_key.sign(preimage).signature)


def seal(keypair: Keypair, network: Digest, body: Message) -> VerifiedMessage:
    """Sign `body` for the network; it must name `keypair` as its author. Raises EncodingError if out of bounds.

    The result is not opened again: a message encoded within bounds and signed here would pass.
    """
    if body.author != keypair.public:
        raise ValueError("a message is signed by the author that it names")
    raw = codec.encode(body)
    preimage = message_preimage(network, body.KIND, raw)
    envelope = b"".join((bytes((body.KIND,)), keypair.sign(preimage), raw))
    if fault := _too_large(body.KIND, envelope):
        raise codec.EncodingError(f"own {body.KIND.name} message: {fault}")
    return _verified(network, envelope, body, preimage)


def open_envelope(envelope: bytes, network: Digest) -> VerifiedMessage | Fault:
    """Check an envelope from outside: size, frame, canonical body, signature.

    It costs one decoding and one verification, unless the process still holds the verified message.

    Faults (all REJECT): TOO_LARGE, UNKNOWN_KIND, MALFORMED, NOT_CANONICAL, BAD_SIGNATURE.
    """
    if len(envelope) > MESSAGE_BYTES_MAX:
        return Fault(FaultReason.TOO_LARGE, "P1", f"{len(envelope)} bytes")
    if len(envelope) <= _HEADER:
        return Fault(FaultReason.MALFORMED, "P3", "shorter than a frame")
    known = _VERIFIED.recall((network, envelope))
    if known is not None:
        return known
    try:
        kind = Kind(envelope[0])
    except ValueError:
        return Fault(FaultReason.UNKNOWN_KIND, "P3", str(envelope[0]))
    if fault := _too_large(kind, envelope):
        return fault
    raw = envelope[_HEADER:]
    body = codec.decode(MESSAGE_TYPES[kind], raw)
    if isinstance(body, Fault):
        return body
    preimage = message_preimage(network, kind, raw)
    try:
        VerifyKey(body.author).verify(preimage, envelope[1:_HEADER])
    except (BadSignatureError, ValueError):
        return Fault(FaultReason.BAD_SIGNATURE, "R1", kind.name)
    return _verified(network, envelope, body, preimage)


def body_id(network: Digest, body: Message) -> Digest:
    """Return the id that the message with this body has, once it is signed. Raises EncodingError if out of bounds."""
    return message_id(message_preimage(network, body.KIND, codec.encode(body)))


def envelope_id(envelope: bytes, network: Digest) -> Digest | None:
    """Return the id of the message in an envelope, or None if its first byte names no kind.

    Nothing is verified, so it costs one hash.
    """
    try:
        kind = Kind(envelope[0])
    except (ValueError, IndexError):
        return None
    return message_id(message_preimage(network, kind, envelope[_HEADER:]))


def _too_large(kind: Kind, envelope: bytes) -> Fault | None:
    most = MESSAGE_BYTES_MAX if kind is Kind.EVIDENCE else SLOT_MESSAGE_BYTES_MAX
    return Fault(FaultReason.TOO_LARGE, "P1", f"{kind.name} of {len(envelope)} bytes") if len(envelope) > most else None


def _verified(network: Digest, envelope: bytes, body: Message, preimage: bytes) -> VerifiedMessage:
    """Build the message after all checks: `envelope` is canonical and signed by `body.author` for the network."""
    message = VerifiedMessage(body.KIND, body.author, message_id(preimage), body, envelope)
    return _VERIFIED.remember((network, envelope), message)
