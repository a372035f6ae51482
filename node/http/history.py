"""Handlers of the rounds that the node asked, and of certificates."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from node.api import operations as ops
from node.api.operations import Operation
from node.http.places import Places
from node.http.replies import (
    Handler,
    json_reply,
    read_body,
    read_parameters,
    read_query_id,
    reading,
    refusal,
)
from node.http.shown import ShownHistory
from node.storage import RoundFilter


class HistoryHandlers:
    """The handlers over a node's history."""

    def __init__(self, history: ShownHistory, reads: Places) -> None:
        """Build them. `reads`: places of requests that read or verify."""
        self._history = history
        self._reads = reads

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        return {
            ops.ROUNDS: self.rounds,
            ops.ROUND: self.round,
            ops.CERTIFICATES: self.certificates,
            ops.CERTIFICATE: self.certificate,
            ops.VERIFY: self.verify,
        }

    async def rounds(self, request: Request) -> Response:
        """Reply with a page of rounds."""
        asked = read_parameters(request, ops.ROUNDS)
        wanted = RoundFilter(
            text=asked["search"].casefold(),
            task=asked["task"] or "",
            outcome=asked["outcome"] or "",
            since_ms=asked["since_ms"],
            until_ms=asked["until_ms"],
            gold=bool(asked["gold"]),
        )
        with reading(self._reads):
            return json_reply(await self._history.rounds(wanted, asked["after"], asked["limit"]))

    async def round(self, request: Request) -> Response:
        """Reply with everything known of one round."""
        query_id = read_query_id(request)
        with reading(self._reads):
            found = await self._history.round(query_id)
        return refusal(404, "no such round here") if found is None else json_reply(found)

    async def certificates(self, request: Request) -> Response:
        """Reply with a page of certificates."""
        asked = read_parameters(request, ops.CERTIFICATES)
        return json_reply(await self._history.certificates(asked["after"], asked["limit"]))

    async def certificate(self, request: Request) -> Response:
        """Reply with a certificate's canonical bytes."""
        raw = await self._history.certificate(read_query_id(request))
        if raw is None:
            return refusal(404, "this node has no such certificate: ask another with --url, or name a file")
        return Response(raw, media_type=ops.CERTIFICATE.media)

    async def verify(self, request: Request) -> Response:
        """Reply with what a certificate says, or why it does not hold."""
        with reading(self._reads):
            return json_reply(await self._history.verify(await read_body(request, ops.VERIFY)))
