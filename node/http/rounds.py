"""Rounds that a request begins: cancelled with the request, or followed as POST /api/ask does, a JSON object a line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.api.asking import Question
from node.api.events import encode_plain
from node.api.operations import JSON_LINES
from node.http.places import Places
from node.http.replies import refusal, refused_ask
from node.http.shown import ShownRounds
from node.rounds.asking.errors import AskError
from node.rounds.asking.service import RoundHandle
from node.rounds.following.hub import Subscription


@asynccontextmanager
async def ask_or_cancel(rounds: ShownRounds, question: Question, *, details: bool) -> AsyncIterator[RoundHandle]:
    """Begin a round and follow it; cancel it if the block is left by an exception, such as its cancellation.

    Raises AskError.
    """
    async with rounds.ask(question, details=details) as handle:
        is_over = False
        try:
            yield handle
            is_over = True
        finally:
            if not is_over:
                await rounds.cancel(handle.query_id)


class AskReply(Response):
    """The reply that begins a round and follows it. A client that goes while it waits for its turn leaves the queue."""

    def __init__(self, rounds: ShownRounds, question: Question, details: bool, places: Places) -> None:
        super().__init__(media_type=JSON_LINES)
        del self.headers["content-length"]
        self._rounds = rounds
        self._question = question
        self._details = details
        self._encode = msgspec.json.encode if details else encode_plain
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the round's events as they occur."""
        with self._places.take() as place:
            if not place:
                await refusal(503, "too many follow rounds; try again later", retry_after_s=1)(scope, receive, send)
                return
            try:
                async with self._rounds.ask(self._question, details=self._details) as begun:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await self._follow(begun.events, send)
            except AskError as error:
                # Raised only before the round began.
                await refused_ask(error)(scope, receive, send)

    async def _follow(self, events: Subscription, send: Send) -> None:
        while waiting := await events.receive_waiting():
            lines = map(self._encode, waiting)
            await send({"type": "http.response.body", "body": b"\n".join((*lines, b"")), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
