"""The way to a model server: its path, TLS with authorities of its own, a proxy; and what is said where it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from node.inference import EngineConfig, EngineError, open_engine
from protocol.conversation import single
from protocol.types import TaskType
from tests.support.certificates import self_signed
from tests.support.engine_server import ANSWER, MODELS, SAMPLING, Server, as_json, http, legacy_logprobs, serving


def server_at(base: str, query: str = "") -> Server:
    """A server whose API lies at `base` and wants `query`."""
    return Server(
        {
            f"{base}/models{query}": as_json(MODELS),
            f"{base}/chat/completions{query}": as_json(ANSWER),
            f"{base}/completions{query}": as_json(legacy_logprobs(0.5, 0.4)),
        }
    )


@asynccontextmanager
async def serving_tls(server: Server, **certificate: object) -> AsyncIterator[str]:
    """The URL of `server` with TLS. `certificate`: arguments of `self_signed`."""
    context, _ = self_signed(**certificate)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, server.serve, 0, context, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield f"https://127.0.0.1:{listener.transport_listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def answer(**config: str) -> str:
    async with open_engine(EngineConfig(kind="openai", **config)) as engine:  # type: ignore[arg-type]
        return (await engine.answer(single("query"), TaskType.CODE, SAMPLING)).text


@pytest.mark.parametrize(
    ("base", "given"),
    [
        ("/v1", ""),
        ("/v1", "/v1"),
        ("/v1", "/v1/chat/completions"),
        ("/v1beta/openai", "/v1beta/openai/"),
        ("/api/paas/v4", "/api/paas/v4"),
        ("/api/paas/v4", "/api/paas/v4/chat/completions"),
        ("", "/chat/completions"),
        ("/deployments/m", "/deployments/m/completions?api-version=2024-10-21"),
    ],
)
async def test_the_api_is_found_where_the_url_says(base: str, given: str) -> None:
    _, mark, query = given.partition("?")
    server = server_at(base, mark + query)
    async with serving(server) as url:
        assert await answer(url=url.removesuffix("/v1/") + given) == "fn main() {}"


@pytest.mark.parametrize(
    ("certificate", "trusts", "words"),
    [
        ({}, False, "its TLS certificate does not hold: self-signed certificate; name its authority's file in engine."),
        ({"expired": True}, True, "its TLS certificate does not hold: certificate has expired"),
        ({"host": "127.0.0.2"}, True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_explained(
    tmp_path: Path, certificate: dict[str, object], trusts: bool, words: str
) -> None:
    """ "ConnectError" was all that was said."""
    async with serving_tls(server_at("/v1"), folder=tmp_path, **certificate) as url:
        with pytest.raises(EngineError, match="is not reachable") as failure:
            await answer(url=url, ca_file=str(tmp_path / "server.pem") if trusts else "")
    assert words in str(failure.value)


async def test_a_server_without_tls_is_told_apart() -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = Server({})
    server.serve = refuse  # type: ignore[method-assign]
    async with serving(server) as url:
        with pytest.raises(EngineError, match="does not speak TLS: does it want http://"):
            await answer(url=url.replace("http:", "https:"))


@pytest.mark.parametrize("how", ["engine.ca_file", "SSL_CERT_FILE"])
async def test_authorities_of_the_user_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    trusted = str(tmp_path / "server.pem")
    if how == "SSL_CERT_FILE":
        monkeypatch.setenv(how, trusted)
    async with serving_tls(server_at("/v1"), folder=tmp_path) as url:
        assert await answer(url=url, ca_file=trusted if how == "engine.ca_file" else "") == "fn main() {}"


async def test_a_proxy_is_used_only_where_the_configuration_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    direct, proxy = server_at("/v1"), server_at("http://h.invalid/v1")
    async with serving(direct) as url, serving(proxy) as through:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, through)
        assert await answer(url=url) == "fn main() {}"
        assert proxy.requests == []
        through = through.removesuffix("/v1/").replace("http://", "http://user:pass@")
        assert await answer(url="http://h.invalid", proxy=through) == "fn main() {}"
    assert proxy.asked("http://h.invalid/v1/chat/completions") > 0
    assert "proxy-authorization: basic " in proxy.requests[0][1]


async def test_a_password_is_in_no_error() -> None:
    """Neither in our words nor in a server's that repeats it."""
    grudge = http(b'{"error": {"message": "no user with pa%73s or pass"}}', "400 Bad Request")
    async with serving(Server({"/v1/chat/completions": grudge})) as url:
        with pytest.raises(EngineError) as failure:
            await answer(url=url.replace("http://", "http://user:pa%73s@"), model="strand")
    assert "pass" not in str(failure.value) and "pa%73s" not in str(failure.value)
    assert "[secret]" in str(failure.value)
    empty = as_json(
        {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}
    )
    async with serving(Server({"/v1/chat/completions": empty})) as url:
        with pytest.raises(EngineError) as failure:
            await answer(url=url.replace("http://", "http://user:hush@"), model="strand")
    assert "hush" not in str(failure.value)
