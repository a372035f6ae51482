"""The ASGI application: a handler for each operation of `node.api.operations`, and the replies to errors."""

from collections.abc import Mapping
from typing import Any, Final

import trio
from msgspec.structs import replace
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from node.api import operations as ops
from node.api.asking import OffersKnown, Question
from node.api.common import CursorError, Liveness
from node.api.conversation import Audience
from node.api.operations import OPERATIONS, WAIT_MS_MAX, Operation
from node.api.rounds import Cancelled
from node.http.audience import key_audience
from node.http.dashboard import DashboardHandlers
from node.http.events import EventsHandlers
from node.http.history import HistoryHandlers
from node.http.openai.handlers import OpenAiHandlers
from node.http.openapi import encoded_document
from node.http.places import GOLD_ROUNDS_MAX, RequestPlaces
from node.http.replays import ReplayHandlers
from node.http.replies import (
    BodyError,
    ErrorContext,
    Handler,
    ParameterError,
    RefusedError,
    json_reply,
    read_body,
    read_key,
    read_parameters,
    read_query_id,
    reading,
    refusal,
    refused_ask,
)
from node.http.rounds import AskReply
from node.http.shown import Shown
from node.rounds.asking.errors import AskError
from node.storage import StoreBlockedError

_ALLOWED: Final = {
    each.path: ", ".join(sorted({other.method for other in OPERATIONS if other.path == each.path}))
    for each in OPERATIONS
}
"""Methods of each path."""


def build_app(
    shown: Shown, places: RequestPlaces, mcp: ASGIApp, dashboard: DashboardHandlers, audience: Audience
) -> Starlette:
    """Build the ASGI application of one node.

    Args:
        shown: what the node shows and does.
        places: those of requests that take long.
        mcp: serves /mcp.
        dashboard: the page for people, with the guard's sessions.
        audience: nodes that may read what clients of OpenAI's API send, unless they name others.
    """
    handlers = {
        **_NodeHandlers(shown, places).handlers(),
        **HistoryHandlers(shown.history, places.reads).handlers(),
        **ReplayHandlers(shown.replays, places.reads).handlers(),
        **EventsHandlers(shown.events, places.streams).handlers(),
        **dashboard.handlers(),
        **OpenAiHandlers(shown, places.followed, audience).handlers(),
    }
    app = Starlette(
        # An operation without a handler is a fault in the code, which shows at the start.
        routes=[*(Route(each.path, handlers[each], methods=[each.method]) for each in OPERATIONS), Route("/mcp", mcp)],
        exception_handlers={
            HTTPException: _refuse_http,
            ParameterError: _refuse_request,
            CursorError: _refuse_request,
            BodyError: _refuse_request,
            RefusedError: _refuse,
            AskError: _refuse_ask,
            StoreBlockedError: _blocked,
            Exception: _fail,
        },
    )
    # A redirection would repeat the Host of the request.
    app.router.redirect_slashes = False
    return app


async def _refuse_http(request: Request, error: Exception) -> Response:
    """Reply that there is no such path (404), or no such method on it (405), and which there are."""
    assert isinstance(error, HTTPException)
    response = refusal(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    if error.status_code == 405 and (allowed := _ALLOWED.get(request.scope["route"].path)):
        # The router knows the first of them alone.
        response.headers["Allow"] = allowed
    return response


async def _refuse_request(_: Request, error: Exception) -> Response:
    return refusal(400, str(error), context=ErrorContext(param=getattr(error, "field", None)))


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.reply


async def _refuse_ask(_: Request, error: Exception) -> Response:
    assert isinstance(error, AskError)
    return refused_ask(error)


async def _blocked(_: Request, error: Exception) -> Response:
    """Reply that the disk cannot serve the request now."""
    return refusal(503, str(error))


async def _fail(_: Request, __: Exception) -> Response:
    """Reply to a fault in the node; the connection logs it."""
    return refusal(500, "internal error; the node's log has a line about it")


class _NodeHandlers:
    """The handlers of what is no group of its own."""

    def __init__(self, shown: Shown, places: RequestPlaces) -> None:
        self._shown = shown
        self._places = places

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        return {
            ops.LIVE: self.live,
            ops.READY: self.ready,
            ops.STATUS: self.status,
            ops.PEERS: self.peers,
            ops.WAIT: self.wait,
            ops.ASK: self.ask,
            ops.QUEUE: self.queue,
            ops.CANCEL: self.cancel,
            ops.ENGINE: self.engine,
            ops.ENGINE_TRIAL: self.try_engine,
            ops.METRICS: self.metrics,
            ops.REPUTATION: self.reputation,
            ops.REPUTATION_EXPORT: self.export,
            ops.NODE_REPUTATION: self.node_reputation,
            ops.REPUTATION_IMPORT: self.take_over,
            ops.ASK_GOLD: self.ask_gold,
            ops.SERVING: self.serving,
            ops.PAUSE: self.pause,
            ops.RESUME: self.resume,
            ops.CONFIG: self.config,
            ops.OPENAPI: self.openapi,
        }

    async def live(self, _: Request) -> Response:
        return json_reply(Liveness(live=True))

    async def ready(self, _: Request) -> Response:
        told = self._shown.status.readiness()
        return json_reply(told, 200 if told.ready else 503)

    async def status(self, _: Request) -> Response:
        return json_reply(await self._shown.status.report())

    async def peers(self, _: Request) -> Response:
        return json_reply(self._shown.peers.report())

    async def wait(self, request: Request) -> Response:
        asked, peers = read_parameters(request, ops.WAIT), self._shown.peers
        with self._places.waits.take() as place:
            if not place:
                return refusal(503, "too many wait for offers; try again later", retry_after_s=1)
            with trio.move_on_after(min(asked["timeout_ms"], WAIT_MS_MAX) / 1000):
                await peers.wait_offering(asked["offers"])
        return json_reply(OffersKnown(peers.offering()))

    async def ask(self, request: Request) -> Response:
        details = bool(read_parameters(request, ops.ASK)["details"])
        question: Question = await read_body(request, ops.ASK)
        if question.audience is None:
            question = replace(question, audience=key_audience(request))
        return AskReply(self._shown.rounds, question, details, self._places.followed)

    async def queue(self, _: Request) -> Response:
        return json_reply(self._shown.rounds.queue())

    async def cancel(self, request: Request) -> Response:
        return json_reply(Cancelled(await self._shown.rounds.cancel(read_query_id(request))))

    async def engine(self, _: Request) -> Response:
        return json_reply(self._shown.engine.report())

    async def try_engine(self, _: Request) -> Response:
        with self._places.trials.take() as place:
            if not place:
                return refusal(503, "the engine is being tried already; try again later", retry_after_s=1)
            return json_reply(await self._shown.engine.trial())

    async def metrics(self, _: Request) -> Response:
        return Response(await self._shown.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    async def reputation(self, _: Request) -> Response:
        return json_reply(self._shown.reputation.report())

    async def node_reputation(self, request: Request) -> Response:
        key = read_key(request)
        with reading(self._places.reads):
            return json_reply(await self._shown.reputation.detail(key))

    async def export(self, _: Request) -> Response:
        return json_reply(self._shown.reputation.export())

    async def take_over(self, request: Request) -> Response:
        exported = await read_body(request, ops.REPUTATION_IMPORT)
        if exported.specialty != (specialty := self._shown.reputation.specialty):
            return refusal(400, f"it is of {exported.specialty!r}; this node's is {specialty!r}")
        return json_reply(await self._shown.reputation.take_over(exported))

    async def ask_gold(self, _: Request) -> Response:
        with self._places.gold_rounds.take() as place:
            if not place:
                return refusal(503, f"{GOLD_ROUNDS_MAX} gold rounds run already; try again later", retry_after_s=1)
            return json_reply(await self._shown.reputation.ask_gold())

    async def serving(self, _: Request) -> Response:
        return json_reply(self._shown.serving.report())

    async def pause(self, request: Request) -> Response:
        await self._shown.serving.pause((await read_body(request, ops.PAUSE)).for_ms)
        return json_reply(self._shown.serving.report())

    async def resume(self, _: Request) -> Response:
        await self._shown.serving.resume()
        return json_reply(self._shown.serving.report())

    async def config(self, _: Request) -> Response:
        return json_reply(self._shown.config.report())

    async def openapi(self, _: Request) -> Response:
        # The first time it takes a quarter of a second.
        return Response(await trio.to_thread.run_sync(encoded_document), media_type=ops.JSON)
