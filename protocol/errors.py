"""Remote faults as values: each reason to refuse says what it means for the message and for its sender.

A remote fault is never an exception. An exception in `protocol` or `consensus` is a bug of ours and propagates.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the mesh is told about a gossiped message (DESIGN 3, gossip verdicts)."""

    ACCEPT = "accept"
    """Take it and pass it on."""
    IGNORE = "ignore"
    """Do not act on it; the sender does not suffer."""
    REJECT = "reject"
    """Do not pass it on; the fault is surely the sender's."""


class FaultReason(StrEnum):
    """Why something from outside was refused. The comment states verdict and consequence."""

    # -- the bytes: REJECT, because whoever sent them could have checked them --------------------------------------
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """Not the canonical encoding of a known message: wrong framing, depth, type, bound, field, or order."""
    NOT_CANONICAL = "not_canonical"
    """Decodes, but `encode(decode(b)) != b`: duplicate keys, long integers, unsorted maps."""
    UNKNOWN_KIND = "unknown_kind"
    BAD_SIGNATURE = "bad_signature"
    """Also what a message of another network or another kind looks like."""
    WRONG_AUTHOR = "wrong_author"
    """The pubsub or stream source is not the body's author."""
    WRONG_TOPIC = "wrong_topic"
    """A query's specialty or shard is not that of the topic (R14), or the kind does not belong on this way."""
    OVER_LIMIT = "over_limit"
    """Well-formed, but outside of the network's parameters."""

    SLOT_FULL = "slot_full"
    """A third message of one slot, sent by its author: two prove the equivocation, more is a flood (R3)."""

    # -- the moment: IGNORE, because nobody need be at fault -------------------------------------------------------
    DUPLICATE = "duplicate"
    LATE = "late"
    """Outside of the time in which such a message can matter."""
    UNKNOWN_ROUND = "unknown_round"
    NOT_A_MEMBER = "not_a_member"
    """The author has no seat, or not the role, in this round's roster."""
    TOO_MANY_ROUNDS = "too_many_rounds"
    BUSY = "busy"
    """A bounded buffer is full."""
    NOT_JOURNALLED = "not_journalled"
    """Our own disk takes nothing: what we would sign could not be journalled (R12), so we stay out."""

    # -- the round: the message stands, but does not count; a closing with such a fault voids the round ----------------
    WRONG_CHAIN = "wrong_chain"
    """`on` or `prev` does not name the message it must name (R2)."""
    WRONG_PHASE = "wrong_phase"
    UNSORTED = "unsorted"
    """A list that must be strictly ascending is not."""
    NOT_COMMITTED = "not_committed"
    """The answer's author is not in the commits closing (R4)."""
    WRONG_OPENING = "wrong_opening"
    """The answer does not hash to its commitment (R4)."""
    EMPTY_ANSWER = "empty_answer"
    """The answer has an empty canonical form (R7)."""
    WRONG_PAIRS = "wrong_pairs"
    """The ballot does not list exactly the pairs assigned to its judge (R6)."""
    VOID_BALLOT = "void_ballot"
    """The judge abstains on more than half of its pairs (R6)."""
    REMOVED = "removed"
    """Listed evidence has removed the author from the round (R3)."""
    WRONG_EVIDENCE = "wrong_evidence"
    """The two messages do not prove that one author filled one slot twice (R3)."""
    WRONG_TALLY = "wrong_tally"
    """Outcome, winner, certainty, digest or stopping reason does not follow from what is counted (R8, R9)."""
    NO_FIT = "no_fit"
    """The query's weights, at their limits and of many sizes, leave the fit without an end: the round is void (R8)."""
    EQUIVOCATION = "equivocation"
    """The requester signed two different closings for one slot: the round is void (R2)."""

    # -- certificates and files ------------------------------------------------------------------------------------
    MISSING = "missing"
    """A closing names a contribution or evidence that the certificate does not hold."""
    SURPLUS = "surplus"
    """The certificate holds something that no closing names."""
    UNFINISHED = "unfinished"
    """The certificate's chain does not end with a tally that names a winner."""


REJECTED = frozenset(
    {
        FaultReason.TOO_LARGE,
        FaultReason.MALFORMED,
        FaultReason.NOT_CANONICAL,
        FaultReason.UNKNOWN_KIND,
        FaultReason.BAD_SIGNATURE,
        FaultReason.WRONG_AUTHOR,
        FaultReason.WRONG_TOPIC,
        FaultReason.OVER_LIMIT,
        FaultReason.SLOT_FULL,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal: the reason, the rule it breaks, and a line for the log."""

    reason: FaultReason
    rule: str
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        """REJECT for what is surely the sender's fault, else IGNORE."""
        return Verdict.REJECT if self.reason in REJECTED else Verdict.IGNORE

    def __str__(self) -> str:
        return f"{self.reason} (rule {self.rule}){': ' + self.detail if self.detail else ''}"
