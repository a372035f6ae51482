"""Bounds beside the type of a message's field: `Annotated[bytes, Size(32, 32)]`. The codec enforces them."""

from dataclasses import dataclass
from typing import Annotated

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol import limits
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Size:
    """Length of a byte string, or of a text's UTF-8 encoding, in bytes."""

    least: int
    most: int
    or_empty: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds of an integer."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Count:
    """Number of elements of a tuple."""

    least: int
    most: int


KeyField = Annotated[Key, Size(limits.KEY_BYTES, limits.KEY_BYTES)]
DigestField = Annotated[Digest, Size(limits.DIGEST_BYTES, limits.DIGEST_BYTES)]
OptionalDigest = Annotated[bytes, Size(limits.DIGEST_BYTES, limits.DIGEST_BYTES, or_empty=True)]
"""A digest, or empty."""
Name = Annotated[str, Size(1, limits.NAME_BYTES_MAX)]
Text = Annotated[str, Size(0, limits.TEXT_BYTES_MAX)]
TimeMs = Annotated[int, Range(0, limits.TIME_MS_MAX)]
DurationMs = Annotated[int, Range(0, limits.DURATION_MS_MAX)]
Counter = Annotated[int, Range(0, limits.COUNT_MAX)]
Tokens = Annotated[int, Range(0, limits.TOKENS_MAX)]
Share = Annotated[int, Range(0, 65536)]
"""A probability or preference in 2^-16."""
Weight = Annotated[int, Range(0, limits.WEIGHT_MAX)]
PositiveWeight = Annotated[int, Range(1, limits.WEIGHT_MAX)]
SignedWeight = Annotated[int, Range(-limits.WEIGHT_MAX, limits.WEIGHT_MAX)]
Envelope = Annotated[bytes, Size(1 + limits.SIGNATURE_BYTES, limits.MESSAGE_BYTES_MAX)]
"""The bytes of one signed message, as received."""
SlotEnvelope = Annotated[bytes, Size(1 + limits.SIGNATURE_BYTES, limits.SLOT_MESSAGE_BYTES_MAX)]
"""The bytes of any signed message except evidence, as received."""
