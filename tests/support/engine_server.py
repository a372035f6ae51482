"""Model servers on loopback for tests: one that replies as it is told, and one that behaves as a good server does."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from node.inference import Engine, EngineConfig, JudgePrompt, Sampling, open_engine

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
    """The shape of raw completions at vLLM and OpenAI."""
    return {"choices": [{"text": " A", "logprobs": {"top_logprobs": [{" A": math.log(a), " B": math.log(b)}]}}]}


def chat_logprobs(a: float, b: float) -> dict[str, Any]:
    """The shape of chat completions everywhere, and of raw completions at llama.cpp."""
    top = [{"token": "A", "logprob": math.log(a)}, {"token": "B", "logprob": math.log(b)}]
    return ANSWER | {"choices": [ANSWER["choices"][0] | {"logprobs": {"content": [{"top_logprobs": top}]}}]}  # type: ignore[index,operator]


NO_LOGPROBS = ANSWER | {"choices": [{"message": {"content": "B"}, "finish_reason": "length", "logprobs": None}]}


class Server:
    """Replies by path; keeps the requests that it got as (path, headers in lower case, body)."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.replies = {"/v1/models": as_json(MODELS)} | replies
        self.requests: list[tuple[str, str, Any]] = []
        self.in_flight = self.in_flight_most = 0
        self.dropped = trio.Event()
        """Set when a client has hung up while its reply was being made."""

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
                request = (head.split()[1].decode(), "\n".join(lines), json.loads(body) if body else None)
                self.requests.append(request)
                self.in_flight += 1
                self.in_flight_most = max(self.in_flight_most, self.in_flight)
                try:
                    await self.reply_to(*request)(stream)
                finally:
                    self.in_flight -= 1
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client hung up on a reply that it did not want

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:  # noqa: ARG002 - for those who look closer
        """What to reply to one request."""
        return self.replies.get(path, http(b"{}", "404 Not Found"))

    def asked(self, path: str) -> int:
        """Requests for `path` so far."""
        return sum(request[0] == path for request in self.requests)

    async def hang(self, stream: trio.SocketStream) -> None:
        """A reply that never comes; notes when the client gives up."""
        if not await stream.receive_some():
            self.dropped.set()


def refused_order(messages: Sequence[Mapping[str, str]]) -> str | None:
    """What the templates of Llama 2, Mistral and Gemma say of messages that are not in turns; None if they are."""
    roles = [message["role"] for message in messages]
    if roles[:1] == ["system"]:
        roles = roles[1:]
    if roles == [("user", "assistant")[place % 2] for place in range(len(roles))]:
        return None
    return "Conversation roles must alternate user/assistant/user/assistant/..."


class StandIn(Server):
    """A good server without a model: it checks the key, the model's name and whose turn it is, keeps to the limits,
    tells usage.

    A token is a word. It writes "word word ..." and thinks that of two answers the longer is the better. `raw`: it has
    raw completions; `top_logprobs`: the most alternatives it gives, 0 for none; `constraint`: the one that it knows.
    """

    KEY = "the key of the stand-in"
    CONTEXT_TOKENS = 4096

    def __init__(self, *, raw: bool = True, top_logprobs: int = 20, constraint: str = "structured_outputs") -> None:
        super().__init__({})
        self.models: list[dict[str, Any]] = [{"id": "stand-in", "max_model_len": self.CONTEXT_TOKENS}]
        self._raw, self._top_logprobs, self._constraint = raw, top_logprobs, constraint

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        """See Server."""
        if f"authorization: bearer {self.KEY}" not in headers:
            return as_json({"error": {"message": "no such key"}}, "401 Unauthorized")
        if path == "/v1/models":
            return as_json({"data": self.models})
        if path in self.replies:
            return self.replies[path]
        if path not in ("/v1/chat/completions", "/v1/completions" if self._raw else ""):
            return http(b"{}", "404 Not Found")
        if body["model"] not in [model["id"] for model in self.models]:
            return as_json({"error": {"message": "no such model"}}, "404 Not Found")
        if (refused := refused_order(body.get("messages", ()))) is not None:
            return as_json({"error": {"message": refused}}, "400 Bad Request")
        prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        used = len(prompt.split())
        if used + body["max_tokens"] > self.CONTEXT_TOKENS:
            return as_json({"error": {"message": "the prompt is too long"}}, "400 Bad Request")
        asked = body.get("top_logprobs", body.get("logprobs", 0))
        if asked and asked > self._top_logprobs > 0:
            return as_json({"error": {"message": "too many logprobs"}}, "400 Bad Request")
        return as_json(self.written(path, body, prompt))

    def written(self, path: str, body: Any, prompt: str) -> dict[str, Any]:
        """The completion of a request in which nothing is wrong."""
        used, asked = len(prompt.split()), body.get("top_logprobs", body.get("logprobs", 0))
        written = min(body["max_tokens"], 50)
        finish = "length" if written == body["max_tokens"] else "stop"
        usage = {"prompt_tokens": used, "completion_tokens": written}
        share = self._share_of_a(prompt)
        given = asked and self._top_logprobs
        if path == "/v1/completions":
            reply = legacy_logprobs(share, 1 - share) if given else {"choices": [{"text": " A", "logprobs": None}]}
            return reply | {"usage": usage}
        choice = chat_logprobs(share, 1 - share)["choices"][0] if given else {}
        text = self._constrained(body, share) or "word " * written
        return {"choices": [choice | {"message": {"content": text}, "finish_reason": finish}], "usage": usage}

    def _constrained(self, body: Any, share: float) -> str:
        wanted = body.get(self._constraint)
        if wanted is None:
            return ""
        if self._constraint == "structured_outputs":
            texts = wanted["choice"]
        elif self._constraint == "grammar":
            texts = wanted.split('"')[1::2]
        else:
            texts = wanted["json_schema"]["schema"]["properties"]["choice"]["enum"]
        chosen = texts[0 if share >= 0.5 else 1]
        return json.dumps({"choice": chosen}, indent=4) if self._constraint == "response_format" else str(chosen)

    @staticmethod
    def _share_of_a(prompt: str) -> float:
        _, _, shown = prompt.rpartition("=== Answer A")
        first, found, second = shown.partition("=== Answer B")
        return (len(first) + 1) / (len(first) + len(second) + 2) if found else 0.5


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    """The URL of `server`, for as long as the block runs."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1/"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def engine_at(replies: Mapping[str, Reply], **config: Any) -> AsyncIterator[tuple[Engine, Server]]:
    """An engine, and the server on which it relies."""
    server = Server(replies)
    async with serving(server) as url, open_engine(EngineConfig(kind="openai", url=url, **config)) as engine:
        yield engine, server
