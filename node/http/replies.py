"""Common parts of all requests and replies of the HTTP interface: bodies, headers, errors as one line of JSON."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from node.api.common import Error
from node.api.operations import JSON, Operation
from node.rounds.service import AskError, NoDiskError, NoQuorumError, SecretTextError, TooBusyError
from protocol.types import Digest

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""Headers of every reply, the connection's own refusals included: a browser must not run, frame, cache or share a
node's replies."""

Handler = Callable[[Request], Awaitable[Response]]
"""Serves the requests of one operation."""

ERROR_CHARS_MAX: Final = 300
"""Longest line of an error in characters: decoders quote their input."""


def json_reply(value: Any, status: int = 200) -> Response:
    """Build a reply from a body of `node.api`, or from JSON values."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def refusal(status: int, why: str, *, retry_after_s: int | None = None) -> Response:
    """Build a reply with an Error, one line of at most ERROR_CHARS_MAX characters."""
    response = json_reply(Error(" ".join(why.split())[:ERROR_CHARS_MAX]), status)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def refused_ask(error: AskError) -> Response:
    """Build the reply to a round that did not begin: 503 if it may begin later, 422 for a secret, else 400."""
    if isinstance(error, NoDiskError | NoQuorumError | TooBusyError):
        return refusal(503, str(error), retry_after_s=1)
    return refusal(422 if isinstance(error, SecretTextError) else 400, str(error))


class ParameterError(ValueError):
    """A query string that the route does not accept. The message is one line for the caller."""


class BodyError(ValueError):
    """A body that the operation does not accept. The message is one line for the caller."""


async def read_body(request: Request, operation: Operation[Any]) -> Any:
    """Decode the request's body as the operation's type. Raises BodyError.

    The connection has read it whole, within the size limit. Decoding stops at the first bracket that nests deeper than
    the type, because unknown fields are refused.
    """
    body, raw = operation.body, await request.body()
    assert body is not None
    if not raw and not body.required:
        return body.type()
    try:
        return msgspec.json.decode(raw, type=body.type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BodyError(f"{body.refusal}: {error}") from error


def read_parameters(request: Request, operation: Operation[Any]) -> dict[str, Any]:
    """Return the operation's parameters from the query string by name, none twice. Raises ParameterError."""
    known = {each.name: each for each in operation.parameters}
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if unknown := [name for name in names if name not in known]:
        raise ParameterError(f"no such parameter: {unknown[0]!r}; this takes {', '.join(known) or 'none'}")
    if len(set(names)) != len(names):
        raise ParameterError("each parameter may be given once")
    try:
        values = {name: known[name].read(text) for name, text in given}
    except ValueError as error:
        raise ParameterError(str(error)) from None
    return {name: each.default for name, each in known.items()} | values


def read_query_id(request: Request) -> Digest:
    """Return the query id that the path names. Raises ParameterError."""
    text = request.path_params["query_id"]
    if re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise ParameterError("a query id is 64 hexadecimal digits")
    return Digest(bytes.fromhex(text))


class Places:
    """Limits the number of long requests. There is no queue: a request without a place is refused."""

    def __init__(self, places_max: int) -> None:
        self._free = places_max

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a place while the block runs; yield whether there was one."""
        if self._free <= 0:
            yield False
            return
        self._free -= 1
        try:
            yield True
        finally:
            self._free += 1
