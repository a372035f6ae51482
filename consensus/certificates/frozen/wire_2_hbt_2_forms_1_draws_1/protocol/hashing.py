"""Domain-separated BLAKE2b-256: message ids, commitments, beacons (rules R1, R4, R5)."""

from collections.abc import Iterable
from hashlib import blake2b

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Digest, Key, Kind
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.versions import domain

MESSAGE_TAG = domain("message")
COMMIT_TAG = domain("commit")
BEACON_TAG = domain("beacon")
CONTENT_TAG = domain("content")
CERTIFICATE_TAG = domain("certificate")
ANSWER_TAG = domain("answer")


def domain_digest(tag: bytes, *parts: bytes) -> Digest:
    """Return BLAKE2b-256 of the tag and the parts. All parts of a caller have a fixed length, except the last."""
    state = blake2b(tag, digest_size=32)
    for part in parts:
        state.update(part)
    return Digest(state.digest())


def message_preimage(network: Digest, kind: Kind, body: bytes) -> bytes:
    """Return the bytes that a message's id hashes and its signature covers (rule R1)."""
    return b"".join((MESSAGE_TAG, network, bytes((kind,)), body))


def message_id(preimage: bytes) -> Digest:
    """Return the id of the message with these signed bytes: equal ids mean equal messages (rule R1)."""
    return Digest(blake2b(preimage, digest_size=32).digest())


def content_digest(conversation: bytes) -> Digest:
    """Return the digest of an encoded `Conversation`: see `protocol.conversation.digest_of`."""
    return domain_digest(CONTENT_TAG, conversation)


def certificate_digest(certificate: bytes) -> Digest:
    """Return the digest of a certificate's bytes, as its notice names it."""
    return domain_digest(CERTIFICATE_TAG, certificate)


def answer_digest(content: bytes) -> Digest:
    """Return the digest of an answer's encoded content: canonical text, finish reason and token counts."""
    return domain_digest(ANSWER_TAG, content)


def commitment(network: Digest, query: Digest, author: Key, salt: bytes, content: Digest) -> Digest:
    """Return the commitment to an answer whose encoded content has the digest `content` (rule R4)."""
    return domain_digest(COMMIT_TAG, network, query, author, salt, content)


def beacon(query: Digest, commits_closing: Digest, salts_by_author: Iterable[bytes]) -> Digest:
    """Return the round's randomness, from which every assignment, order and tie-break derives (rule R5)."""
    return domain_digest(BEACON_TAG, query, commits_closing, *salts_by_author)
