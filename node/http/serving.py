"""Whom the node works for and what that costs: `/api/serving`, `/api/pause`, `/api/resume`, and its metrics."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.daemon import Node
from node.http.replies import refusal
from node.work.ledger import OTHERS, Spent
from node.work.serving import Serving
from protocol.limits import TIME_MS_MAX

REQUESTERS_SHOWN = 8
"""requesters that are told apart, the dearest first: what fits on a screen."""

PAUSE_MS_MAX = 366 * 24 * 3_600_000
"""ms of a pause with an end: a year."""


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /api/pause; without a time the pause lasts until the node is resumed."""

    for_ms: Annotated[int, msgspec.Meta(ge=1, le=PAUSE_MS_MAX)] | None = None


def serving_routes(node: Node) -> list[Route]:
    """The routes of this module."""

    async def show(_: Request) -> Response:
        return JSONResponse(told(node))

    async def pause(request: Request) -> Response:
        try:
            body = await request.body()
            asked = msgspec.json.decode(body, type=Pause) if body else Pause()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, f"no pause: {error}")
        await node.serving.pause(asked.for_ms)
        return JSONResponse(told(node))

    async def resume(_: Request) -> Response:
        await node.serving.resume()
        return JSONResponse(told(node))

    return [
        Route("/api/serving", show),
        Route("/api/pause", pause, methods=["POST"]),
        Route("/api/resume", resume, methods=["POST"]),
    ]


def told(node: Node) -> dict[str, Any]:
    """Whom the node works for, what strangers have cost and may still cost, and who cost how much in the last day."""
    serving, now_ms = node.serving, node.clock.now_ms()
    left = serving.left(now_ms)
    closed = serving.closed(now_ms)
    until_ms = serving.paused_until_ms
    return {
        "whom": node.config.serves,
        "serves_nobody": node.config.serves_nobody,
        "open": closed is None,
        "why_not": closed,
        "paused_for_ms": until_ms - now_ms if now_ms < until_ms < TIME_MS_MAX else None,
        "strangers": {
            "hour": _row(serving.spent(1, now_ms)["strangers"]),
            "day": _row(serving.spent(24, now_ms)["strangers"]),
            "left": {
                "rounds_this_hour": left.rounds_hour,
                "rounds_today": left.rounds_day,
                "tokens_this_hour": left.tokens_hour,
                "tokens_today": left.tokens_day,
                "engine_s_this_hour": round(max(0, left.engine_ms_hour) / 1000, 1),
            },
        },
        "requesters": [
            {"key": "others" if key == OTHERS else key.hex(), "known": serving.knows(key), **_row(spent)}
            for key, spent in serving.ledger.by_requester(now_ms)[:REQUESTERS_SHOWN]
        ],
        "refused": {reason.value: count for reason, count in serving.refused.items() if count},
        "ignored": serving.ignored,
    }


def _row(spent: Spent) -> dict[str, Any]:
    return {"rounds": spent.rounds, "tokens": spent.tokens, "engine_s": round(spent.engine_ms / 1000, 1)}


def serving_metrics(serving: Serving, now_ms: int) -> Iterator[Metric]:
    """Three payers, and `Refusal`'s reasons: labels that nobody outside can add to."""
    help_ = "Whether the node works for others now: neither paused nor outside of its hours."
    yield GaugeMetricFamily("strand_serving", help_, serving.closed(now_ms) is None)
    rounds = GaugeMetricFamily("strand_served_day_rounds", "Rounds of the last day.", labels=("payer",))
    tokens = GaugeMetricFamily(
        "strand_served_day_tokens", "Tokens of the last day, read and written.", labels=("payer",)
    )
    seconds = GaugeMetricFamily("strand_served_day_engine_seconds", "Time of the whole engine.", labels=("payer",))
    for payer, spent in serving.spent(24, now_ms).items():
        rounds.add_metric((payer,), spent.rounds)
        tokens.add_metric((payer,), spent.tokens)
        seconds.add_metric((payer,), spent.engine_ms / 1000)
    yield from (rounds, tokens, seconds)
    left_s = max(0, serving.left(now_ms).engine_ms_hour) / 1000
    yield GaugeMetricFamily("strand_strangers_left_engine_seconds", "Engine time left to strangers this hour.", left_s)
    refused = CounterMetricFamily(
        "strand_queries_refused", "Queries that seated this node, by reason.", labels=("why",)
    )
    for reason, count in serving.refused.items():
        refused.add_metric((reason.value,), count)
    yield refused
    help_ = "Queries that were not looked at: more than the budgets of queries allow."
    yield CounterMetricFamily("strand_queries_ignored", help_, serving.ignored)
