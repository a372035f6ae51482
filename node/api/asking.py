"""Asking the swarm: the question, and the events of its round, one JSON object per line."""

from typing import Annotated

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Positive, Share
from protocol.types import Outcome, OutcomeReason, TaskType


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question for the swarm; for fields that are null or left out, the node's configuration holds.

    Numbers above the network's limits are lowered to them; a text above its limit is refused.
    """

    content: str = msgspec.field(name="query")
    """The text of the question."""
    task: TaskType = TaskType.CODE
    """Kind of task, which decides how equal answers are recognised."""
    private: bool = False
    """Whether the text is sent to the members only, not by gossip."""
    max_tokens: Positive | None = None
    """Greatest number of tokens of one answer."""
    pairs_per_judge: Positive | None = None
    """Pairs that each judge compares, over all waves."""
    confidence_min: Share | None = None
    """P(correct) below which the outcome is degraded."""
    answer_ms: Positive | None = None
    """Time for answering, ms."""
    judge_ms: Positive | None = None
    """Time for judging, ms."""
    patience_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Time to wait for stragglers after a quorum, ms."""


class Asked(msgspec.Struct, frozen=True, tag_field="event", tag="asked"):
    """The round has begun: always the first event."""

    query_id: DigestHex
    """The round's id; its certificate is fetched by it."""
    at_ms: Count
    """Time after the query was signed, ms: 0."""
    members: tuple[KeyHex, ...]
    """The roster: members that may answer and judge."""


class Progress(msgspec.Struct, frozen=True, tag_field="event", tag="progress"):
    """A phase has begun or changed. For a slow reader, some of these events are left out."""

    phase: str
    """`answering`, `opening`, `judging`, `cosigning` or `failed`."""
    wave: int
    """The wave of judging, from 0."""
    received: tuple[KeyHex, ...]
    """Members whose contributions have arrived."""
    expected: tuple[KeyHex, ...]
    """Members whose contributions the phase expects."""
    silent: tuple[KeyHex, ...]
    """Expected members without a sign of life."""
    refused: dict[KeyHex, str]
    """Expected members that do not work on the query, with the reason."""
    declined: dict[KeyHex, str]
    """Expected members that contribute nothing in this phase, with the reason."""
    at_ms: Count
    """Time after the query was signed, ms."""


class Decided(msgspec.Struct, frozen=True, tag_field="event", tag="decided"):
    """The answer is decided; its certificate follows when members have co-signed."""

    outcome: Outcome
    """Outcome of the round."""
    reason: OutcomeReason
    """Reason why the outcome is not `decided`; else `none`."""
    winner: str
    """Id of the winning answer, hexadecimal; empty if the round failed."""
    p_best: float
    """Probability that no other answer is better."""
    p_correct: float | None
    """Probability that the answer is right; null if it is not calibrated on the requester's gold."""
    answer: str
    """The winning answer's text; empty if the round failed."""
    at_ms: Count
    """Time after the query was signed, ms."""
    own_engine: str = ""
    """Reason why the requesting node's own engine contributed nothing; empty if it did."""


class Certified(msgspec.Struct, frozen=True, tag_field="event", tag="certified"):
    """The certificate is available."""

    outcome: Outcome
    """Outcome of the round."""
    bytes: Count
    """Size of the certificate."""
    at_ms: Count
    """Time after the query was signed, ms."""


class Ended(msgspec.Struct, frozen=True, tag_field="event", tag="ended"):
    """The round is over for one of the requesting node's roles."""

    role: str
    """`requester` or `member`."""
    ending: str
    """`finished`, `void`, `lost` or `left`."""
    outcome: Outcome | None
    """Outcome of the round; null if this role does not learn it."""
    fault: str | None
    """Fault that made the round void; null if there is none."""
    at_ms: Count
    """Time after the query was signed, ms."""


RoundEvent = Asked | Progress | Decided | Certified | Ended
"""One line of the reply to POST /api/ask."""


class OffersKnown(msgspec.Struct, frozen=True):
    """Number of nodes that offer to work."""

    offers: Count
    """Nodes that offer to answer or judge now, the replying one included."""
