"""Events of rounds for the faces that have OpenAI's forms, and official clients without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from openai import AsyncOpenAI

from node.api import events
from node.api.conversation import Audience
from node.api.ranking import ReportedAnswer
from node.config import ApiTable
from node.http.guard import Guard
from node.http.shown import Shown
from protocol.types import FinishReason, Outcome, OutcomeReason, TokenSource
from tests.support.declared import declared
from tests.support.http_server import app_of, guarded
from tests.support.shown import QUERY

ANSWER = "fn sum(x: &[i64]) -> i64 {\n    x.iter().sum()\n}\n// END of ß"
AUTHORS = ("a1" * 32, "b2" * 32)

OPENED = tuple(
    events.AnswerOpened(
        query_id=QUERY.hex(),
        number=number,
        answer_id=f"{number:02x}" * 32,
        author=author,
        cluster=number,
        finish=FinishReason.STOP,
        prompt_tokens=9,
        answer_tokens=14,
        token_source=TokenSource.ENGINE,
    )
    for number, author in enumerate(AUTHORS)
)

RANKED = tuple(
    ReportedAnswer(
        answer_id=opened.answer_id,
        author=opened.author,
        strength=strength,
        p_best=p_best,
        cluster_size=1,
        finish=opened.finish,
        tokens=opened.answer_tokens,
        token_source=opened.token_source,
    )
    for opened, strength, p_best in ((OPENED[1], 0.7, 0.8), (OPENED[0], -0.7, 0.2))
)
"""The ranking of a round that tested nothing."""


def progress(phase: str, received: int, expected: int = 2) -> events.Progress:
    """So many members have contributed to a phase."""
    return events.Progress(
        query_id=QUERY.hex(),
        phase=phase,
        wave=0,
        received=AUTHORS[:received],
        expected=AUTHORS[:expected],
        silent=(),
        refused={},
        declined={},
    )


def decided(
    outcome: Outcome = Outcome.DECIDED, reason: OutcomeReason = OutcomeReason.NONE, **changes: Any
) -> events.Decided:
    """The round's result."""
    failed = outcome is Outcome.FAILED
    told: dict[str, Any] = {
        "winner": "" if failed else OPENED[1].answer_id,
        "p_best": 0.0 if failed else 0.8,
        "p_correct": None if failed else 0.75,
        "answer": "" if failed else ANSWER,
        "finish": None if failed else FinishReason.STOP,
        "prompt_tokens": 0 if failed else 9,
        "answer_tokens": 0 if failed else 14,
        "token_source": None if failed else TokenSource.ENGINE,
        "ranking": () if failed else RANKED,
        **changes,
    }
    return events.Decided(query_id=QUERY.hex(), outcome=outcome, reason=reason, **told)


def ended(outcome: Outcome | None = Outcome.DECIDED, fault: str | None = None) -> events.Ended:
    """The end of the requester's part."""
    ending = "finished" if fault is None else "void"
    return events.Ended(query_id=QUERY.hex(), role="requester", ending=ending, outcome=outcome, fault=fault)


def certified(outcome: Outcome = Outcome.DECIDED) -> events.Certified:
    """The certificate is there."""
    return events.Certified(query_id=QUERY.hex(), outcome=outcome, bytes=11)


def a_round(result: events.Decided | None = None) -> tuple[events.BaseEvent, ...]:
    """All events of a round with this result."""
    result = result or decided()
    asked = events.Asked(query_id=QUERY.hex(), members=AUTHORS)
    return (asked, progress("answering", 1), result, certified(result.outcome), ended(result.outcome))


@asynccontextmanager
async def official_client(
    node: Shown, *, api: ApiTable | None = None, key: str = "any", audience: Audience = Audience.TRUSTED
) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client of a node in memory; each reply is checked against its declaration."""
    app = guarded(declared(app_of(node, audience=audience)), Guard(api or ApiTable()))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        yield AsyncOpenAI(api_key=key, base_url="http://127.0.0.1:1/v1", http_client=http)
