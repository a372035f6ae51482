"""Handlers of the rounds that the node asked, and of certificates."""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import operations as ops
from node.api.certificates import CertificatePage, HeldCertificate
from node.api.operations import Operation
from node.api.rounds import RoundPage
from node.http.places import READS_MAX, Places
from node.http.replies import (
    Handler,
    ParameterError,
    json_reply,
    read_body,
    read_parameters,
    read_query_id,
    refusal,
)
from node.http.shown import ShownHistory
from node.storage import RoundFilter, RoundPlace
from protocol.types import Digest

_AGE: Final = re.compile(r"[0-9]{1,18}")
_PLACE: Final = re.compile(r"([0-9]{1,16})\.([0-9a-f]{64})")


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
        after = _read_place(asked["after"])
        with self._reads.take() as place:
            if not place:
                return _busy()
            rounds, last = await self._history.rounds(wanted, after, asked["limit"])
        return json_reply(RoundPage(rounds, None if last is None else f"{last.asked_ms}.{last.query_id.hex()}"))

    async def round(self, request: Request) -> Response:
        """Reply with everything known of one round."""
        query_id = read_query_id(request)
        with self._reads.take() as place:
            if not place:
                return _busy()
            found = await self._history.round(query_id)
        return refusal(404, "no such round here") if found is None else json_reply(found)

    async def certificates(self, request: Request) -> Response:
        """Reply with a page of certificates."""
        asked = read_parameters(request, ops.CERTIFICATES)
        limit = asked["limit"]
        rows = await self._history.certificates(_read_age(asked["after"]), limit + 1)
        held = tuple(
            HeldCertificate(
                query_id=row.summary.query_id.hex(),
                outcome=row.summary.outcome,
                author=row.summary.winner.hex(),
                stored_ms=row.summary.created_ms,
                bytes=row.size_bytes,
                ours=row.is_ours,
            )
            for row in rows[:limit]
        )
        return json_reply(CertificatePage(held, str(rows[limit - 1].age) if len(rows) > limit else None))

    async def verify(self, request: Request) -> Response:
        """Reply with what a certificate says, or why it does not hold."""
        with self._reads.take() as place:
            if not place:
                return _busy()
            return json_reply(await self._history.verify(await read_body(request, ops.VERIFY)))


def _busy() -> Response:
    return refusal(503, f"{READS_MAX} requests read the history already; try again later", retry_after_s=1)


def _read_age(text: str) -> int | None:
    """Return the age that a page's `next` names; None if it is empty. Raises ParameterError."""
    if not text:
        return None
    if _AGE.fullmatch(text) is None:
        raise ParameterError("after is what an earlier page has as `next`")
    return int(text)


def _read_place(text: str) -> RoundPlace | None:
    """Return the place that a page's `next` names; None if it is empty. Raises ParameterError."""
    if not text:
        return None
    if (found := _PLACE.fullmatch(text)) is None:
        raise ParameterError("after is what an earlier page has as `next`")
    return RoundPlace(int(found[1]), Digest(bytes.fromhex(found[2])))
