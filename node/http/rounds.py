"""The reply to POST /api/ask: the events of a round as they occur, one JSON object per line."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from consensus.certificates.report import claimed_correct
from consensus.rounds import effects as fx
from node.api import asking as api
from node.api.operations import JSON_LINES
from node.http.replies import Places, refusal, refused_ask
from node.http.shown import ShownRounds
from node.rounds.inbound import Watched
from node.rounds.service import AskError, RoundHandle
from protocol.types import ONE, Digest


class FollowedRound(Response):
    """The reply that begins a round and follows it. A client that goes while it waits for its turn leaves the queue."""

    def __init__(self, rounds: ShownRounds, question: api.Question, places: Places) -> None:
        super().__init__(media_type=JSON_LINES)
        del self.headers["content-length"]
        self._rounds = rounds
        self._question = question
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the round's events as they occur."""
        with self._places.take() as place:
            if not place:
                await refusal(503, "too many follow rounds; try again later", retry_after_s=1)(scope, receive, send)
                return
            try:
                async with self._rounds.ask(self._question) as begun:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await _follow(begun, send, self._rounds.own_engine)
            except AskError as error:
                # Raised only before the round began.
                await refused_ask(error)(scope, receive, send)


async def _follow(begun: RoundHandle, send: Send, own_engine: Callable[[Digest], str]) -> None:
    """Send each event as a line of JSON. `own_engine`: returns why our own engine contributed nothing."""

    def line(watched: Watched) -> bytes:
        event = _event(watched)
        if isinstance(event, api.Decided):
            event = msgspec.structs.replace(event, own_engine=own_engine(begun.query_id))
        return _line(event)

    first = api.Asked(begun.query_id.hex(), 0, tuple(seat.member.hex() for seat in begun.query.roster))
    await send({"type": "http.response.body", "body": _line(first), "more_body": True})
    async for watched in begun.events:
        lines = [line(watched)]
        # Send later events along: each piece costs the requesting node time for which all members wait.
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                lines.append(line(begun.events.receive_nowait()))
        await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(watched: Watched) -> api.RoundEvent:
    at_ms = watched.at_ms
    match watched.effect:
        case fx.Progress(_, phase, wave, received, expected, silent, refused, declined):
            return api.Progress(
                phase=phase,
                wave=wave,
                received=tuple(sorted(key.hex() for key in received)),
                expected=tuple(sorted(key.hex() for key in expected)),
                silent=tuple(sorted(key.hex() for key in silent)),
                refused={key.hex(): why for key, why in sorted(refused.items())},
                declined={key.hex(): why for key, why in sorted(declined.items())},
                at_ms=at_ms,
            )
        case fx.Decide(_, ranking, answer):
            return api.Decided(
                outcome=ranking.outcome,
                reason=ranking.reason,
                winner=ranking.winner.hex(),
                p_best=ranking.p_best / ONE,
                p_correct=claimed_correct(ranking),
                answer=answer,
                at_ms=at_ms,
            )
        case fx.Certify(_, outcome, _, certificate):
            return api.Certified(outcome, len(certificate), at_ms)
        case fx.RoundEnded(_, role, ending, outcome, fault):
            return api.Ended(role, ending, outcome, str(fault) if fault else None, at_ms)


def _line(event: api.RoundEvent) -> bytes:
    return msgspec.json.encode(event) + b"\n"
