"""Talking to the local node over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec

from node.cli.errors import CliError, Exit
from node.cli.options import Source
from protocol.limits import CERTIFICATE_BYTES_MAX

CONNECT_S = 5.0
"""seconds to reach a node on this machine."""


class Client:
    """One node's HTTP interface."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def get(self, path: str, *, timeout_s: float = 10.0, **query: object) -> Any:
        """A JSON document. Raises CliError."""
        response = await self._request("GET", path, timeout_s, params={k: str(v) for k, v in query.items()})
        return self._json(response)

    async def post(self, path: str, body: bytes, *, timeout_s: float = 30.0) -> Any:
        """A JSON document, for a body of bytes. Raises CliError."""
        return self._json(await self._request("POST", path, timeout_s, content=body))

    async def wait_offers(self, nodes: int, timeout_s: float) -> None:
        """Wait until the node knows this many that offer to work, itself included. Raises CliError."""
        timeout_ms = round(timeout_s * 1000)
        told = await self.get("/api/wait", timeout_s=timeout_s + 10, offers=nodes, timeout_ms=timeout_ms)
        if (known := told["offers"]) < nodes:
            raise CliError(f"only {known} of {nodes} nodes offer to work after {timeout_s:.0f} s", Exit.TIMEOUT)

    async def certificate(self, query_id: str) -> bytes:
        """A certificate's bytes. Raises CliError."""
        response = await self._request("GET", f"/api/certificates/{query_id}", 30.0)
        if response.status_code != 200:
            self._json(response)
        if len(response.content) > CERTIFICATE_BYTES_MAX:
            raise CliError(f"{self._url} served something larger than any certificate")
        return bytes(response.content)

    async def ask(self, question: dict[str, Any], timeout_s: float) -> AsyncIterator[dict[str, Any]]:
        """The events of a round, as they come. Raises CliError."""
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_S)
        try:
            async with self._http.stream("POST", "/api/ask", json=question, timeout=timeout) as response:
                if response.status_code != 200:
                    await response.aread()
                    self._json(response)
                async for line in response.aiter_lines():
                    yield msgspec.json.decode(line)
        except httpx2.TimeoutException as error:
            raise CliError(f"no word from {self._url} for {timeout_s:.0f} s", Exit.TIMEOUT) from error
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    async def _request(self, method: str, path: str, timeout_s: float, **more: Any) -> httpx2.Response:
        try:
            return await self._http.request(method, path, timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S), **more)
        except httpx2.TimeoutException as error:
            raise CliError(f"{self._url} did not answer within {timeout_s:.0f} s", Exit.TIMEOUT) from error
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> CliError:
        return CliError(f"no node answers at {self._url} ({error}): start one with `strand run`", Exit.UNREACHABLE)

    def _json(self, response: httpx2.Response) -> Any:
        try:
            body = msgspec.json.decode(response.content)
        except msgspec.DecodeError as error:
            raise CliError(f"{self._url} is no strand node: it did not answer in JSON") from error
        if response.is_success:
            return body
        why = body.get("error", response.reason_phrase) if isinstance(body, dict) else response.reason_phrase
        code = {400: Exit.USAGE, 413: Exit.USAGE, 503: Exit.NO_QUORUM}.get(response.status_code, Exit.REFUSED)
        raise CliError(str(why), code)


@asynccontextmanager
async def open_client(source: Source, url: str | None) -> AsyncIterator[Client]:
    """A client of `url`, else of the node that the configuration describes."""
    config = source.load().config
    host, port = config.api.address
    base = _base_url(url or f"http://{f'[{host}]' if ':' in host else host}:{port}")
    # As bytes: a token may have letters that the library would not encode.
    headers = [(b"Authorization", b"Bearer " + config.api.token.encode())] if config.api.token else []
    # Proxies of the environment must not see, or lose, what goes to this machine.
    async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False) as http:
        yield Client(http, base)


def _base_url(text: str) -> str:
    """An address that can be asked. Raises CliError."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise CliError(f"not a URL: {text!r} ({error})", Exit.USAGE) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise CliError(f"a node's URL is http://HOST:PORT, not {text!r}", Exit.USAGE)
    return text
