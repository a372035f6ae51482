"""`/api`: status, peers, asking, certificates; and the health checks."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import msgspec
import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from consensus.rounds import effects as fx
from node.daemon import Node
from node.http.engine import engine_routes
from node.http.metrics import CERTIFICATES_MAX, metrics_routes
from node.http.replies import ParameterError, Places, integers, refusal, refused_ask
from node.http.reputation import reputation_routes
from node.http.serving import serving_routes
from node.http.serving import told as serving_told
from node.overlay.types import ConnectionCounts
from node.rounds.inbound import Watched
from node.rounds.report import claimed_correct
from node.rounds.service import AskError, Question, RoundHandle
from node.storage import StoreBlockedError
from protocol.types import ONE, Digest, Key, Role

WAIT_MS_MAX: Final = 300_000
"""ms that a client may wait for offers in one request."""

WAITS_SHARE: Final = 4
"""One in four connections may wait for offers, as long as these are no more than WAITS_MAX."""

WAITS_MAX: Final = 64
"""requests that wait for offers at once: each looks through the book when there is a new one."""

WAIT_PAUSE_S: Final = 0.1
"""seconds between two such looks of one request, so that a flood of offers is not made dearer by who waits."""

FOLLOWED_SHARE: Final = 2
"""One in two connections may follow a round, or wait for its turn; the rest is for what is answered at once."""


def build_app(node: Node, connections_max: int) -> Starlette:
    """The ASGI application of one node, which is served to at most `connections_max` connections."""
    api = _Api(node, connections_max)
    app = Starlette(
        routes=[
            Route("/health/live", api.live),
            Route("/health/ready", api.ready),
            Route("/api/status", api.status),
            Route("/api/peers", api.peers),
            Route("/api/wait", api.wait),
            Route("/api/ask", api.ask, methods=["POST"]),
            Route("/api/certificates/{query_id}", api.certificate),
            *engine_routes(node),
            *metrics_routes(node),
            *reputation_routes(node),
            *serving_routes(node),
        ],
        exception_handlers={
            HTTPException: _refuse_http,
            ParameterError: _refuse_parameter,
            StoreBlockedError: _blocked,
            Exception: _fail,
        },
    )
    # A redirection would repeat the Host that it was given.
    app.router.redirect_slashes = False
    return app


async def _refuse_http(_: Request, error: Exception) -> Response:
    """No such path (404), or no such method on it (405)."""
    assert isinstance(error, HTTPException)
    response = refusal(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def _refuse_parameter(_: Request, error: Exception) -> Response:
    return refusal(400, str(error))


async def _fail(_: Request, __: Exception) -> Response:
    """A fault of ours: the connection logs it."""
    return refusal(500, "internal error; the node's log has a line about it")


class _Api:
    def __init__(self, node: Node, connections_max: int) -> None:
        self._node = node
        self._waits = Places(min(WAITS_MAX, connections_max // WAITS_SHARE))
        self._followed = Places(connections_max // FOLLOWED_SHARE)

    async def live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Ready: the engine answers and a peer is connected."""
        engine = self._node.worker.info is not None
        peers = any(peer.connected for peer in self._node.overlay.peers())
        return JSONResponse(
            {"ready": engine and peers, "engine": engine, "peers": peers}, 200 if engine and peers else 503
        )

    async def status(self, _: Request) -> Response:
        node = self._node
        info = node.worker.info
        return JSONResponse(
            {
                "key": node.participant.keypair.public.hex(),
                "addresses": list(node.overlay.addresses()),
                "network": node.params.network,
                "params_digest": node.params.digest.hex(),
                "specialty": node.config.node.specialty,
                "engine": None if info is None else {"kind": info.kind, "model": info.model,
                    "context_tokens": info.context_tokens, "tokens_per_second": round(info.tokens_per_second, 1)},
                "working_on": node.worker.queue,
                "serving": serving_told(node),
                "peers_connected": sum(peer.connected for peer in node.overlay.peers()),
                "connections": _connections(node.overlay.connection_counts()),
                "clock": asdict(node.participant.presence.clock),
                "nodes_offering": self._offering(),
                "conditions": [asdict(condition) for condition in node.lookout.conditions()],
                "store": str(node.store.health),
                "certificates": await self._certificates(),
                "data_dir": str(node.config.node.data_dir),
            }
        )  # fmt: skip

    async def _certificates(self) -> int | None:
        """How many there are; None while the disk cannot be read."""
        try:
            return len(await self._node.store.certificates(CERTIFICATES_MAX))
        except StoreBlockedError:
            return None

    async def wait(self, request: Request) -> Response:
        """Answer when at least `offers` nodes offer to work, or after `timeout_ms`, with how many do."""
        node = self._node
        asked = integers(request, {"offers": 1, "timeout_ms": 10_000})
        with self._waits.take() as place:
            if not place:
                return refusal(503, "too many wait for offers; try again later", retry_after_s=1)
            with trio.move_on_after(min(asked["timeout_ms"], WAIT_MS_MAX) / 1000):
                while self._offering() < asked["offers"]:
                    await node.driver.offered.wait()
                    # The offer is put into the book right after the event, within the same turn of the driver.
                    await trio.sleep(WAIT_PAUSE_S)
        return JSONResponse({"offers": self._offering()})

    def _offering(self) -> int:
        return self._node.participant.validator.offers.working(self._node.clock.now_ms())

    async def peers(self, _: Request) -> Response:
        node = self._node
        offers = {offer.author: offer for offer in node.participant.validator.offers.valid(node.clock.now_ms())}
        rows = []
        for peer in node.overlay.peers():
            offer = offers.get(peer.key)  # type: ignore[call-overload]
            rows.append(
                {
                    "key": peer.key.hex(),
                    "peer_id": peer.peer_id,
                    "addresses": list(peer.addresses),
                    "connected": peer.connected,
                    "direction": peer.direction,
                    "round_trip_ms": peer.round_trip_ms,
                    "clock_offset_ms": node.participant.presence.offset_ms(Key(peer.key)),
                    "score": round(peer.score, 1),
                    "score_reason": peer.score_reason,
                    "wires": list(peer.wires),
                    "offers": None if offer is None else _offer_row(offer),
                }
            )
        return JSONResponse({"peers": rows})

    async def certificate(self, request: Request) -> Response:
        try:
            query_id = Digest(bytes.fromhex(request.path_params["query_id"]))
        except ValueError:
            return refusal(400, "a query id is 64 hexadecimal digits")
        raw = await self._node.store.certificate(query_id)
        if raw is None:
            return refusal(404, "no such certificate here")
        return Response(raw, media_type="application/octet-stream")

    async def ask(self, request: Request) -> Response:
        """Newline-delimited JSON: `asked`, `progress`..., `decided`, `certified`, `ended`."""
        try:
            question = msgspec.json.decode(await request.body(), type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, f"not a question: {error}")
        return _FollowedRound(self._node, question, self._followed)


class _FollowedRound(Response):
    """The reply that begins a round and follows it. A client that goes while it waits for its turn leaves the queue."""

    def __init__(self, node: Node, question: Question, places: Places) -> None:
        super().__init__(media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._node = node
        self._question = question
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the round's events as they come."""
        with self._places.take() as place:
            if not place:
                await refusal(503, "too many follow rounds; try again later", retry_after_s=1)(scope, receive, send)
                return
            try:
                async with self._node.asker.ask(self._question) as begun:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await _follow(begun, send, self._node.worker.why_declined)
            except AskError as error:
                # Only from before the round began.
                await refused_ask(error)(scope, receive, send)


async def _blocked(_: Request, error: Exception) -> Response:
    """Answer for what the disk does not give now."""
    return refusal(503, str(error))


def _offer_row(offer: Any) -> dict[str, Any]:
    return {
        "roles": [role.name.lower() for role in Role if role in offer.roles and role.name],
        "model": offer.model,
        "tokens_per_second": offer.milli_tokens_per_second / 1000,
        "queue": offer.queue,
    }


def _connections(counts: ConnectionCounts) -> dict[str, Any]:
    """Inbound connections now, and those refused since the node's start by reason."""
    return {
        "inbound": counts.inbound,
        "inbound_max": counts.inbound_max,
        "half_open": counts.half_open,
        "refused": dict(counts.refused),
    }


async def _follow(begun: RoundHandle, send: Send, why_declined: Callable[[Digest], str]) -> None:
    """Send each event as a line of JSON. `why_declined`: what our own engine's trouble with a round was."""

    def line(watched: Watched) -> bytes:
        event = _event(watched)
        if isinstance(watched.effect, fx.Decide):
            event["own_engine"] = why_declined(begun.query_id)
        return _line(event)

    seats = [seat.member.hex() for seat in begun.query.roster]
    first = {"event": "asked", "query_id": begun.query_id.hex(), "at_ms": 0, "members": seats}
    await send({"type": "http.response.body", "body": _line(first), "more_body": True})
    async for watched in begun.events:
        lines = [line(watched)]
        # What has come meanwhile goes along: each piece costs the asked node, for which all members wait.
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                lines.append(line(begun.events.receive_nowait()))
        await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(watched: Watched) -> dict[str, Any]:
    match watched.effect:
        case fx.Progress(_, phase, wave, received, expected, silent, refused, declined):
            told: dict[str, Any] = {
                "event": "progress",
                "phase": phase,
                "wave": wave,
                "received": sorted(key.hex() for key in received),
                "expected": sorted(key.hex() for key in expected),
                "silent": sorted(key.hex() for key in silent),
                "refused": {key.hex(): why for key, why in sorted(refused.items())},
                "declined": {key.hex(): why for key, why in sorted(declined.items())},
            }
        case fx.Decide(_, ranking, answer):
            told = {
                "event": "decided",
                "outcome": ranking.outcome,
                "reason": ranking.reason,
                "winner": ranking.winner.hex(),
                "p_best": ranking.p_best / ONE,
                "p_correct": claimed_correct(ranking),
                "answer": answer,
            }
        case fx.Certify(_, outcome, _, certificate):
            told = {"event": "certified", "outcome": outcome, "bytes": len(certificate)}
        case fx.RoundEnded(_, role, ending, outcome, fault):
            told = {
                "event": "ended",
                "role": role,
                "ending": ending,
                "outcome": outcome,
                "fault": str(fault) if fault else None,
            }
    return {**told, "at_ms": watched.at_ms}


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"
