"""The OpenAI client against a real HTTP server on loopback that behaves, and that misbehaves in every way we know."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from node.inference import Engine, EngineConfig, EngineError, JudgePrompt, Sampling, open_engine
from protocol.types import TaskType

SAMPLING = Sampling(temperature=0.8, top_p=0.95, seed=7, max_tokens=64)
PROMPT = JudgePrompt("The better answer is Answer", "first", "second")
MODELS = {"data": [{"id": "strand", "max_model_len": 2048}, {"id": "base"}]}
ANSWER = {
    "choices": [{"message": {"content": "fn main() {}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4},
}

Reply = Callable[[trio.SocketStream], Awaitable[None]]


def http(body: bytes, status: str = "200 OK", headers: str = "Content-Type: application/json\r\n") -> Reply:
    async def reply(stream: trio.SocketStream) -> None:
        await stream.send_all(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return reply


def as_json(value: object, status: str = "200 OK") -> Reply:
    return http(json.dumps(value).encode(), status)


def legacy_logprobs(a: float, b: float) -> dict[str, Any]:
    return {"choices": [{"text": " A", "logprobs": {"top_logprobs": [{" A": math.log(a), " B": math.log(b)}]}}]}


def chat_logprobs(a: float, b: float) -> dict[str, Any]:
    top = [{"token": "A", "logprob": math.log(a)}, {"token": "B", "logprob": math.log(b)}]
    return ANSWER | {"choices": [ANSWER["choices"][0] | {"logprobs": {"content": [{"top_logprobs": top}]}}]}  # type: ignore[index,operator]


NO_LOGPROBS = ANSWER | {"choices": [{"message": {"content": "B"}, "finish_reason": "length", "logprobs": None}]}


class Server:
    """Replies by path; keeps the requests that it got as (path, headers in lower case, body)."""

    def __init__(self, replies: dict[str, Reply]) -> None:
        self.replies = {"/v1/models": as_json(MODELS)} | replies
        self.requests: list[tuple[str, str, Any]] = []
        self.in_flight = self.in_flight_most = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        received = b""
        try:
            while True:
                while b"\r\n\r\n" not in received:
                    chunk = await stream.receive_some()
                    if not chunk:
                        return
                    received += chunk
                head, _, received = received.partition(b"\r\n\r\n")
                lines = head.decode().lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                while len(received) < length:
                    received += await stream.receive_some()
                body, received = received[:length], received[length:]
                path = head.split()[1].decode()
                self.requests.append((path, "\n".join(lines), json.loads(body) if body else None))
                self.in_flight += 1
                self.in_flight_most = max(self.in_flight_most, self.in_flight)
                try:
                    await self.replies.get(path, http(b"{}", "404 Not Found"))(stream)
                finally:
                    self.in_flight -= 1
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client hung up on a reply that it did not want


@asynccontextmanager
async def engine_at(replies: dict[str, Reply], **config: Any) -> AsyncIterator[tuple[Engine, Server]]:
    server = Server(replies)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1/"
        async with open_engine(EngineConfig(kind="openai", url=url, **config)) as engine:
            yield engine, server
        nursery.cancel_scope.cancel()


async def failure_of(reply: Reply, **config: Any) -> str:
    """The error line of an answer to which the server replies with `reply`."""
    replies = {"/v1/chat/completions": reply, "/v1/completions": as_json(legacy_logprobs(0.5, 0.4))}
    async with engine_at(replies, **config) as (engine, _):
        with pytest.raises(EngineError) as caught:
            await engine.answer("query", TaskType.CODE, SAMPLING)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_answer_with_its_settings_and_the_key() -> None:
    replies = {"/v1/chat/completions": as_json(ANSWER), "/v1/completions": as_json(legacy_logprobs(0.5, 0.4))}
    async with engine_at(replies, api_key="secret", max_tokens=32) as (engine, server):
        completion = await engine.answer("the query", TaskType.FINAL, SAMPLING)
    assert (completion.text, completion.finish, completion.answer_tokens) == ("fn main() {}", "stop", 4)
    path, head, body = server.requests[-1]
    assert path == "/v1/chat/completions"
    assert "authorization: bearer secret" in head
    assert (body["model"], body["seed"], body["max_tokens"], body["temperature"]) == ("strand", 7, 32, 0.8)
    assert "Answer: " in body["messages"][0]["content"]
    assert body["messages"][1] == {"role": "user", "content": "the query"}


async def test_a_server_with_raw_completions_judges_by_them() -> None:
    replies = {"/v1/chat/completions": as_json(ANSWER), "/v1/completions": as_json(legacy_logprobs(0.6, 0.2))}
    async with engine_at(replies) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        assert server.requests[-1][2]["prompt"] == PROMPT.text
        info = await engine.probe()
    assert (info.model, info.context_tokens, info.logprobs, info.raw_completions) == ("strand", 2048, True, True)
    assert info.tokens_per_second > 0


async def test_raw_completions_with_logprobs_in_the_chat_shape() -> None:
    async with engine_at({"/v1/completions": as_json(chat_logprobs(0.2, 0.6))}) as (engine, _):
        assert await engine.preference(PROMPT) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "refusal", [as_json({}, "404 Not Found"), as_json({}, "400 Bad Request"), as_json(NO_LOGPROBS)]
)
async def test_without_raw_completions_judging_goes_through_the_chat(refusal: Reply) -> None:
    replies = {"/v1/completions": refusal, "/v1/chat/completions": as_json(chat_logprobs(0.6, 0.2))}
    async with engine_at(replies) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        assert server.requests[-1][0] == "/v1/chat/completions"
        info = await engine.probe()
    assert (info.logprobs, info.raw_completions) == (True, False)


async def test_without_logprobs_the_letter_is_read_from_the_text() -> None:
    async with engine_at({"/v1/chat/completions": as_json(NO_LOGPROBS)}) as (engine, _):
        assert await engine.preference(PROMPT) == 0.0
        info = await engine.probe()
    assert (info.logprobs, info.raw_completions) == (False, False)


async def test_an_essay_instead_of_a_letter_is_an_abstention() -> None:
    async with engine_at({"/v1/chat/completions": as_json(ANSWER)}) as (engine, _):
        assert await engine.preference(PROMPT) is None


async def test_a_reply_that_loses_its_logprobs_later_is_an_abstention() -> None:
    async with engine_at({"/v1/completions": as_json(legacy_logprobs(0.6, 0.2))}) as (engine, server):
        assert await engine.preference(PROMPT) == pytest.approx(0.75)
        server.replies["/v1/completions"] = as_json({"choices": [{"text": " A", "logprobs": {"top_logprobs": "A"}}]})
        assert await engine.preference(PROMPT) is None


async def test_a_named_model_that_is_not_listed_is_refused_with_those_that_are() -> None:
    async with engine_at({}, model="other") as (engine, _):
        with pytest.raises(EngineError, match=r"has no model 'other'; it lists: 'strand', 'base'"):
            await engine.probe()


async def test_a_server_without_models_is_refused() -> None:
    async with engine_at({"/v1/models": as_json({"data": []})}) as (engine, _):
        with pytest.raises(EngineError, match="no model; it lists: none"):
            await engine.probe()


async def test_a_failure_that_passes_does_not_settle_how_to_judge() -> None:
    replies = {"/v1/completions": as_json({}, "503 Service Unavailable")}
    async with engine_at(replies) as (engine, server):
        with pytest.raises(EngineError, match="not ready"):
            await engine.preference(PROMPT)
        server.replies["/v1/completions"] = as_json(legacy_logprobs(0.6, 0.2))
        assert await engine.preference(PROMPT) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http(b"{"), "not JSON"),
        (http(b"[" * 100_000), "not JSON"),
        (http(b"<html>busy</html>", headers="Content-Type: text/html\r\n"), "not JSON"),
        (http(b"[1]"), "not an object"),
        (as_json({"choices": []}), "without choices"),
        (as_json({"error": {"message": "no such model"}}, "404 Not Found"), "no such model"),
        (as_json({"error": "bad key"}, "401 Unauthorized"), "refused the API key (/v1/chat/completions): bad key"),
        (http(b"oops", "500 Internal Server Error"), "HTTP status 500"),
        (as_json({"error": {"message": "a\x1b[31m\nb" + "c" * 999}}, "500 Internal Server Error"), "a [31m bccc"),
        (http(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"), "HTTP status 302"),
    ],
)
async def test_a_wrong_reply_is_one_clear_line(reply: Reply, words: str) -> None:
    line = await failure_of(reply)
    assert words in line
    assert "http://127.0.0.1" in line
    assert len(line) < 400


async def test_a_body_of_50_mb_is_cut_off() -> None:
    sent = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(50):
            await stream.send_all(b" " * 1_000_000)
            sent += 1_000_000

    assert "sent more than 1048576 bytes or" in await failure_of(flood)
    assert sent < 50_000_000


async def test_an_endless_stream_is_cut_off() -> None:
    async def drip(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await stream.send_all(b"1\r\n \r\n" * 1000)

    assert "sent more than" in await failure_of(drip)


async def test_a_compressed_reply_is_not_unfolded() -> None:
    assert "not JSON" in await failure_of(http(b"\x1f\x8b" + b"\0" * 100, headers="Content-Encoding: gzip\r\n"))


async def test_a_server_that_hangs_meets_the_deadline() -> None:
    async def hang(_stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    assert "within 200 ms" in await failure_of(hang, request_timeout_ms=200)


async def test_a_server_that_trickles_meets_the_deadline_too() -> None:
    async def trickle(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.02)

    assert "within 200 ms" in await failure_of(trickle, request_timeout_ms=200)


async def test_a_server_that_hangs_up_is_not_reachable() -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await stream.aclose()

    assert "is not reachable" in await failure_of(hang_up)


async def test_a_server_that_does_not_speak_http_is_not_reachable() -> None:
    async def noise(stream: trio.SocketStream) -> None:
        await stream.send_all(b"\x00\x01\x02 hello\r\n\r\n")
        await stream.aclose()

    assert "is not reachable" in await failure_of(noise)


async def test_no_server_is_one_clear_line() -> None:
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with open_engine(EngineConfig(kind="openai", url=url)) as engine:
            with pytest.raises(EngineError, match=f"{url} is not reachable"):
                await engine.probe()


@pytest.mark.parametrize(
    "config", [{"url": "localhost:8000"}, {"url": "http://"}, {"api_key": "a\r\nb"}, {"api_key": "é"}]
)
async def test_settings_that_cannot_work_are_refused_at_once(config: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        async with open_engine(EngineConfig(kind="openai", **config)):  # type: ignore[arg-type]
            pass


async def test_no_more_requests_than_configured_are_in_flight() -> None:
    gate = trio.Event()

    async def wait(stream: trio.SocketStream) -> None:
        if server.in_flight == 2:
            gate.set()
        await gate.wait()
        await as_json(ANSWER)(stream)

    replies = {"/v1/completions": as_json(legacy_logprobs(0.5, 0.4)), "/v1/chat/completions": wait}
    async with engine_at(replies, concurrency=2) as (engine, server), trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(engine.answer, "query", TaskType.CODE, SAMPLING)
    assert server.in_flight_most == 2
