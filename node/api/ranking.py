"""The ranking of a round that is decided."""

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Share
from node.api.findings import AnswerFindings
from protocol.types import FinishReason, TokenSource


class ReportedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of the ranking."""

    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of its author."""
    strength: float
    """Bradley-Terry log-parameter. Only differences within the round mean something: findings shift all of them."""
    p_best: Share
    """Probability that no other cluster is better than this answer's."""
    cluster_size: Count
    """Number of equal answers, this one included."""
    finish: FinishReason
    """Reason why the model stopped generating."""
    tokens: Count
    """Tokens of the answer."""
    token_source: TokenSource
    """Source of this count."""
    findings: AnswerFindings | None = None
    """What testers settled about it; null if nothing was tested."""
