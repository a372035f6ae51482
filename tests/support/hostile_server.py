"""Every way we know in which a model server can be wrong, each as one reply and the words by which a user is told."""

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from tests.support.engine_server import ANSWER, Reply, as_json, http, legacy_logprobs

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Mode:
    """One way to be wrong."""

    name: str
    reply: Reply
    words: tuple[str, ...]
    """The error line has one of them, whatever was asked."""
    waits: bool = False
    """Only the deadline ends it."""

    def __str__(self) -> str:
        return self.name


class Counter:
    """Bytes that a mode got rid of."""

    def __init__(self) -> None:
        self.bytes = 0


def endless(head: bytes, piece: bytes, sent: Counter | None = None, bytes_max: float = math.inf) -> Reply:
    """`head`, then `piece` again and again, as fast as it is read."""

    async def reply(stream: trio.SocketStream) -> None:
        await stream.send_all(head)
        total = 0
        while total < bytes_max:
            await stream.send_all(piece)
            total += len(piece)
            if sent is not None:
                sent.bytes += len(piece)

    return reply


def dripping(head: bytes, piece: bytes) -> Reply:
    """`head`, then `piece` some times a second, so that no time-out between two reads ever ends it."""

    async def reply(stream: trio.SocketStream) -> None:
        await stream.send_all(head)
        while True:
            await stream.send_all(piece)
            await trio.sleep(0.02)

    return reply


def closing(data: bytes) -> Reply:
    """`data`, then the end of the connection."""

    async def reply(stream: trio.SocketStream) -> None:
        await stream.send_all(data)
        await stream.aclose()

    return reply


async def _hang(stream: trio.SocketStream) -> None:
    await stream.receive_some()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = json.dumps(ANSWER).encode()
LIMIT = ("sent more than",)
LATE = ("within",)
BROKEN = ("broke off", "does not keep to HTTP")
HTTP_FAULT = ("does not keep to HTTP",)
NOT_JSON = ("not JSON",)

PROTOCOL_MODES = (
    Mode("nothing", closing(b""), BROKEN),
    Mode("noise", closing(b"\x00\x01\x02 hello\r\n\r\n"), HTTP_FAULT),
    Mode("wrong-json", http(b'{"choices": [{"mess'), NOT_JSON),
    Mode("empty-body", http(b""), NOT_JSON),
    Mode("not-utf8", http(b'{"choices": "\xff\xfe"}'), NOT_JSON),
    Mode("deep-json", http(b"[" * 100_000), NOT_JSON),
    Mode("long-number", http(b'{"choices": ' + b"9" * 100_000 + b"}"), NOT_JSON),
    Mode("a-list", http(b"[1]"), ("not an object",)),
    Mode("html", http(b"<html>Welcome</html>", headers="Content-Type: text/html\r\n"), NOT_JSON),
    Mode("gzip", http(b"\x1f\x8b" + bytes(100), headers="Content-Encoding: gzip\r\n"), NOT_JSON),
    Mode("500", http(b"oops", "500 Internal Server Error"), ("HTTP status 500",)),
    Mode("503", http(b"", "503 Service Unavailable"), ("not ready",)),
    Mode("429", as_json({"error": "slow down"}, "429 Too Many Requests"), ("too much to do",)),
    Mode("401", as_json({"error": {"message": ["no"]}}, "401 Unauthorized"), ("refused the API key",)),
    Mode("redirect", http(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"), ("HTTP status 302",)),
    Mode("redirect-to-itself", http(b"", "307 Temporary Redirect", "Location: /\r\n"), ("HTTP status 307",)),
    Mode("upgrade", closing(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxyz"), HTTP_FAULT),
    Mode("no-content", closing(b"HTTP/1.1 204 No Content\r\n\r\n"), ("HTTP status 204",)),
    Mode("half", closing(OK + b"Content-Length: 1000\r\n\r\n" + GOOD), BROKEN),
    Mode("half-chunk", closing(CHUNKED + b"400\r\n" + GOOD), BROKEN),
    Mode("length-too-short", closing(OK + b"Content-Length: 9\r\n\r\n" + GOOD), NOT_JSON),
    Mode("length-negative", closing(OK + b"Content-Length: -9\r\n\r\n" + GOOD), HTTP_FAULT),
    Mode("length-twice", closing(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n" + GOOD), HTTP_FAULT),
    Mode("chunk-of-no-size", closing(CHUNKED + b"zz\r\n" + GOOD), HTTP_FAULT),
    Mode("half-headers", closing(OK), BROKEN),
    Mode("endless-header", endless(OK + b"X: ", b"x" * 65536), HTTP_FAULT),
    Mode("endless-headers", endless(OK, b"X-Header: some value\r\n" * 1000), HTTP_FAULT),
    Mode("endless-trailers", endless(CHUNKED + b"0\r\n", b"X-Trailer: some value\r\n" * 1000), HTTP_FAULT),
    Mode("endless-chunks", endless(CHUNKED, b"1\r\n \r\n" * 1000), LIMIT),
    Mode("endless-body", endless(OK + b"\r\n", b" " * 65536), LIMIT),
    Mode("endless-events", endless(CHUNKED, b'f\r\ndata: {"a": 1}\n\r\n' * 1000), LIMIT),
    Mode("endless-error", endless(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536), LIMIT),
    Mode("endless-prelude", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), LATE, waits=True),
    Mode("hang", _hang, LATE, waits=True),
    Mode("hang-in-headers", dripping(OK, b""), LATE, waits=True),
    Mode("length-too-long", dripping(OK + b"Content-Length: 1000000\r\n\r\n" + GOOD, b""), LATE, waits=True),
    Mode("slow-drip", dripping(OK + b"Content-Length: 1000000\r\n\r\n", b" "), LATE, waits=True),
    Mode("slow-chunks", dripping(CHUNKED, b"1\r\n \r\n"), LATE, waits=True),
    Mode("slow-headers", dripping(OK, b"X: y\r\n"), LATE, waits=True),
    Mode("slow-prelude", dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), LATE, waits=True),
)
"""Whatever is asked, there is no JSON object to be had."""


def _choice(**parts: Any) -> dict[str, Any]:
    message = {"message": {"content": "I cannot say."}, "text": "I cannot say.", "finish_reason": "stop"}
    return ANSWER | {"choices": [message | parts]}


def _legacy(alternatives: object) -> dict[str, Any]:
    return _choice(logprobs={"tokens": [" A"], "top_logprobs": alternatives})


def _chat(top: object) -> dict[str, Any]:
    return _choice(logprobs={"content": [{"token": "A", "top_logprobs": top}]})


def _both(a: object, b: object) -> dict[str, dict[str, Any]]:
    entries = [{"token": "A", "logprob": a}, {"token": "B", "logprob": b}]
    return {"legacy": _legacy([{" A": a, " B": b}]), "chat": _chat(entries)}


_VALUES: dict[str, tuple[object, object]] = {
    "nan": (math.nan, math.nan),
    "infinite": (math.inf, -math.inf),
    "positive": (3.0, 2.0),
    "strings": ("-0.1", "-2.0"),
    "bools": (True, False),
    "nulls": (None, None),
    "lists": ([-0.1], [-2.0]),
    "huge": (10**300, -(10**300)),
    "sure-twice": (0.0, 0.0),
    "no-mass": (-8.0, -9.0),
    "past-the-float": (-(10**400), 10**400),
}

LOGPROB_REPLIES: dict[str, object] = {
    f"{shape}-{name}": reply for name, pair in _VALUES.items() for shape, reply in _both(*pair).items()
} | {
    "missing": _choice(),
    "null": _choice(logprobs=None),
    "a-list": _choice(logprobs=[-0.1]),
    "a-string": _choice(logprobs="A"),
    "empty-object": _choice(logprobs={}),
    "content-empty": _choice(logprobs={"content": []}),
    "content-a-string": _choice(logprobs={"content": "A"}),
    "content-of-nulls": _choice(logprobs={"content": [None]}),
    "top-a-map": _chat({"A": -0.1, "B": -2.0}),
    "top-a-string": _chat("A"),
    "top-of-lists": _chat([["A", -0.1], ["B", -2.0]]),
    "top-of-numbers-as-tokens": _chat([{"token": 1, "logprob": -0.1}]),
    "top-many": _chat([{"token": f"t{n}", "logprob": -0.1} for n in range(10_000)] + [{"token": "A", "logprob": 0}]),
    "legacy-a-map": _legacy({" A": -0.1, " B": -2.0}),
    "legacy-empty": _legacy([]),
    "legacy-of-nulls": _legacy([None]),
    "legacy-of-lists": _legacy([[" A", -0.1]]),
    "legacy-other-letters": _legacy([{"a": -0.1, "b": -2.5, "AB": -3.0}]),
    "the-same-letter-twenty-times": _chat([{"token": "A", "logprob": -0.1}] * 20),
    "choices-empty": {"choices": []},
    "choices-a-map": {"choices": {"0": legacy_logprobs(0.6, 0.2)["choices"][0]}},
    "choices-of-nulls": {"choices": [None]},
    "nothing": {},
}
"""JSON objects from which no preference can be read: only an abstention, or an error line, is right."""

NAMES: dict[str, object] = {
    "surrogate": "x\ud800",
    "long": "x" * 500_000,
    "control": "x\x1b[2J\n",
    "empty": "",
    "number": 7,
    "null": None,
}
"""Names of models that could not be sent on, logged or shown."""
