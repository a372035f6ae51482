"""A node's one identity: its 32-byte Ed25519 public key, which is also its libp2p peer ID in another encoding.

libp2p encodes a small key in the peer ID itself: an identity multihash of the key's protobuf (libp2p specs, peer-ids,
"identity" rule for keys of at most 42 bytes).
"""

from __future__ import annotations

from typing import Final

from base58 import b58decode, b58encode

KEY_BYTES: Final = 32

_PREFIX: Final = bytes.fromhex("002408011220")
"""Multihash "identity", 36 bytes; protobuf key type 1 (Ed25519); protobuf data of 32 bytes."""

_TEXT_CHARS_MAX: Final = 64
"""Characters of a printed peer ID: it has 52. Base58 decoding is quadratic, so longer text is not tried."""


def peer_id_bytes(key: bytes) -> bytes:
    """Return the 38 bytes of the peer ID. Raises ValueError if `key` does not have 32 bytes."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a public key has {KEY_BYTES} bytes, not {len(key)}")
    return _PREFIX + key


def peer_id_text(key: bytes) -> str:
    """Return the peer ID as libp2p prints it ("12D3KooW...")."""
    text: bytes = b58encode(peer_id_bytes(key))
    return text.decode("ascii")


def key_of(peer_id: bytes) -> bytes | None:
    """Return the key that a peer ID encodes; None for every other kind of peer ID (RSA, secp256k1, hashed)."""
    if len(peer_id) != len(_PREFIX) + KEY_BYTES or not peer_id.startswith(_PREFIX):
        return None
    return peer_id[len(_PREFIX) :]


def key_of_text(text: str) -> bytes | None:
    """Return the key that a printed peer ID encodes, or None."""
    if len(text) > _TEXT_CHARS_MAX:
        return None
    try:
        return key_of(b58decode(text))
    except ValueError:
        return None
