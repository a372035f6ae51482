"""Conversations: their turns, and who may read them."""

from enum import StrEnum

import msgspec

from protocol.types import TurnRole


class Audience(StrEnum):
    """Nodes that may read a question's text."""

    TRUSTED = "trusted"
    """Seats for keys that the node's owner named alone; the text is never published."""
    MEMBERS = "members"
    """The members of the round, whoever they are; the text is never published."""
    PUBLIC = "public"
    """Everybody: the text is gossiped with the query."""


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: TurnRole
    """Who speaks: `user`, `assistant` or `system`."""
    text: str
    """What is said."""
