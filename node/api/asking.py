"""Asking the swarm: the question, and the events of its round, one JSON object a line."""

from typing import Annotated

import msgspec

from node.api.common import Count, DigestHex, KeyHex, Positive, Share
from protocol.types import Outcome, OutcomeReason, TaskType


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question for the swarm; null, or a field left out, leaves the node's configuration as it is.

    Numbers above the network's limits are lowered to them; a text above its limit is refused.
    """

    content: str = msgspec.field(name="query")
    """The text of the question."""
    task: TaskType = TaskType.CODE
    """How equal answers are recognised."""
    private: bool = False
    """Whether the text goes to the members alone, not by gossip."""
    max_tokens: Positive | None = None
    """Tokens of one answer, at most."""
    pairs_per_judge: Positive | None = None
    """Pairs that each judge compares, over all waves."""
    confidence_min: Share | None = None
    """P(correct) below which the outcome is degraded."""
    answer_ms: Positive | None = None
    """Time for answering, ms."""
    judge_ms: Positive | None = None
    """Time for judging, ms."""
    patience_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Time for which stragglers are waited for after a quorum, ms."""


class Asked(msgspec.Struct, frozen=True, tag_field="event", tag="asked"):
    """The round has begun: always the first event."""

    query_id: DigestHex
    """The round's id; its certificate is fetched by it."""
    at_ms: Count
    """Time after the query was signed, ms: 0."""
    members: tuple[KeyHex, ...]
    """The roster: who may answer and judge."""


class Progress(msgspec.Struct, frozen=True, tag_field="event", tag="progress"):
    """A phase began, or something in it changed. Some of these events are left out for a slow reader."""

    phase: str
    """`answering`, `opening`, `judging`, `cosigning` or `failed`."""
    wave: int
    """The wave of judging, from 0."""
    received: tuple[KeyHex, ...]
    """Members whose contributions are in."""
    expected: tuple[KeyHex, ...]
    """Members whose contributions the phase expects."""
    silent: tuple[KeyHex, ...]
    """Of those expected, members that give no sign of life."""
    refused: dict[KeyHex, str]
    """Of those expected, members that do not work on the query, and why."""
    declined: dict[KeyHex, str]
    """Of those expected, members that give nothing in this phase, and why."""
    at_ms: Count
    """Time after the query was signed, ms."""


class Decided(msgspec.Struct, frozen=True, tag_field="event", tag="decided"):
    """The answer is there; its certificate follows when members have co-signed."""

    outcome: Outcome
    """How the round ended."""
    reason: OutcomeReason
    """Why the outcome is not `decided`; else `none`."""
    winner: str
    """Id of the winning answer, hexadecimal; empty if the round failed."""
    p_best: float
    """Probability that no other answer is better."""
    p_correct: float | None
    """Probability that the answer is right; null where no gold of the asker's stands behind it."""
    answer: str
    """The winning answer's text; empty if the round failed."""
    at_ms: Count
    """Time after the query was signed, ms."""
    own_engine: str = ""
    """Why the asked node's own engine gave nothing to the round; empty if it did."""


class Certified(msgspec.Struct, frozen=True, tag_field="event", tag="certified"):
    """The certificate can be fetched."""

    outcome: Outcome
    """How the round ended."""
    bytes: Count
    """Size of the certificate."""
    at_ms: Count
    """Time after the query was signed, ms."""


class Ended(msgspec.Struct, frozen=True, tag_field="event", tag="ended"):
    """The round is over for one of the asked node's roles."""

    role: str
    """`requester` or `member`."""
    ending: str
    """`finished`, `void`, `lost` or `left`."""
    outcome: Outcome | None
    """How the round ended; null where this role does not know."""
    fault: str | None
    """What made the round void; null where nothing did."""
    at_ms: Count
    """Time after the query was signed, ms."""


RoundEvent = Asked | Progress | Decided | Certified | Ended
"""One line of the reply to POST /api/ask."""


class OffersKnown(msgspec.Struct, frozen=True):
    """How many nodes offer to work."""

    offers: Count
    """Nodes that offer to answer or judge now, the asked one included."""
