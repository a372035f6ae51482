"""Asking the swarm: the question. The reply's events are in `node.api.events`."""

from typing import Annotated, Any, Final, Literal, Self

import msgspec

from node.api.common import Count, Positive, Share
from node.api.conversation import Audience, Turn
from protocol.limits import TESTS_BYTES_MAX
from protocol.types import FindingKind, TaskType, TurnRole

FindingName = Literal["compiles", "lint", "examples", "behaviour"]
"""What testers find out about Rust answers, as a question names it."""

FINDING_KINDS: Final[dict[FindingName, FindingKind]] = {
    "compiles": FindingKind.COMPILES,
    "lint": FindingKind.LINT,
    "examples": FindingKind.EXAMPLES,
    "behaviour": FindingKind.BEHAVIOUR,
}
"""The same on the wire."""


Findings = Annotated[tuple[FindingName, ...], msgspec.Meta(max_length=len(FINDING_KINDS))]
"""Findings that a question asks for; more names than there are would only be repetitions."""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question for the swarm; for fields that are null or left out, the node's configuration holds.

    Numbers above the network's limits are lowered to them; a text above its limit is refused.
    """

    turns: tuple[Turn, ...]
    """The conversation, oldest turn first; the last turn is the user's. A single question is one turn."""
    task: TaskType = TaskType.CODE
    """Kind of task, which decides how equal answers are recognised."""
    audience: Audience | None = None
    """Nodes that may read the text."""
    allow_secrets: bool = False
    """Whether a text that looks like it holds a secret, such as a private key, is sent all the same."""
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
    tests: Annotated[str, msgspec.Meta(max_length=TESTS_BYTES_MAX)] = ""
    """Rust tests that an answer must pass: functions with `#[test]`, or plain assertions. Members get them after they
    have committed to their answers. Empty: none."""
    show_tests: bool = False
    """Whether the tests also follow the last turn, so that the answers' authors see them."""
    findings: Findings | None = None
    """What is found out about the answers to a task `code`, beside the tests, which are always run; none of them: no
    answer is tested."""
    test_ms: Positive | None = None
    """Time for one stage of testing, ms."""

    @classmethod
    def single(cls, text: str, task: TaskType = TaskType.CODE, **settings: Any) -> Self:
        """Build a question of one turn."""
        return cls((Turn(TurnRole.USER, text),), task, **settings)


class OffersKnown(msgspec.Struct, frozen=True):
    """Number of nodes that offer to work."""

    offers: Count
    """Nodes that offer to answer or judge now, the replying one included."""
