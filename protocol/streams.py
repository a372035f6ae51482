"""The records of direct streams, one frozen schema each: unsigned, because their peer is authenticated.

The codec reads types and bounds from here; README.md ("Direct streams") gives their meaning.
"""

from dataclasses import dataclass
from typing import Annotated

from protocol import limits
from protocol.messages import Turn, Turns
from protocol.schema import Count, DigestField, DurationMs, Envelope, Range, Size, Text, TimeMs, Tokens
from protocol.types import ABSTAIN, ONE, TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A member's request over a stream: the chain (no ids), or contributions that a closing names (R13)."""

    query: DigestField
    ids: Annotated[tuple[DigestField, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReply:
    """The reply to a pull: the envelopes that the server holds and may give, and texts that the query leaves out."""

    turns: Turns
    """A private query's conversation."""
    tests: Annotated[str, Size(0, limits.TESTS_BYTES_MAX)]
    """The asker's tests, once the commits are closed (R13)."""
    envelopes: Annotated[tuple[Envelope, ...], Count(0, limits.PULL_IDS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The reply to a ping."""

    clock_ms: TimeMs
    """Time on the replying node's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A task by which a node finds out over a stream what another's engine can do (rule R20)."""

    turns: Annotated[tuple[Turn, ...], Count(1, limits.TURNS_MAX)]
    """The conversation, whose last turn asks."""
    task: TaskType
    answers: Annotated[tuple[Text, ...], Count(0, limits.CHALLENGE_ANSWERS)]
    """Two answers to compare; none: the task is to be answered. A single one is malformed."""
    max_tokens: Tokens
    """Tokens of the answer."""
    budget_ms: DurationMs
    """Time from the request's arrival after which no reply counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeReply:
    """The reply to a challenge. Of refusal, answer and preference only what fits the challenge is read."""

    refusal: Annotated[str, Size(0, limits.NAME_BYTES_MAX)]
    """Reason why nothing was done, in one word; empty: it was done."""
    text: Text
    """The answer; empty for a comparison."""
    preference: Annotated[int, Range(ABSTAIN, ONE)]
    """Probability that the first answer is better, 2^-16, as in a ballot; -1 where nothing was compared."""
