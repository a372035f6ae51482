"""Whom the node works for, and what that costs."""

from typing import Annotated, Final, Literal

import msgspec

from node.api.common import Count

PAUSE_MS_MAX: Final = 366 * 24 * 3_600_000
"""ms of a pause with an end: a year."""

REQUESTERS_SHOWN: Final = 8
"""requesters that are told apart, the dearest first: what fits on a screen."""


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long to pause; without a time, or without a body, until the node is resumed."""

    for_ms: Annotated[int, msgspec.Meta(ge=1, le=PAUSE_MS_MAX)] | None = None
    """Length of the pause, ms; at most a year."""


class Cost(msgspec.Struct, frozen=True):
    """What was spent."""

    rounds: Count
    """Rounds that were joined."""
    tokens: Count
    """Tokens read and written."""
    engine_s: float
    """Time of the whole engine, s."""


class Allowance(msgspec.Struct, frozen=True):
    """What strangers may still cost; null: no limit."""

    rounds_this_hour: Count | None
    """Rounds in the sliding hour."""
    rounds_today: Count | None
    """Rounds in the sliding day."""
    tokens_this_hour: Count | None
    """Tokens in the sliding hour."""
    tokens_today: Count | None
    """Tokens in the sliding day."""
    engine_s_this_hour: float
    """Time of the engine in the sliding hour, s."""


class Strangers(msgspec.Struct, frozen=True):
    """All unknown requesters together."""

    hour: Cost
    """What they cost in the last hour."""
    day: Cost
    """What they cost in the last day."""
    left: Allowance
    """What they may still cost."""


class Requester(msgspec.Struct, frozen=True):
    """What one requester cost in the last day."""

    key: str
    """Its public key, 64 hexadecimal digits, or `others`: all that are not told apart."""
    known: bool
    """Whether it is no stranger."""
    rounds: Count
    """Rounds that were joined."""
    tokens: Count
    """Tokens read and written."""
    engine_s: float
    """Time of the whole engine, s."""


class ServingReport(msgspec.Struct, frozen=True):
    """Whom the node works for, and what that costs."""

    whom: Literal["everyone", "reputation", "named"]
    """As configured under `[serve]`."""
    serves_nobody: bool
    """Whether only named keys are served, and none is named."""
    open: bool
    """Whether the node takes on rounds of others now."""
    why_not: str | None
    """Why it does not: `paused` or `off_hours`."""
    paused_for_ms: int | None
    """Time until the pause ends by itself, ms; null where it does not, or there is none."""
    strangers: Strangers
    """All unknown requesters together."""
    requesters: tuple[Requester, ...]
    """Those that cost most in the last day, at most 8."""
    refused: dict[str, int]
    """Queries that seated the node and were refused since its start, by reason."""
    ignored: Count
    """Queries that were not looked at: more than the budgets of queries allow."""
