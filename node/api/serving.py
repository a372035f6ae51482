"""Requesters for whom the node works, and their cost."""

from typing import Annotated, Final, Literal

import msgspec

from node.api.common import Count

PAUSE_MS_MAX: Final = 366 * 24 * 3_600_000
"""Longest pause with an end in milliseconds: a year."""

REQUESTERS_SHOWN: Final = 8
"""Requesters that are listed one by one, most expensive first: what fits on a screen."""


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Length of a pause; without a time, or without a body, it lasts until the node is resumed."""

    for_ms: Annotated[int, msgspec.Meta(ge=1, le=PAUSE_MS_MAX)] | None = None
    """Length of the pause, ms; at most a year."""


class Cost(msgspec.Struct, frozen=True):
    """Resources that requesters have cost this node."""

    rounds: Count
    """Rounds that the node works in, those that it asked itself included."""
    tokens: Count
    """Tokens read and written."""
    engine_s: float
    """Time of the engine at full load, s."""


class Allowance(msgspec.Struct, frozen=True):
    """Resources that strangers may still use; null: no limit."""

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
    """Their cost in the last hour."""
    day: Cost
    """Their cost in the last day."""
    left: Allowance
    """Their remaining allowance."""


class Requester(msgspec.Struct, frozen=True):
    """Cost of one requester in the last day."""

    key: str
    """Public key, 64 hexadecimal digits, or `others`: all that are not listed one by one."""
    known: bool
    """Whether the requester is not a stranger."""
    rounds: Count
    """Rounds that the node works in, those that it asked itself included."""
    tokens: Count
    """Tokens read and written."""
    engine_s: float
    """Time of the engine at full load, s."""


class ServingReport(msgspec.Struct, frozen=True):
    """Requesters for whom the node works, and their cost."""

    whom: Literal["everyone", "reputation", "named"]
    """Who is served, as configured under `[serve]`."""
    serves_nobody: bool
    """Whether only named keys are served, and none is named."""
    open: bool
    """Whether the node joins rounds of others now."""
    why_not: str | None
    """Reason why it does not: `paused`, `off_hours` or `stopping`."""
    paused_for_ms: int | None
    """Time until the pause ends by itself, ms; null if it does not, or if there is none."""
    strangers: Strangers
    """All unknown requesters together."""
    requesters: tuple[Requester, ...]
    """Most expensive requesters of the last day, at most 8."""
    refused: dict[str, int]
    """Refused queries that seated the node, since its start, by reason."""
    ignored: Count
    """Queries that were dropped unread because they exceeded the budgets of queries."""
