"""Whether this node works on a query that others ask."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a seat does not work on a query, as it tells the requester."""

    BUSY = "busy"
    """All places that such a requester may have are taken: ask again later, or without this node."""
    CLOCK = "clock"
    """The query's date is too far from this node's clock."""
    NOT_SEATED = "not_seated"
    """The query's roster does not name this node."""
    UNKNOWN = "unknown"
    """It refused for a reason that we do not know."""
