"""Streams while the round waits, runs and ends, in virtual time; and how many of them a node follows at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from starlette.types import ASGIApp, Message
from trio.testing import MockClock, wait_all_tasks_blocked

from node.http.places import FOLLOWED_SHARE
from node.http.sse import KEEP_ALIVE_S
from node.rounds.asking.errors import AskError
from tests.support.declared import check_reply
from tests.support.held_rounds import HeldRounds
from tests.support.http_server import app_of
from tests.support.openai_rounds import OPENED, certified, decided, ended, progress
from tests.support.shown import QUERY, QUEUE, shown
from tests.support.sse import parse

CHAT = "/v1/chat/completions"
CONNECTIONS = 8
QUESTIONS: dict[str, Any] = {
    CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/responses": {"input": "Hello"},
}


class Client:
    """A client of one streamed request: what it has read so far."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.is_over = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self.is_over = not message.get("more_body", False)

    @property
    def comments(self) -> list[str]:
        return parse(self.body).comments

    @property
    def data(self) -> list[Any]:
        return [each.data if each.data == "[DONE]" else json.loads(each.data) for each in parse(self.body).events]


@asynccontextmanager
async def streaming(
    rounds: HeldRounds, path: str = CHAT, clients: int = 1, app: ASGIApp | None = None, *, stream: bool = True
) -> AsyncIterator[list[Client]]:
    """Clients that ask for a stream and read it while the block runs; those that still read then leave."""
    app = app or app_of(shown(rounds=rounds), connections_max=CONNECTIONS)
    readers = [Client() for _ in range(clients)]

    async def read(client: Client) -> None:
        body = msgspec.json.encode({"model": "strand-rust", "stream": stream, **QUESTIONS[path]})
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not unread:
                await trio.sleep_forever()
            return unread.pop()

        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
        await app(scope, receive, client.send)

    async with trio.open_nursery() as nursery:
        for client in readers:
            nursery.start_soon(read, client)
        await wait_all_tasks_blocked()
        yield readers
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_a_stream_says_how_far_the_round_is_and_stays_open(autojump_clock: MockClock) -> None:  # noqa: ARG001
    rounds = HeldRounds()
    rounds.turn.set()
    async with streaming(rounds) as (client,):
        assert client.data[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        rounds.tell(progress("answering", 0))
        await trio.sleep(1.5 * KEEP_ALIVE_S)
        assert client.comments == ["answering 0/2"] * 2
        rounds.tell(progress("answering", 1), progress("answering", 1), *OPENED, progress("judging", 0))
        await wait_all_tasks_blocked()
        assert client.comments[2:] == ["answering 1/2", "judging 0/2"]
        assert len(client.data) == 1
        rounds.tell(decided())
        await wait_all_tasks_blocked()
        assert client.data[1]["choices"][0]["delta"]["content"].startswith("fn sum")
        await trio.sleep(10.5 * KEEP_ALIVE_S)
        assert client.comments[4:] == ["judging 0/2"] * 10
        assert not client.is_over and len(client.data) == 2
        rounds.tell(certified(), ended())
        rounds.events.end()
        await wait_all_tasks_blocked()
        assert client.is_over and client.data[-1] == "[DONE]"
        assert client.data[-2]["strand"]["certificate"]
        check_reply("POST", CHAT, client.status, "text/event-stream", client.body)


async def test_who_waits_for_a_turn_hears_of_it(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    rounds = HeldRounds()
    async with streaming(rounds) as (client,):
        await trio.sleep(0.9 * KEEP_ALIVE_S)
        assert client.body == b"" and client.status == 0
        await trio.sleep(2 * KEEP_ALIVE_S)
        assert client.comments == [f"waiting for a ticket; {len(QUEUE.waiting)} in the queue"] * 2
        assert client.data == []
        rounds.turn.set()
        await wait_all_tasks_blocked()
        assert client.data[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("path", QUESTIONS)
async def test_a_refusal_after_the_wait_ends_the_stream(
    path: str,
    autojump_clock: MockClock,  # noqa: ARG001 - time
) -> None:
    rounds = HeldRounds(refusal=AskError("the members have gone"))
    async with streaming(rounds, path) as (client,):
        await trio.sleep(1.5 * KEEP_ALIVE_S)
        rounds.turn.set()
    assert client.is_over and client.status == 200
    error = client.data[0] if path == "/v1/responses" else client.data[0]["error"]
    assert error["message"] == "the members have gone"
    check_reply("POST", path, client.status, "text/event-stream", client.body)


async def test_a_refusal_within_a_silence_has_its_status(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    rounds = HeldRounds(refusal=AskError("the members have gone"))
    async with streaming(rounds) as (client,):
        await trio.sleep(0.5 * KEEP_ALIVE_S)
        rounds.turn.set()
    assert client.is_over and client.status == 400
    assert json.loads(client.body)["error"]["message"] == "the members have gone"


@pytest.mark.parametrize("path", QUESTIONS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_cancels_its_round(path: str, stream: bool) -> None:
    rounds = HeldRounds()
    rounds.turn.set()
    async with streaming(rounds, path, stream=stream) as (client,):
        rounds.tell(progress("answering", 1))
        await wait_all_tasks_blocked()
        assert rounds.cancelled == [] and not client.is_over
    assert rounds.cancelled == [QUERY]


async def test_a_client_that_goes_while_it_waits_leaves_the_queue() -> None:
    rounds = HeldRounds()
    async with streaming(rounds):
        pass
    assert len(rounds.asked) == 1 and rounds.cancelled == []


async def test_a_round_that_is_over_is_not_cancelled() -> None:
    rounds = HeldRounds()
    rounds.turn.set()
    async with streaming(rounds) as (client,):
        rounds.tell(decided(), certified(), ended())
        rounds.events.end()
        await wait_all_tasks_blocked()
        assert client.is_over
    assert rounds.cancelled == []


async def test_no_more_are_followed_than_there_are_places() -> None:
    rounds = HeldRounds()
    app = app_of(shown(rounds=rounds), connections_max=CONNECTIONS)
    async with streaming(rounds, clients=CONNECTIONS, app=app) as clients:
        refused = [client for client in clients if client.is_over]
        assert len(clients) - len(refused) == CONNECTIONS // FOLLOWED_SHARE == len(rounds.asked)
        assert {client.status for client in refused} == {503}
    # They have left, and others take their places.
    async with streaming(rounds, clients=CONNECTIONS, app=app):
        assert len(rounds.asked) == 2 * (CONNECTIONS // FOLLOWED_SHARE)
