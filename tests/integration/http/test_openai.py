"""OpenAI's API on a real node without peers: errors of its edge in OpenAI's form; a node as another one's engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from node.api.operations import BODY_BYTES_MAX
from node.http.replies import Refusal
from node.inference import EngineConfig, EngineError, open_engine
from tests.support.http_server import Served, open_api, statuses

TOKEN = "a token of this test"
HELLO: Any = [{"role": "user", "content": "Sum a slice."}]


@asynccontextmanager
async def client_of(served: Served, key: str = TOKEN) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=key, base_url=f"{served.url}/v1") as client:
        yield client


def told(reply: bytes) -> dict[str, Any]:
    """The error of the one reply."""
    error = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]
    assert isinstance(error, dict), error
    return error


def post(path: bytes, headers: bytes, body: bytes = b"") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n" + body


CHAT = b"/v1/chat/completions"
TOO_LONG = b"Content-Length: %d\r\n" % (BODY_BYTES_MAX + 1)


@pytest.mark.parametrize(
    ("request_", "status", "kind", "code"),
    [
        (post(CHAT, b"Content-Length: 0\r\n"), 400, "invalid_request_error", "invalid_request"),
        (post(CHAT, b"Origin: null\r\n"), 403, "permission_error", None),
        (
            post(CHAT, b"Content-Length: %d\r\n" % (BODY_BYTES_MAX + 1)),
            413,
            "invalid_request_error",
            "request_too_large",
        ),
        (
            post(CHAT, b"Transfer-Encoding: chunked\r\n", b"20001\r\n" + b"x" * 0x20001 + b"\r\n0\r\n\r\n"),
            413,
            "invalid_request_error",
            "request_too_large",
        ),
        (b"GET /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404, "invalid_request_error", "not_found"),
        (b"GET /%76%31/files HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404, "invalid_request_error", "not_found"),
        (b"GET " + CHAT + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405, "invalid_request_error", None),
    ],
)
async def test_every_refusal_below_v1_has_openais_form(
    tmp_path: Path, request_: bytes, status: int, kind: str, code: str | None
) -> None:
    async with open_api(tmp_path) as api:
        reply = await api.exchange(request_)
    assert statuses(reply) == [status]
    error = told(reply)
    assert (error["type"], error["code"], error["param"]) == (kind, code, None)
    assert b"x-should-retry: false" in reply


async def test_elsewhere_errors_are_one_line_as_before(tmp_path: Path) -> None:
    async with open_api(tmp_path) as api:
        for path in (b"/v1", b"/v11/", b"/api/v1/"):
            reply = await api.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert json.loads(reply.partition(b"\r\n\r\n")[2]) == {"error": "Not Found"}
            assert b"x-should-retry" not in reply


def test_a_refusal_keeps_its_headers_in_the_other_form() -> None:
    refused = Refusal(503, "later")
    refused.headers["Retry-After"] = "7"
    shaped = refused.on("/v1/models")
    assert shaped.headers["retry-after"] == "7" and "x-should-retry" not in shaped.headers
    assert int(shaped.headers["content-length"]) == len(shaped.body) != len(refused.body)


async def test_the_official_client_understands_what_the_node_refuses(tmp_path: Path) -> None:
    async with open_api(tmp_path, token=TOKEN) as api:
        async with client_of(api, "another key") as client:
            with pytest.raises(openai.AuthenticationError) as wrong:
                await client.models.list()
            assert wrong.value.code == "invalid_api_key"
        async with client_of(api) as client:
            long: Any = [{"role": "user", "content": "x" * 70_000}]
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model="strand-rust", messages=long)
            assert caught.value.code == "context_length_exceeded"
            # In parts, because scanners read this file, too.
            text = "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + "Qx7" * 30
            secret: Any = [{"role": "user", "content": text}]
            with pytest.raises(openai.UnprocessableEntityError) as refused:
                await client.chat.completions.create(model="strand-rust", messages=secret)
            assert refused.value.code == "secret_found"


async def test_a_node_alone_answers_and_says_how_little_that_is_worth(tmp_path: Path) -> None:
    async with open_api(tmp_path, token=TOKEN) as api, client_of(api) as client:
        whole = await client.chat.completions.create(model="strand-rust", messages=HELLO)
    report = (whole.model_extra or {})["strand"]
    assert whole.choices[0].message.content
    assert (report["outcome"], report["reason"], report["audience"]) == ("degraded", "too_few_answers", "trusted")


async def test_a_node_is_no_engine_of_another(tmp_path: Path) -> None:
    """Its engine says what is wrong, and the other node has asked nobody."""
    async with open_api(tmp_path) as api:
        assert api.node is not None
        ended = api.node.rounds.ended.count
        for model in ("", "strand-rust"):
            async with open_engine(EngineConfig(kind="openai", url=api.url, model=model)) as engine:
                with pytest.raises(EngineError) as caught:
                    await engine.probe()
            assert str(caught.value) == (
                f"engine at {api.url} is a Strand node, which is no engine: give engine.url a model server's "
                "(/v1/models): this is a Strand node: a node may not be another node's engine through the swarm"
            )
        assert api.node.rounds.ended.count == ended
