"""Asks a node one question over HTTP, and says what became of the round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import trio

from node.cli.client import Client
from node.cli.errors import CliError


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


async def ask(
    url: str, question: Mapping[str, Any], seconds_max: float, on_event: Callable[[Any], None] = lambda _: None
) -> Heard:
    """Follow a round to its end, for so many seconds at most; `on_event` is told what the node tells."""
    began, decided, ended, certified = trio.current_time(), {}, {}, False
    query_id, seats = "", 0
    silent: dict[str, set[str]] = {}
    phases_ms: dict[str, int] = {}
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as http_client:
        with suppress(CliError), trio.move_on_after(seconds_max):
            async for event in Client(http_client, url).ask(dict(question), seconds_max):
                on_event(event)
                match event["event"]:
                    case "asked":
                        query_id, seats = event["query_id"], len(event["members"])
                    case "progress":
                        phases_ms.setdefault(event["phase"], event["at_ms"])
                        if event["silent"]:
                            silent.setdefault(event["phase"], set()).update(event["silent"])
                    case "decided":
                        decided = event
                    case "certified":
                        certified = True
                    case "ended":
                        ended = event
    return Heard(
        query_id=query_id,
        seats=seats,
        outcome=_outcome(decided, ended),
        winner=decided.get("winner", ""),
        certified=certified,
        seconds=trio.current_time() - began,
        silent=silent,
        phases_ms=phases_ms,
    )


def _outcome(decided: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    if decided:
        return decided["outcome"] if decided["reason"] == "none" else f"{decided['outcome']} ({decided['reason']})"
    return f"ended ({ended['fault']})" if ended else ""
