"""The course of a round, event by event, and the texts of its answers, which events do not hold."""

from enum import StrEnum

import msgspec

from node.api.common import Count, DigestHex, KeyHex
from node.api.events import RoundEvent


class ReplaySource(StrEnum):
    """Source of a round's events."""

    EVENTS = "events"
    """The node noted them while the round was open, so they have their times."""
    CERTIFICATE = "certificate"
    """They follow from the certificate, which holds no times."""


class AnswerText(msgspec.Struct, frozen=True):
    """The text of one answer of the slate."""

    number: Count
    """Position on the slate, by which ballots refer to it."""
    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of its author."""
    text: str
    """The answer."""


class RoundAnswers(msgspec.Struct, frozen=True):
    """The answers of a round that are opened."""

    answers: tuple[AnswerText, ...]
    """In the order of the slate; none before the slate is closed."""


class Replay(msgspec.Struct, frozen=True):
    """The course of a round."""

    source: ReplaySource
    """Where the events come from."""
    query_id: DigestHex
    """The round's id."""
    events: tuple[RoundEvent, ...]
    """Events of the requester's side, in their order: `asked`, `text_sent`, `progress`, what closings counted,
    `decided`, `certified` and `ended`; of an open round those up to now. Rebuilt from the certificate, they have no
    times, `at_ms` is 0, and there is neither `text_sent` nor `ended`. An event that a closing counted has the `at_ms`
    and the `seq` of the event that followed the closing."""
    answers: tuple[AnswerText, ...]
    """The opened answers, in the order of the slate; none if the round ended without a certificate."""
    note: str = ""
    """Reason why there are no events; empty if there are."""
