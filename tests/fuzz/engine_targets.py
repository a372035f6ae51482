"""What a model server replies: JSON values, and the bytes of HTTP in which they come."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpcore2
import httpx2
from hypothesis import strategies as st

from node.inference import llama_cpp
from node.inference.address import parse_address
from node.inference.http_json import REPLY_BYTES_MAX, JsonClient
from node.inference.ports import EngineError
from node.inference.replies import (
    ALTERNATIVES_MAX,
    MODEL_NAME_CHARS_MAX,
    MODELS_MAX,
    count_logprobs,
    parse_cache,
    parse_choice,
    parse_completion,
    parse_logprob_preference,
    parse_models,
    parse_text,
    parse_text_preference,
)
from node.inference.text_cleanup import clean
from tests.fuzz.target import MemoryStream, One, Target, joined, pieces

# -- values ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_parsers() -> AsyncIterator[One]:
    """Parse a reply in every way. Only `parse_completion` raises, and only ValueError."""

    async def one(data: bytes) -> None:
        try:
            reply = json.loads(data)
        except (ValueError, RecursionError):
            reply = {"choices": [{"message": {"content": data.decode(errors="replace")}}]}
        if isinstance(reply, dict):
            _parse(reply)

    yield one


def _parse(reply: Mapping[str, Any]) -> None:
    try:
        completion = parse_completion(reply, tokens_max=64, prompt_bytes=1 << 20)
        completion.text.encode()
        assert 0 <= completion.answer_tokens < 1 << 32
    except ValueError as error:
        assert len(str(error)) < 200
    models = parse_models(reply)
    assert len(models) <= MODELS_MAX
    for model in models:
        assert 0 < len(model.name.encode()) <= 4 * MODEL_NAME_CHARS_MAX
    preference = parse_logprob_preference(reply)
    assert preference is None or (math.isfinite(preference) and 0 <= preference <= 1)
    assert count_logprobs(reply) <= ALTERNATIVES_MAX
    text = parse_text(reply)
    assert parse_choice(text, ("A", "B")) in (None, "A", "B")
    assert parse_text_preference(text) in (None, 0.0, 1.0)
    clean(text)
    cache = parse_cache(reply)
    assert cache is None or 0 <= cache.hits <= cache.tokens
    context = llama_cpp.context_tokens(reply)
    assert context is None or isinstance(context, int | float | str | list | dict | bool)


def reply(**changes: Any) -> dict[str, Any]:
    """A completion as servers send it, with the alternatives of its first token in both shapes."""
    alternatives = [{"token": " A", "logprob": -0.1, "bytes": [65]}, {"token": "B", "logprob": -2.3}]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "fn main() {}"},
        "finish_reason": "stop",
        "logprobs": {
            "content": [{"token": " A", "top_logprobs": alternatives}],
            "top_logprobs": [{" A": -0.1, "B": -2}],
        },
    }
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    return {"choices": [choice], "usage": usage, **changes}


MODELS = {"data": [{"id": "m", "max_model_len": 4096, "parent": "base", "meta": {"n_ctx": 2048}}]}
REPLIES = [
    reply(),
    reply(usage=None),
    reply(choices=[]),
    reply(choices=[{"message": {"content": '<think>a</think>{"choice": "A"}'}, "finish_reason": "length"}]),
    reply(choices=[{"text": "B", "logprobs": {"top_logprobs": [{"A": -1, "B": -1.5}]}}]),
    MODELS,
    {"error": {"message": "no such model"}},
]

NAMES = [
    "choices",
    "message",
    "content",
    "usage",
    "logprobs",
    "top_logprobs",
    "token",
    "logprob",
    "data",
    "id",
    "text",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "cached_tokens",
]

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(),
        st.sampled_from(["A", "B", " A", "stop", "length", "\ud800", "x" * 600, '{"choice": "A"}']),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)

JSON_TOKENS = [b"null", b"NaN", b"Infinity", b"-1e999", b'"\\ud800"', b"[" * 200, b'{"a":' * 200, b"1" * 5000, b"true"]

REPLIES_TARGET = Target(
    name="replies",
    open=open_parsers,
    seeds=lambda: [json.dumps(each).encode() for each in REPLIES],
    tokens=[*JSON_TOKENS, *(f'"{name}":'.encode() for name in ("choices", "usage", "logprobs", "content", "token"))],
    structured=st.dictionaries(st.sampled_from(["choices", "usage", "data"]), values).map(
        lambda value: json.dumps(value).encode()
    ),
)


# -- bytes of HTTP -----------------------------------------------------------------------------------------------------


class _Wire(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer)

    async def aclose(self) -> None:
        await self._stream.close()


class _Wires(httpcore2.AsyncNetworkBackend):
    """Each connection finds a server that sends `data`, whatever it is asked."""

    def __init__(self) -> None:
        self.data = b""
        self.opened: list[MemoryStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.opened.append(MemoryStream(*pieces(self.data)))
        return _Wire(self.opened[-1])

    async def sleep(self, seconds: float) -> None:
        """Retries are switched off."""


@asynccontextmanager
async def open_exchange() -> AsyncIterator[One]:
    """Exchange JSON with a server of which only the bytes are known. Only EngineError is raised."""
    wires = _Wires()
    transport = httpx2.AsyncHTTPTransport()
    transport._pool = httpcore2.AsyncConnectionPool(network_backend=wires, max_keepalive_connections=0)
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        exchange = JsonClient(client, parse_address("http://127.0.0.1:9"), timeout_ms=1_000, concurrency=1)

        async def one(data: bytes) -> None:
            wires.data = data
            wires.opened.clear()
            try:
                got = await exchange.post("/v1/chat/completions", {"model": "m"})
            except EngineError as error:
                assert str(error).isprintable() and len(str(error)) < 1_000
                got = {}
            for wire in wires.opened:
                wire.check()
            assert isinstance(got, dict) and len(data) <= REPLY_BYTES_MAX

        yield one


def http(body: bytes, *lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """A response whose length is told."""
    return b"\r\n".join((status, *lines, b"Content-Length: " + str(len(body)).encode(), b"", body))


LINES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 503 Busy\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/2 200\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 999 x\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 2, 3\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"\r\n",
    b"2\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"{}",
    b"0\r\nTrailer: x\r\n\r\n",
    b"X: " + b"y" * 300 + b"\r\n",
    b"\x00: \x00\r\n",
    b" folded\r\n",
]

HTTP_JSON = Target(
    name="http_json",
    open=open_exchange,
    seeds=lambda: [
        b"\x00" + http(json.dumps(reply()).encode()),
        b"\x03" + http(b'{"error": {"message": "busy"}}', status=b"HTTP/1.1 503 Busy"),
        b"\x00HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"\x01HTTP/1.0 200 OK\r\n\r\n{}",
        b"\x00HTTP/1.1 100 Continue\r\n\r\n" + http(b"{}"),
    ],
    tokens=LINES,
    structured=joined(st.one_of(st.sampled_from(LINES), st.binary(max_size=10)), 12).map(lambda lines: b"\x00" + lines),
)
