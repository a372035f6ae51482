"""Bounded JSON over HTTP, used by every request to a model server.

The server is a foreign program and may be wrong in any way. Each exchange has one deadline, a limit on the reply's
bytes and a limit on concurrent requests, and ends in a JSON object or in one EngineError.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import trio

from node.api.common import HOPS_HEADER
from node.inference.address import ServerAddress, innermost_cause, parse_address, parse_proxy, trusted_authorities
from node.inference.config import HIDDEN, EngineConfig
from node.inference.ports import EngineError
from node.text import one_line

REPLY_BYTES_MAX = 1024 * 1024
"""Bytes of a reply. The longest answer (thousands of tokens) in JSON is far below; more is a broken or hostile server.
"""

REPLY_CHUNKS_MAX = 8192
"""Chunks of a reply. One that is not streamed has a few large chunks; a million of one byte take ten seconds to parse.
"""

CONNECT_TIMEOUT_S = 5.0
"""Seconds to connect: a running model server accepts at once; only a dead address takes longer."""

CAUSE_CHARS_MAX = 200
"""Characters of a server's own words in an error line."""

REFUSAL_BYTES_MAX = 4096
"""Bytes of a refusal that are searched for its subject: Pydantic repeats the whole request behind the parameter."""

_START = "start it, or correct engine.url"

_BROKEN_OFF = re.compile("disconnected|closed connection|peer unexpectedly closed")

_CAUSES = {
    401: "refused the API key of engine.api_key",
    403: "refused the API key of engine.api_key",
    404: "does not know the model or the path",
    429: "has too much to do",
    503: "is not ready or has too much to do",
    508: "is a Strand node, which is no engine: give engine.url a model server's",
}


class Unreachable(EngineError):
    """There was no connection, or it broke: known abilities of the server may be outdated."""


class HttpRefused(EngineError):
    """The server replied with an HTTP status other than 200."""

    def __init__(self, message: str, status: int, words: str = "", retry_after_s: float | None = None) -> None:
        """Create the error.

        `words`: the reply's first bytes as received; `retry_after_s`: the wait that the server requests.
        """
        super().__init__(message)
        self.status = status
        self.words = words
        self.retry_after_s = retry_after_s


class JsonClient:
    """Sends POST and GET requests with JSON objects to one server."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        address: ServerAddress,
        *,
        timeout_ms: int,
        concurrency: int,
        secrets: Iterable[str] = (),
    ) -> None:
        """Create a client. `secrets`: texts to hide in errors, which a server may repeat: the API key, a password."""
        self._client = client
        self._address = address
        self._secrets = [secret.encode() for secret in secrets]
        self._timeout_ms = timeout_ms
        self._limiter = trio.CapacityLimiter(concurrency)

    async def get(self, path: str) -> Mapping[str, Any]:
        """Return the JSON object at `path`; raises EngineError."""
        return self._object(path, await self._exchange("GET", path, None))

    async def text(self, path: str) -> str:
        """Return the text at `path`; raises EngineError."""
        return (await self._exchange("GET", path, None)).decode(errors="replace")

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the JSON object that answers `body`; raises EngineError."""
        return self._object(path, await self._exchange("POST", path, body))

    async def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        where = f"engine at {self._address.shown}"
        async with self._limiter:
            try:
                with trio.fail_after(self._timeout_ms / 1000):
                    status, content, retry_after_s = await self._fetch(method, path, body)
            except trio.TooSlowError:
                raise EngineError(f"{where} did not reply to {path} within {self._timeout_ms} ms") from None
            except httpx2.RemoteProtocolError as error:
                words = one_line(str(error), CAUSE_CHARS_MAX)
                # h11 and httpcore2 use these words when the connection ends too early; all else is not HTTP.
                kind = "broke off its reply" if _BROKEN_OFF.search(words) else "does not keep to HTTP"
                raise Unreachable(f"{where} {kind} to {path}: {words}") from None
            except httpx2.ConnectTimeout:
                cause = f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
                raise Unreachable(f"{where} is not reachable: {cause}; {_START}") from None
            except httpx2.TransportError as error:
                cause = one_line(innermost_cause(error), CAUSE_CHARS_MAX)
                raise Unreachable(f"{where} is not reachable: {cause}; {_START}") from None
        if status != 200:
            cause = _CAUSES.get(status, f"replied with HTTP status {status}")
            content = self._hidden(content)
            words = _error_words(content)
            raise HttpRefused(
                f"{where} {cause} ({path})" + (f": {words}" if words else ""),
                status,
                _first(content),
                retry_after_s,
            )
        return content

    def _hidden(self, content: bytes) -> bytes:
        """Remove our credentials from a reply: servers repeat them in their errors."""
        for secret in self._secrets:
            content = content.replace(secret, HIDDEN.encode())
        return content

    def _object(self, path: str, content: bytes) -> Mapping[str, Any]:
        where = f"engine at {self._address.shown}"
        try:
            reply = json.loads(content)
        except (ValueError, RecursionError):
            raise EngineError(f"{where} replied to {path} with something that is not JSON") from None
        if not isinstance(reply, dict):
            raise EngineError(f"{where} replied to {path} with JSON that is not an object")
        if reply.get("error") and not reply.keys() & {"choices", "data"}:
            # LM Studio reports errors with status 200, those about unknown paths among them.
            said = self._hidden(content)
            words = _error_words(said) or "without a reason"
            raise HttpRefused(f"{where} replied with an error ({path}): {words}", 400, _first(said))
        return reply

    async def _fetch(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes, float | None]:
        async with self._client.stream(method, self._address.of(path), json=body) as response:
            content, chunks = bytearray(), 0
            # Raising in the loop would leave httpx2's own generators to the garbage collector: they end when cancelled.
            with trio.CancelScope() as scope:
                # Raw bytes: a compressed reply, which we did not ask for, cannot unfold in memory.
                async for chunk in response.aiter_raw():
                    content += chunk
                    chunks += 1
                    if len(content) > REPLY_BYTES_MAX or chunks > REPLY_CHUNKS_MAX:
                        scope.cancel()
            if len(content) > REPLY_BYTES_MAX or chunks > REPLY_CHUNKS_MAX:
                limit = f"{REPLY_BYTES_MAX} bytes or {REPLY_CHUNKS_MAX} chunks"
                raise EngineError(f"engine at {self._address.shown} sent more than {limit} for {path}")
            return response.status_code, bytes(content), _seconds(response.headers.get("retry-after", ""))


@asynccontextmanager
async def open_json_client(config: EngineConfig, *, timeout_ms: int, concurrency: int) -> AsyncIterator[JsonClient]:
    """Open a client of the server at `config.url`, with its key, authorities and proxy. Connects on first use.

    Raises EngineError if one of them cannot be used.
    """
    api_key = config.api_key
    if not (api_key.isascii() and api_key.isprintable()):
        raise EngineError("the engine's API key holds characters that no HTTP header can carry")
    address, proxy = parse_address(config.url), parse_proxy(config.proxy)
    headers = {"Accept-Encoding": "identity", HOPS_HEADER: "1"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    client = httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        # The key must reach the configured server and nobody else: no proxy of the environment, .netrc or redirect
        # decides where it goes.
        trust_env=False,
        proxy=proxy,
        follow_redirects=False,
        # One exchange per connection. Surplus bytes after a reply would be read as the reply to the next request, a
        # preference about other answers; and a server that closes an idle connection just as we write would cost a
        # judgement. A connection costs 0.5 ms on loopback; a judgement takes a hundred or more.
        limits=httpx2.Limits(max_keepalive_connections=0),
        # A certificate store takes 0.1 s to load, and plain HTTP needs none.
        verify=trusted_authorities(config.ca_file) if address.api.startswith("https:") else False,
    )
    async with client:
        yield JsonClient(client, address, timeout_ms=timeout_ms, concurrency=concurrency, secrets=config.secrets)


def _first(content: bytes) -> str:
    return content[:REFUSAL_BYTES_MAX].decode(errors="replace")


def _seconds(retry_after: str) -> float | None:
    """Return the seconds that a server asks to wait; None if it gives none, or gives a date."""
    return float(retry_after) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", retry_after, re.ASCII) else None


def _error_words(content: bytes) -> str:
    """Return the server's error text, in the form of OpenAI's API or of FastAPI; else empty."""
    try:
        told = json.loads(content)
        error = told["error"] if "error" in told else told["detail"]
        words = error if isinstance(error, str) else error["message"]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return ""
    return one_line(words, CAUSE_CHARS_MAX) if isinstance(words, str) else ""
