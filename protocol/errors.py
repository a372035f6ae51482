"""Remote faults as values: each reason to refuse says what it means for the message and for its sender.

A remote fault is never an exception. An exception in `protocol` or `consensus` is a bug of ours and propagates.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of a gossiped message, and who pays for it (DESIGN 3, gossip verdicts).

    Whoever hands over a message is its author or a peer that passes it on. Nobody but an author is ever blamed for what
    only the author can know.
    """

    ACCEPT = "accept"
    """Take it and pass it on, within its author's budget."""
    RELAY = "relay"
    """Nothing to do here, but of use to others: pass it on within its author's budget, else drop it."""
    IGNORE = "ignore"
    """Of use to nobody: note that it was seen and drop it. Whoever handed it over pays, and is not blamed."""
    DROP = "drop"
    """We did not look at what would tell: drop it. Its author's budget pays, and whoever handed it over does not."""
    REJECT = "reject"
    """Drop it and blame whoever handed it over: every honest node refuses it, whenever and wherever it arrives."""


class FaultReason(StrEnum):
    """Why something from outside was refused. Each group states the verdict, each reason what follows for whom."""

    # -- the bytes: REJECT. Any node sees the fault in the bytes and in the network's parameters alone, so that whoever
    #    handed them over is blamed (peer score P4), also if somebody else wrote them ----------------------------------
    TOO_LARGE = "too_large"
    """More bytes than its kind may have."""
    MALFORMED = "malformed"
    """Not the canonical encoding of a known message: wrong framing, depth, type, bound, field, or order."""
    NOT_CANONICAL = "not_canonical"
    """Decodes, but `encode(decode(b)) != b`: duplicate keys, long integers, unsorted maps."""
    UNKNOWN_KIND = "unknown_kind"
    """The first byte names no kind of message."""
    BAD_SIGNATURE = "bad_signature"
    """Also what a message of another network or another kind looks like."""
    WRONG_AUTHOR = "wrong_author"
    """The pubsub or stream source is not the body's author."""
    WRONG_TOPIC = "wrong_topic"
    """A query's specialty or shard is not that of the topic (R14), or the kind does not belong on this way."""
    OVER_LIMIT = "over_limit"
    """Well-formed, but outside of the network's parameters."""

    # -- useless to all: IGNORE. It stops here, and whoever handed it over pays for our work: the author from a small
    #    budget, a peer that passes it on from a wide one, for an honest peer may have known less or been earlier ------
    SLOT_FULL = "slot_full"
    """A third message of one slot: two prove the equivocation, more is a flood (R3). Other nodes may hold other two."""
    DUPLICATE = "duplicate"
    """It has been here, or its author has said something newer; also an early copy of what a stream brought."""
    LATE = "late"
    """Outside of the time in which such a message can matter, by our clock."""
    UNKNOWN_ROUND = "unknown_round"
    """Nobody passes on the messages of a query that it has not let in: the query comes first on every way."""
    NOT_A_MEMBER = "not_a_member"
    """The author has no seat, or not the role, in this round's roster."""
    FLOOD = "flood"
    """Its author sends such messages faster than anybody can use them."""

    # -- not looked at: DROP. An honest peer may have had room where we had none --------------------------------------
    OVERLOOKED = "overlooked"
    """It is about a query that came while we had no budget or no room for it, so that we cannot tell who may speak."""

    # -- not ours: RELAY. Nobody is at fault; the author's budget bounds what is passed on ----------------------------
    NOT_OURS = "not_ours"
    """We have no part in this round, or none any more; by its query, others have."""
    TOO_MANY_ROUNDS = "too_many_rounds"
    """Its author, or all together, have as many rounds open here as we take part in (V8)."""
    BUSY = "busy"
    """A bounded buffer of ours is full."""
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
    OTHER_VERSION = "other_version"
    """The certificate is of a version that this software does not read; the detail names the software that does."""
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
    }
)
"""The bytes are at fault."""

RELAYED = frozenset({FaultReason.NOT_OURS, FaultReason.TOO_MANY_ROUNDS, FaultReason.BUSY})
"""Others may have use for it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal: the reason, the rule it breaks, and a line for the log."""

    reason: FaultReason
    rule: str
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        """REJECT where the bytes are at fault, RELAY for what others may use, DROP for what we cannot tell of, else
        IGNORE."""
        if self.reason in REJECTED:
            return Verdict.REJECT
        if self.reason is FaultReason.OVERLOOKED:
            return Verdict.DROP
        return Verdict.RELAY if self.reason in RELAYED else Verdict.IGNORE

    def __str__(self) -> str:
        return f"{self.reason} (rule {self.rule}){': ' + self.detail if self.detail else ''}"
