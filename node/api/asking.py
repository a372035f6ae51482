"""Asking the swarm: the question. The reply's events are in `node.api.events`."""

from typing import Annotated

import msgspec

from node.api.common import Count, Positive, Share
from node.api.events import Asked as Asked
from node.api.events import Certified as Certified
from node.api.events import Decided as Decided
from node.api.events import Ended as Ended
from node.api.events import Progress as Progress
from node.api.events import RoundEvent as RoundEvent
from protocol.types import TaskType


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


class OffersKnown(msgspec.Struct, frozen=True):
    """Number of nodes that offer to work."""

    offers: Count
    """Nodes that offer to answer or judge now, the replying one included."""
