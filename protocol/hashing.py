"""Domain-separated BLAKE2b-256: message ids, commitments, beacons (rules R1, R4, R5)."""

from collections.abc import Iterable
from hashlib import blake2b

from protocol.types import Digest, Key, Kind
from protocol.versions import domain

MESSAGE_TAG = domain("message")
COMMIT_TAG = domain("commit")
BEACON_TAG = domain("beacon")
CONTENT_TAG = domain("content")
CERTIFICATE_TAG = domain("certificate")
ANSWER_TAG = domain("answer")


def domain_digest(tag: bytes, *parts: bytes) -> Digest:
    """BLAKE2b-256 of the tag and the parts. Every caller's parts are of fixed length, but for the last."""
    state = blake2b(tag, digest_size=32)
    for part in parts:
        state.update(part)
    return Digest(state.digest())


def message_preimage(network: Digest, kind: Kind, body: bytes) -> bytes:
    """The bytes under a message's id and under its signature (rule R1)."""
    return b"".join((MESSAGE_TAG, network, bytes((kind,)), body))


def message_id(preimage: bytes) -> Digest:
    """The id of the message with these signed bytes: equal ids mean equal messages (rule R1)."""
    return Digest(blake2b(preimage, digest_size=32).digest())


def content_digest(content: str) -> Digest:
    """Digest of a query's text, by which members pull a private query's content."""
    return domain_digest(CONTENT_TAG, content.encode())


def certificate_digest(certificate: bytes) -> Digest:
    """Digest of a certificate's bytes, as its notice names it."""
    return domain_digest(CERTIFICATE_TAG, certificate)


def answer_digest(content: bytes) -> Digest:
    """Digest of an answer's canonical text, finish and token counts."""
    return domain_digest(ANSWER_TAG, content)


def commitment(network: Digest, query: Digest, author: Key, salt: bytes, content: Digest) -> Digest:
    """Commitment to an answer; `content` is the digest of its canonical text, finish and token counts (rule R4)."""
    return domain_digest(COMMIT_TAG, network, query, author, salt, content)


def beacon(query: Digest, commits_closing: Digest, salts_by_author: Iterable[bytes]) -> Digest:
    """The round's randomness: every assignment, order and tie derives from it (rule R5)."""
    return domain_digest(BEACON_TAG, query, commits_closing, *salts_by_author)
