"""Checks that a reply of the HTTP interface is one that `node.api.operations` declares."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.api.events import PLAIN_KEYS, RoundEvent, encode_plain
from node.api.operations import ANY, BYTES, EVENT_STREAM, JSON, JSON_LINES, OPERATIONS, REFUSALS, Operation
from tests.support.sse import parse


def operation_of(method: str, path: str) -> Operation[Any] | None:
    """The operation that serves this method and path; GET's serve HEAD too."""
    method = {"HEAD": "GET"}.get(method, method)
    return next(
        (
            each
            for each in OPERATIONS
            if each.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", each.path), path)
        ),
        None,
    )


def check_reply(method: str, path: str, status: int, media: str, body: bytes) -> None:
    """Assert that the operation declares this status, and that the body is what it declares, no field more or less."""
    operation = operation_of(method, path)
    if operation is None:
        assert status in {404, 405, *REFUSALS}, f"{method} {path}: {status}"
        return
    types = operation.types(status)
    assert types, f"{operation.id} does not declare {status}"
    if status == 200 and operation.events and media == EVENT_STREAM:
        for each in parse(body).events:
            told = any(_is_exactly(each.data.encode(), kind) for kind in operation.events)
            assert told or each.data == operation.last_event, f"{operation.id}: {each} is none of {operation.events}"
        return
    expected = operation.media if status == 200 else JSON
    assert expected in (ANY, media.partition(";")[0]), f"{operation.id}: {media}"
    if method == "HEAD" or expected == BYTES or bytes in types:
        return
    if str in types and status == 200:
        body.decode()
        return
    lines = body.splitlines() if expected == JSON_LINES else [body]
    if status == 200 and expected == EVENT_STREAM:
        lines = [each.data.encode() for each in parse(body).events]
    for line in lines:
        assert any(_is_exactly(line, kind) for kind in types), f"{operation.id}: {line[:200]!r} is none of {types}"


def _is_exactly(body: bytes, kind: Any) -> bool:
    """Whether the type says all that the body does, and takes nothing for granted."""
    try:
        decoded = msgspec.json.decode(body, type=kind)
        encoded = [msgspec.json.encode(decoded)]
        if kind is RoundEvent and type(decoded) in PLAIN_KEYS:
            encoded.append(encode_plain(decoded))
        return json.loads(body) in map(json.loads, encoded)
    except msgspec.ValidationError:
        return False


def declared(app: ASGIApp) -> ASGIApp:
    """The application, each of whose finished replies is checked."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    headers = dict(start["headers"])
                    media = headers.get(b"content-type", b"").decode()
                    check_reply(scope["method"], scope["path"], start["status"], media, bytes(body))
            await send(message)

        await app(scope, receive, note)

    return checked
