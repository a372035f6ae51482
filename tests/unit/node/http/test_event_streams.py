"""GET /api/events over a hub, in virtual time: streams that are silent, break, go on and end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import trio
import trio.testing
from starlette.types import Message, Scope
from trio.testing import MockClock

from node.api.events import Asked, BaseEvent
from node.http.places import STREAMS_MAX
from node.http.sse import KEEP_ALIVE_S
from node.rounds.following.hub import RoundEvents
from protocol.types import Digest
from tests.support.declared import check_reply, declared
from tests.support.http_server import app_of
from tests.support.shown import QUERY, shown
from tests.support.sse import Stream, parse

OTHER = Digest(b"o" * 32)


@dataclass
class Reply:
    """What a client has read so far."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False

    @property
    def stream(self) -> Stream:
        check_reply("GET", "/api/events", self.status, "text/event-stream", bytes(self.body))
        return parse(bytes(self.body))

    @property
    def queries(self) -> list[str]:
        return [msgspec.json.decode(each.data).get("query_id", "missed") for each in self.stream.events]


@asynccontextmanager
async def reading(hub: RoundEvents, *, query: Digest | None = None, last_id: str = "") -> AsyncIterator[Reply]:
    """A client that reads until the block ends, which breaks its connection."""
    reply = Reply()
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/events",
        "query_string": b"" if query is None else b"round=" + query.hex().encode(),
        "headers": [(b"last-event-id", last_id.encode())] if last_id else [],
    }

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
        else:
            reply.body.extend(message["body"])
            reply.ended = not message.get("more_body", False)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(declared(app_of(shown(events=hub))), scope, trio.sleep_forever, send)
        await trio.testing.wait_all_tasks_blocked()
        yield reply
        nursery.cancel_scope.cancel()


async def publish(hub: RoundEvents, query: Digest = QUERY) -> None:
    def build(seq: int) -> BaseEvent:
        return Asked(query_id=query.hex(), members=(), seq=seq)

    hub.publish(query, "requester", Asked, build)
    await trio.testing.wait_all_tasks_blocked()


async def test_a_stream_that_broke_goes_on_with_its_last_id() -> None:
    hub = RoundEvents()
    async with reading(hub) as first:
        assert (first.status, first.stream.events) == (200, []), "the header comes before any event"
        await publish(hub)
        await publish(hub, OTHER)
        (one, two) = first.stream.events
    await publish(hub)
    async with reading(hub, last_id=one.id) as second:
        await publish(hub, OTHER)
        assert second.stream.events[0] == two
        assert second.queries == [OTHER.hex(), QUERY.hex(), OTHER.hex()]
    ids = [each.id for each in (one, *second.stream.events)]
    assert len(set(ids)) == 4 and all(each.startswith(hub.life + "-") for each in ids)


async def test_a_stream_of_another_life_says_that_nobody_knows_what_it_missed() -> None:
    async with reading(RoundEvents(), last_id="0123456789abcdef-7") as reply:
        (event,) = reply.stream.events
        assert msgspec.json.decode(event.data) == {"event": "missed", "missed": None}


async def test_a_silent_stream_shows_signs_of_life(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    hub = RoundEvents()
    async with reading(hub) as reply:
        await trio.sleep(3.5 * KEEP_ALIVE_S)
        assert len(reply.stream.comments) == 1 + 3
        assert not reply.ended


async def test_the_stream_of_one_round_ends_with_it_and_is_not_found_again() -> None:
    hub = RoundEvents()
    hub.begin(QUERY)
    async with reading(hub, query=QUERY) as reply:
        await publish(hub)
        await publish(hub, OTHER)
        hub.end(QUERY)
        await trio.testing.wait_all_tasks_blocked()
        assert reply.ended and reply.queries == [QUERY.hex()]
    async with reading(hub, query=QUERY, last_id=reply.stream.events[-1].id) as again:
        assert (again.status, again.ended) == (404, True), "which tells a browser to stop"


async def test_there_are_so_many_streams_and_no_more() -> None:
    hub = RoundEvents()
    app = app_of(shown(events=hub), connections_max=8 * STREAMS_MAX + 100)
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {"type": "http", "method": "GET", "path": "/api/events", "query_string": b"", "headers": []}
    async with trio.open_nursery() as nursery:
        for _ in range(STREAMS_MAX + 1):
            nursery.start_soon(app, dict(scope), trio.sleep_forever, send)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sorted(statuses) == [200] * STREAMS_MAX + [503]
