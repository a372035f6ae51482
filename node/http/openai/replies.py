"""The reply that begins a round, follows it, and cancels it when its client goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.api.events import Decided
from node.http.openai.dialects import Dialect
from node.http.openai.following import RoundView
from node.http.openai.requests import RoundRequest
from node.http.places import Places
from node.http.replies import Refusal, json_reply, refusal, refused_ask
from node.http.rounds import ask_or_cancel
from node.http.shown import ShownRounds
from node.http.sse import EventStream, encode_comment
from node.rounds.asking.errors import AskError
from node.rounds.following.hub import Subscription

STREAM_HEADERS: Final = ((b"x-accel-buffering", b"no"),)
"""Keeps nginx, a common proxy, from holding events back until the reply is complete."""


class RoundReply(Response):
    """The reply to a request for an answer, whole or as a stream.

    A client that goes while it waits for its turn leaves the queue; one that goes later cancels its round.
    """

    def __init__(self, rounds: ShownRounds, request: RoundRequest, dialect: Dialect, places: Places) -> None:
        super().__init__()
        self._rounds = rounds
        self._request = request
        self._dialect = dialect
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, and send the reply."""
        with self._places.take() as place:
            if not place:
                reply: Response | None = refusal(503, "too many follow rounds; try again later", retry_after_s=1)
            elif self._request.stream:
                reply = await self._stream(send)
            else:
                reply = await self._whole()
        if reply is not None:
            await reply(scope, receive, send)

    async def _whole(self) -> Response:
        """Return the reply to a request for no stream."""
        round = RoundView(self._request)
        try:
            async with self._follow(round) as events:
                async for event in events:
                    round.note(event)
        except AskError as error:
            return refused_ask(error)
        answer, failure = round.answer(), round.failure()
        if answer is None:
            assert failure is not None
            return failure
        return json_reply(self._dialect.body(round, answer))

    async def _stream(self, send: Send) -> Response | None:
        """Send a stream; return the refusal of a round that did not begin before anything was sent."""
        stream, round = EventStream(send, STREAM_HEADERS), RoundView(self._request)
        refused: Refusal | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.keep_alive, lambda: self._progress(round))
            try:
                async with self._follow(round) as events:
                    await stream.send(self._dialect.begun(round))
                    await self._send_events(stream, round, events)
            except AskError as error:
                refused = refused_ask(error)
            if refused is None:
                await stream.close(self._last(round))
            elif stream.is_open:
                await stream.close(self._dialect.failed(round, refused))
                refused = None
            nursery.cancel_scope.cancel()
        return refused

    def _progress(self, round: RoundView) -> str:
        """Return how far the round has come, in a few words."""
        if round.query_id:
            return round.progress
        return f"waiting for a ticket; {len(self._rounds.queue().waiting)} in the queue"

    async def _send_events(self, stream: EventStream, round: RoundView, events: Subscription) -> None:
        """Send progress as comments, and the text once it is decided."""
        async for event in events:
            before = round.progress
            round.note(event)
            if isinstance(event, Decided) and (answer := round.answer()) is not None:
                await stream.send(self._dialect.text(round, answer))
            elif round.progress != before:
                await stream.send(encode_comment(round.progress))

    def _last(self, round: RoundView) -> bytes:
        """Return the end of the stream of a round that is over."""
        answer, failure = round.answer(), round.failure()
        if answer is not None:
            return self._dialect.finished(round, answer)
        assert failure is not None
        return self._dialect.failed(round, failure)

    @asynccontextmanager
    async def _follow(self, round: RoundView) -> AsyncIterator[Subscription]:
        """Begin the round; cancel it if the block is left before the round's end. Raises AskError."""
        async with ask_or_cancel(self._rounds, self._request.question, details=False) as handle:
            round.begin(handle)
            yield handle.events
