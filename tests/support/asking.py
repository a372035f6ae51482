"""Asks a node one question over HTTP, and says what became of the round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio

from node.api.asking import Question
from node.api.events import Asked, Progress, RoundEvent
from node.api.following import RoundLog
from node.client import ClientError, connect


@dataclass(frozen=True, slots=True)
class Heard:
    """What the asker of a round heard."""

    query_id: str = ""
    """Empty if the node took no question."""
    seats: int = 0
    outcome: str = ""
    """`decided`, or another outcome with its reason, or `ended` with the fault; empty if there was no word."""
    winner: str = ""
    certified: bool = False
    seconds: float = 0.0
    silent: Mapping[str, set[str]] = field(default_factory=dict)
    """Keys for which the requester did not wait any more at some time, by phase, where there were any."""
    phases_ms: Mapping[str, int] = field(default_factory=dict)
    """When each phase began, after the question."""


def _ignore(_: RoundEvent) -> None:
    """Nobody watches."""


def question_body(text: str, **settings: Any) -> dict[str, Any]:
    """Return the JSON body of a question of one turn."""
    return {"turns": [{"role": "user", "text": text}], **settings}


async def ask(
    url: str, question: Mapping[str, Any], seconds_max: float, on_event: Callable[[RoundEvent], None] = _ignore
) -> Heard:
    """Follow a round to its end, for so many seconds at most; `on_event` is told what the node tells."""
    began, log = trio.current_time(), RoundLog()
    seats = 0
    silent: dict[str, set[str]] = {}
    with suppress(ClientError), trio.move_on_after(seconds_max):
        async with (
            connect(url) as client,
            aclosing(client.ask(msgspec.convert(question, Question), seconds_max)) as events,
        ):
            async for event in events:
                on_event(event)
                log.note(event)
                match event:
                    case Asked():
                        seats = len(event.members)
                    case Progress() if event.silent:
                        silent.setdefault(event.phase, set()).update(event.silent)
    return Heard(
        query_id=log.query_id,
        seats=seats,
        outcome=_outcome(log),
        winner=log.decided.winner if log.decided else "",
        certified=log.certified,
        seconds=trio.current_time() - began,
        silent=silent,
        phases_ms=log.phase_began_ms,
    )


def _outcome(log: RoundLog) -> str:
    if (decided := log.decided) is not None:
        return decided.outcome if decided.reason == "none" else f"{decided.outcome} ({decided.reason})"
    return f"ended ({log.ended.fault})" if log.ended else ""
