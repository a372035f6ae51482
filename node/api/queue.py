"""The queue of a node's own questions."""

import msgspec

from node.api.common import Count
from node.api.conversation import Audience
from protocol.types import TaskType


class QueuedQuestion(msgspec.Struct, frozen=True):
    """A question whose round runs, or that waits for its turn."""

    query_id: str
    """The round's id; empty while it waits, or has just got its turn."""
    since_ms: Count
    """When it came, ms since the Unix epoch."""
    task: TaskType
    """Kind of task."""
    audience: Audience | None
    """Nodes that may read the conversation; null: as configured."""
    gold: bool
    """Whether the node asks by itself, knowing the right answer."""
    text: str
    """Beginning of the last turn, at most 200 characters."""
    held_until_ms: Count | None = None
    """If its round was cancelled: when it gives its ticket back, at the end of its budgets, ms since the Unix epoch;
    null if it was not cancelled."""


class QueueReport(msgspec.Struct, frozen=True):
    """The queue of the node's own questions: first come, first served."""

    running: tuple[QueuedQuestion, ...]
    """Questions whose rounds run, oldest first; also rounds whose user has gone, and cancelled ones that keep their
    ticket."""
    running_max: Count
    """Rounds that may run at once, because members refuse more of one key."""
    waiting: tuple[QueuedQuestion, ...]
    """Questions that wait, the next one first."""
    waiting_max: Count
    """Questions that may wait; one more is refused."""
    wait_s: float
    """Expected wait of a question that came now, s, from the length of the last rounds and the known ends of cancelled
    ones."""
