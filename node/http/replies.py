"""What all requests and replies of the HTTP interface have in common: bodies, headers, errors as one line of JSON."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from node.api.common import Error
from node.api.operations import JSON, Operation, Parameter
from node.rounds.service import AskError, NoDiskError, NoQuorumError, TooBusyError

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""Added to every reply, the refusals of the connection itself included: a browser must not run, frame, keep or lend
what a node says."""

ERROR_CHARS_MAX: Final = 300
"""characters of an error's line: messages of decoders quote what they were given."""

DIGITS_MAX: Final = 9
"""digits of an integer in a query string: more than any time in ms or number of nodes that we take."""


def json_reply(value: Any, status: int = 200) -> Response:
    """A body of `node.api`, or JSON values, as a reply."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def refusal(status: int, why: str, *, retry_after_s: int | None = None) -> Response:
    """An Error in one line of at most ERROR_CHARS_MAX characters."""
    response = json_reply(Error(" ".join(why.split())[:ERROR_CHARS_MAX]), status)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def refused_ask(error: AskError) -> Response:
    """Why a round did not begin: 503 if it may at another time, else 400."""
    if isinstance(error, NoDiskError | NoQuorumError | TooBusyError):
        return refusal(503, str(error), retry_after_s=1)
    return refusal(400, str(error))


class ParameterError(ValueError):
    """A query string that the route does not take; the message is one line for the caller."""


class BodyError(ValueError):
    """A body that the operation does not take; the message is one line for the caller."""


async def read_body(request: Request, operation: Operation[Any]) -> Any:
    """The request's body as the operation's type. Raises BodyError.

    It was read whole and bounded in bytes by the connection. What nests deeper than the type ends the decoding at the
    first bracket too many, for unknown fields are refused.
    """
    body, raw = operation.body, await request.body()
    assert body is not None
    if not raw and not body.required:
        return body.type()
    try:
        return msgspec.json.decode(raw, type=body.type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BodyError(f"{body.refusal}: {error}") from error


def integers(request: Request, parameters: Sequence[Parameter]) -> dict[str, int]:
    """The integers of a query string, by name, none negative, none twice. Raises ParameterError."""
    defaults = {each.name: each.default for each in parameters}
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if unknown := [name for name in names if name not in defaults]:
        raise ParameterError(f"no such parameter: {unknown[0]!r}; this takes {', '.join(defaults)}")
    if len(set(names)) != len(names):
        raise ParameterError("each parameter may be given once")
    for name, text in given:
        if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
            raise ParameterError(f"{name} is an integer from 0, of at most {DIGITS_MAX} digits")
    return {**defaults, **{name: int(text) for name, text in given}}


class Places:
    """A number of places for what takes long. Nobody queues for one: who finds none is refused."""

    def __init__(self, places_max: int) -> None:
        self._free = places_max

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a place for as long as the block runs; yields whether there was one."""
        if self._free <= 0:
            yield False
            return
        self._free -= 1
        try:
            yield True
        finally:
            self._free += 1
