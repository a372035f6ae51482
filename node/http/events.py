"""The reply to GET /api/events: the events of all rounds as they occur, as server-sent events."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import trio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.api import operations as ops
from node.api.events import BaseEvent, EventsMissed
from node.api.operations import EVENT_STREAM, Operation
from node.http.places import Places
from node.http.replies import Handler, parse_query_id, read_parameters, refusal
from node.http.shown import ShownEvents
from node.http.sse import EventStream, encode_comment, encode_event
from node.rounds.following.hub import Resumed, TooManySubscribersError, UnknownRoundError
from protocol.types import Digest


class EventsHandlers:
    """The handler over a node's events."""

    def __init__(self, events: ShownEvents, streams: Places) -> None:
        """Build it. `streams`: places of streams."""
        self._events = events
        self._streams = streams

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handler by operation."""
        return {ops.EVENTS: self.follow}

    async def follow(self, request: Request) -> Response:
        """Reply with the events of all rounds, or of one."""
        text = read_parameters(request, ops.EVENTS)["round"]
        return EventsReply(self._events, parse_query_id(text) if text else None, self._streams)


class EventsReply(Response):
    """A stream of events that lasts until the client goes, or until the one round that it follows is over."""

    media_type = EVENT_STREAM

    def __init__(self, events: ShownEvents, query: Digest | None, places: Places) -> None:
        super().__init__()
        self._events = events
        self._query = query
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they occur."""
        with self._places.take() as place:
            if not place:
                await refusal(503, "too many follow events; try again later", retry_after_s=1)(scope, receive, send)
                return
            last_id = Headers(scope=scope).get("last-event-id", "")
            try:
                with self._events.resume(last_id, self._query) as resumed:
                    await self._send(resumed, EventStream(send))
            except UnknownRoundError:
                await refusal(404, "no such round is open here")(scope, receive, send)
            except TooManySubscribersError as error:
                await refusal(503, str(error), retry_after_s=1)(scope, receive, send)

    async def _send(self, resumed: Resumed, stream: EventStream) -> None:
        # A comment first, so that the client knows at once that it is heard.
        first = [encode_comment("events of this node's rounds")]
        if resumed.missed != 0:
            missed = msgspec.json.encode(EventsMissed(missed=resumed.missed))
            first.append(encode_event(missed, id=self._events.id_of(resumed.floor)))
        await stream.send(*first, *self._encoded(resumed.earlier))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.keep_alive, lambda: "nothing happens")
            while events := await resumed.live.receive_waiting():
                await stream.send(*self._encoded(events))
            nursery.cancel_scope.cancel()
        await stream.close()

    def _encoded(self, events: Iterable[BaseEvent]) -> list[bytes]:
        return [encode_event(msgspec.json.encode(each), id=self._events.id_of(each.seq)) for each in events]
