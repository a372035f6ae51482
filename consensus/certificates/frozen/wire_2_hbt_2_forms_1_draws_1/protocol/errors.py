"""Remote faults as values: each reason to refuse states its effect on the message and on its sender.

A remote fault is never an exception. An exception in `protocol` or `consensus` is a bug of ours and propagates.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What to do with a gossiped message, and whether its sender pays for it.

    The sender is the author or a peer that relays the message. Only an author is ever blamed for what only the author
    can know.
    """

    ACCEPT = "accept"
    """Take it and relay it, within its author's budget."""
    RELAY = "relay"
    """No effect here, but useful to others: relay it within its author's budget, else drop it."""
    IGNORE = "ignore"
    """Useful to nobody: mark it as seen and drop it. Its sender pays but is not blamed."""
    DROP = "drop"
    """Dropped without the check that would decide: its author's budget pays, its sender does not."""
    REJECT = "reject"
    """Drop it and blame its sender: every honest node refuses it, whenever and wherever it arrives."""


class FaultReason(StrEnum):
    """Why something from outside was refused. Each group below states its verdict."""

    # -- the bytes: REJECT. Any node sees the fault in the bytes and the network's parameters alone, so their sender is
    # blamed (peer score P4), even if another node wrote them
    TOO_LARGE = "too_large"
    """The message has more bytes than its kind may have."""
    MALFORMED = "malformed"
    """The bytes are no canonical encoding of a known message: wrong framing, depth, type, bound, field or order."""
    NOT_CANONICAL = "not_canonical"
    """The bytes decode, but `encode(decode(b)) != b`: duplicate keys, long integers, unsorted maps."""
    UNKNOWN_KIND = "unknown_kind"
    """The first byte names no kind of message."""
    BAD_SIGNATURE = "bad_signature"
    """The signature does not match. A message of another network or another kind looks the same."""
    WRONG_AUTHOR = "wrong_author"
    """The pubsub or stream source is not the author that the body names."""
    WRONG_TOPIC = "wrong_topic"
    """A query's specialty or shard is not that of the topic (R14), or the kind does not belong on this channel."""
    OVER_LIMIT = "over_limit"
    """The message is well-formed, but outside the network's parameters."""
    NO_QUESTION = "no_question"
    """The last turn of the query's conversation is not the user's, so nothing is asked (P7)."""

    # -- useless to all: IGNORE. It stops here, and its sender pays for our work: the author from a small budget, a
    # relaying peer from a wide one, because an honest peer may have known less or been earlier
    SLOT_FULL = "slot_full"
    """It is the third message of one slot. Two prove the equivocation, more are a flood (R3). Other nodes may hold
    another two."""
    DUPLICATE = "duplicate"
    """It was received before, its author has sent a newer one, or it is an early copy of what a stream brought."""
    LATE = "late"
    """It lies outside the time in which such a message can matter, by the local clock."""
    UNKNOWN_ROUND = "unknown_round"
    """Its query has not been admitted here. No node relays messages of a query before the query itself, on any channel.
    """
    NOT_A_MEMBER = "not_a_member"
    """The author has no seat, or not the role, in this round's roster."""
    FLOOD = "flood"
    """Its author sends such messages faster than anybody can use them."""

    # -- not checked: DROP. An honest peer may have had room where we had none --------------------------------------
    OVERLOOKED = "overlooked"
    """It belongs to a query that came when we had no budget or room for it, so we cannot tell who its members are."""

    # -- not ours: RELAY. Nobody is at fault; the author's budget bounds what is relayed -------------------------------
    NOT_OURS = "not_ours"
    """This node has no part in the round, or none any more; according to the query, others have."""
    TOO_MANY_ROUNDS = "too_many_rounds"
    """The author, or all authors together, have as many rounds open here as this node takes part in (V8)."""
    BUSY = "busy"
    """A bounded buffer of ours is full."""
    NOT_JOURNALLED = "not_journalled"
    """The local disk refuses writes: a message that cannot be journalled (R12) is not signed, so the node stays out."""

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
    """Evidence listed in a closing has removed the author from the round (R3)."""
    WRONG_EVIDENCE = "wrong_evidence"
    """The two messages do not prove that one author filled one slot twice (R3)."""
    WRONG_TALLY = "wrong_tally"
    """Outcome, winner, certainty, digest or stopping reason does not follow from the counted contributions (R8, R9)."""
    NO_FIT = "no_fit"
    """The fit does not converge for the query's weights, which are at their limits and of many sizes: void round (R8).
    """
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
        FaultReason.NO_QUESTION,
    }
)
"""Reasons whose fault lies in the bytes: verdict REJECT."""

RELAYED = frozenset({FaultReason.NOT_OURS, FaultReason.TOO_MANY_ROUNDS, FaultReason.BUSY})
"""Reasons why another node may still have use for the message: verdict RELAY."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal: the reason, the rule it breaks and a line for the log."""

    reason: FaultReason
    rule: str
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict that follows from the reason.

        REJECT if the bytes are at fault, RELAY if others may use the message, DROP if it was not checked, else IGNORE.
        """
        if self.reason in REJECTED:
            return Verdict.REJECT
        if self.reason is FaultReason.OVERLOOKED:
            return Verdict.DROP
        return Verdict.RELAY if self.reason in RELAYED else Verdict.IGNORE

    def __str__(self) -> str:
        return f"{self.reason} (rule {self.rule}){': ' + self.detail if self.detail else ''}"
