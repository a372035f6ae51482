"""Conversations: what a query asks, as turns. Always a list, so that one question has one encoding, too (rule P7)."""

from collections.abc import Sequence

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol import codec
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.hashing import content_digest
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.messages import Conversation, Turn
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Digest, TurnRole


def single(text: str) -> tuple[Turn, ...]:
    """Return the conversation of one question, which must not be empty."""
    return (Turn(role=TurnRole.USER, text=text),)


def bytes_of(turns: Sequence[Turn]) -> int:
    """Return the bytes of all texts together, UTF-8: what a network's `query_bytes_max` bounds."""
    return sum(len(turn.text.encode()) for turn in turns)


def digest_of(turns: tuple[Turn, ...]) -> Digest:
    """Return the digest of a conversation, by which members know a private query's text. It must not be empty."""
    return content_digest(codec.encode(Conversation(turns=turns)))
