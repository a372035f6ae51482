"""Handlers of rounds' courses and of their answers' texts."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from node.api import operations as ops
from node.api.operations import Operation
from node.http.places import Places
from node.http.replies import Handler, json_reply, read_body, read_query_id, reading, refusal
from node.http.shown import ShownReplays
from protocol.errors import Fault


class ReplayHandlers:
    """The handlers over the courses of rounds."""

    def __init__(self, replays: ShownReplays, reads: Places) -> None:
        """Build them. `reads`: places of requests that read or verify."""
        self._replays = replays
        self._reads = reads

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        return {
            ops.ROUND_ANSWERS: self.answers,
            ops.ROUND_REPLAY: self.replay,
            ops.REPLAY: self.replay_of,
        }

    async def answers(self, request: Request) -> Response:
        """Reply with the opened answers of one round."""
        query_id = read_query_id(request)
        with reading(self._reads):
            found = await self._replays.answers(query_id)
        return refusal(404, "no such round here whose answers are known") if found is None else json_reply(found)

    async def replay(self, request: Request) -> Response:
        """Reply with the course of one round."""
        query_id = read_query_id(request)
        with reading(self._reads):
            found = await self._replays.replay(query_id)
        return refusal(404, "no such round here whose course is known") if found is None else json_reply(found)

    async def replay_of(self, request: Request) -> Response:
        """Reply with the course of the round that a certificate proves."""
        with reading(self._reads):
            found = await self._replays.replay_of(await read_body(request, ops.REPLAY))
        if isinstance(found, Fault):
            return refusal(400, f"the certificate does not hold: {found}")
        return json_reply(found)
