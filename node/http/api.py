"""`/api`: status, peers, asking, certificates; and the health checks."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import msgspec
import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from consensus import effects as fx
from node.app import Node
from node.http.engine import engine_routes
from node.http.guard import Guard
from node.http.metrics import metrics_routes
from node.http.reputation import reputation_routes
from node.mailroom import Watched
from node.report import claimed_correct
from node.rounds import AskError, Begun, NoDiskError, NoQuorumError, Question, TooBusyError
from node.storage import StoreBlockedError
from protocol.types import ONE, Digest, Role

CERTIFICATES_COUNTED = 1_000
"""certificates that a status counts: what journals a round waits for it."""

WAIT_MS_MAX = 300_000
"""ms that a client may wait for offers in one request."""


def build_app(node: Node) -> Starlette:
    """The ASGI application of one node."""
    api = _Api(node)
    return Starlette(
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
        ],
        exception_handlers={StoreBlockedError: _blocked},
        middleware=[Middleware(Guard, token=node.config.api.token)],
    )


class _Api:
    def __init__(self, node: Node) -> None:
        self._node = node

    async def live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Ready: the engine answers and a peer is connected."""
        engine = self._node.workroom.info is not None
        peers = any(peer.connected for peer in self._node.overlay.peers())
        return JSONResponse(
            {"ready": engine and peers, "engine": engine, "peers": peers}, 200 if engine and peers else 503
        )

    async def status(self, _: Request) -> Response:
        node = self._node
        info = node.workroom.info
        return JSONResponse(
            {
                "key": node.participant.keypair.public.hex(),
                "addresses": list(node.overlay.addresses()),
                "network": node.params.network,
                "params_digest": node.params.digest.hex(),
                "specialty": node.config.node.specialty,
                "engine": None if info is None else {"kind": info.kind, "model": info.model,
                    "context_tokens": info.context_tokens, "tokens_per_second": round(info.tokens_per_second, 1)},
                "working_on": node.workroom.queue,
                "peers_connected": sum(peer.connected for peer in node.overlay.peers()),
                "nodes_offering": self._offering(),
                "store": str(node.store.health),
                "certificates": await self._certificates(),
                "data_dir": str(node.config.node.data_dir),
            }
        )  # fmt: skip

    async def _certificates(self) -> int | None:
        """How many there are; None while the disk cannot be read."""
        try:
            return len(await self._node.store.certificates(CERTIFICATES_COUNTED))
        except StoreBlockedError:
            return None

    async def wait(self, request: Request) -> Response:
        """Answer when at least `offers` nodes offer to work, or after `timeout_ms`, with how many do."""
        node = self._node
        try:
            least = int(request.query_params.get("offers", "1"))
            timeout_ms = min(int(request.query_params.get("timeout_ms", "10000")), WAIT_MS_MAX)
        except ValueError:
            return JSONResponse({"error": "offers and timeout_ms are integers"}, 400)
        with trio.move_on_after(timeout_ms / 1000):
            while self._offering() < least:
                await node.driver.offered.wait()
                # The offer is put into the book right after the event, within the same turn of the driver.
                await trio.lowlevel.checkpoint()
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
                    "score": round(peer.score, 1),
                    "score_reason": peer.score_reason,
                    "offers": None if offer is None else _offer_row(offer),
                }
            )
        return JSONResponse({"peers": rows})

    async def certificate(self, request: Request) -> Response:
        try:
            query_id = Digest(bytes.fromhex(request.path_params["query_id"]))
        except ValueError:
            return JSONResponse({"error": "a query id is 64 hexadecimal digits"}, 400)
        raw = await self._node.store.certificate(query_id)
        if raw is None:
            return JSONResponse({"error": "no such certificate here"}, 404)
        return Response(raw, media_type="application/octet-stream")

    async def ask(self, request: Request) -> Response:
        """Newline-delimited JSON: `asked`, `progress`..., `decided`, `certified`, `ended`."""
        try:
            body = await request.body()
        except ClientDisconnect:
            return JSONResponse({"error": "the body is too long, or its sender is gone"}, 413)
        try:
            question = msgspec.json.decode(body, type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return JSONResponse({"error": f"not a question: {error}"}, 400)
        stack = AsyncExitStack()
        try:
            begun = await stack.enter_async_context(self._node.asker.ask(question))
        except AskError as error:
            status = 503 if isinstance(error, NoDiskError | NoQuorumError | TooBusyError) else 400
            return JSONResponse({"error": str(error)}, status)
        return StreamingResponse(_follow(stack, begun), media_type="application/x-ndjson")


async def _blocked(_: Request, error: Exception) -> Response:
    """Answer for what the disk does not give now."""
    return JSONResponse({"error": str(error)}, 503)


def _offer_row(offer: Any) -> dict[str, Any]:
    return {
        "roles": [role.name.lower() for role in Role if role in offer.roles and role.name],
        "model": offer.model,
        "tokens_per_second": offer.milli_tokens_per_second / 1000,
        "queue": offer.queue,
    }


async def _follow(stack: AsyncExitStack, begun: Begun) -> AsyncIterator[bytes]:
    async with stack:
        seats = [seat.member.hex() for seat in begun.query.roster]
        yield _line({"event": "asked", "query_id": begun.query_id.hex(), "at_ms": 0, "members": seats})
        async for watched in begun.events:
            lines = [_line(_event(watched))]
            # What has come meanwhile goes along: each piece costs the asked node, for which all members wait.
            with suppress(trio.WouldBlock, trio.EndOfChannel):
                while True:
                    lines.append(_line(_event(begun.events.receive_nowait())))
            yield b"".join(lines)


def _event(watched: Watched) -> dict[str, Any]:
    match watched.effect:
        case fx.Progress(_, phase, wave, received, expected):
            told: dict[str, Any] = {
                "event": "progress",
                "phase": phase,
                "wave": wave,
                "received": sorted(key.hex() for key in received),
                "expected": sorted(key.hex() for key in expected),
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
        case fx.Finish(_, role, ending, outcome, fault):
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
