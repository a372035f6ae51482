"""Common parts of all requests and replies of the HTTP interface: bodies, headers, errors as one line of JSON."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.api.asking import FINDING_KINDS
from node.api.common import Error
from node.api.openai.common import ErrorDetail, Problem, StrandReport
from node.api.operations import JSON, OPERATIONS, Operation
from node.http.places import READS_MAX, Places
from node.rounds.asking.errors import (
    AskError,
    NobodyNamedError,
    NoDiskError,
    NoQuorumError,
    SecretTextError,
    StoppingError,
    TooBusyError,
    TooLongError,
    TooManyFollowedError,
)
from protocol.types import Digest, Key

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

OPENAI_PATHS: Final = "/v1/"
"""Beginning of the paths whose errors have OpenAI's form."""

_NO_SUCH_PATH: Final = "no such path; below /v1 there are " + ", ".join(
    dict.fromkeys(each.path for each in OPERATIONS if each.path.startswith(OPENAI_PATHS))
)
"""Line of a 404 that has no code of its own: an editor's user who mistyped the base URL looks for the path."""

STOPPING_RETRY_S: Final = 5
"""Seconds after which a client should try again when the node is stopping: if it is restarted, that takes so long."""

NO_RETRY: Final = ("x-should-retry", "false")
"""Header that keeps OpenAI's clients from repeating a request, as they do twice after any 5xx: a round that failed must
not be asked three times unseen."""

RETRIED: Final = frozenset({408, 429, 503})
"""Statuses that say that nothing was done and that another time may be better."""

_INVALID: Final = "invalid_request_error"

_KINDS: Final[Mapping[int, tuple[str, str | None]]] = {
    400: (_INVALID, "invalid_request"),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: (_INVALID, "not_found"),
    413: (_INVALID, "request_too_large"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "unavailable"),
}
"""OpenAI's kind of error, and the usual code, by status."""

_FIELD: Final = re.compile(r" - at `\$\.(\w+)|required field `(\w+)`$")
"""Place of the fault in msgspec's errors."""

_FINDINGS: Final = re.compile(r" - at `\$\.(?:strand\.)?findings(?:\[\d+\])?`$")
"""The end of msgspec's errors about the findings that a question asks for; they do not say what there is."""

_LONE_AT_END: Final = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F]).{0,5}\Z", re.DOTALL
)
"""The escape of the first half of a surrogate pair, and fewer bytes after it than the second half's escape has."""

_END_BYTES: Final = 32
"""Bytes of a body's end that are searched for it: a whole body of backslashes would take a second."""


def json_reply(value: Any, status: int = 200) -> Response:
    """Build a reply from a body of `node.api`, or from JSON values."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What OpenAI's form of an error says beside its line."""

    code: str | None = None
    """Word for programs; None: the usual one of the status."""
    param: str | None = None
    """Field of the request that the error is about."""
    queue_position: int | None = None
    strand: StrandReport | None = None
    is_lasting: bool = False
    """Whether another try gets the same, although the status is one of RETRIED."""


class Refusal(Response):
    """An error of one line, in the form that the clients of its path read: OpenAI's below /v1, else an Error.

    It takes the path's form when it is sent, so that the guard, the connection and the routes refuse alike.
    """

    def __init__(self, status: int, why: str, context: ErrorContext = ErrorContext()) -> None:
        self.why = " ".join(why.split())[:ERROR_CHARS_MAX]
        self.context = context
        super().__init__(msgspec.json.encode(Error(self.why)), status, media_type=JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it in the form of the scope's path."""
        shaped = self.on(scope["path"])
        await (super().__call__ if shaped is self else shaped)(scope, receive, send)

    def on(self, path: str) -> Response:
        """Return the refusal in the form of this path."""
        if not path.startswith(OPENAI_PATHS):
            return self
        response = json_reply(self.problem(), self.status_code)
        response.headers.update({name: value for name, value in self.headers.items() if name != "content-length"})
        if self.status_code not in RETRIED or self.context.is_lasting:
            response.headers[NO_RETRY[0]] = NO_RETRY[1]
        return response

    def problem(self) -> Problem:
        """Return the error in OpenAI's form."""
        kind, code = _KINDS.get(self.status_code, ("server_error" if self.status_code >= 500 else _INVALID, None))
        context = self.context
        why = _NO_SUCH_PATH if self.status_code == 404 and context.code is None else self.why
        return Problem(
            ErrorDetail(why, kind, context.param, context.code or code, context.queue_position, context.strand)
        )


class RefusedError(Exception):
    """A request is not served. `reply` says why."""

    def __init__(self, reply: Refusal) -> None:
        super().__init__(reply.why)
        self.reply = reply


def refusal(
    status: int, why: str, *, retry_after_s: int | None = None, context: ErrorContext = ErrorContext()
) -> Refusal:
    """Build an error of one line of at most ERROR_CHARS_MAX characters."""
    response = Refusal(status, why, context)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


@contextmanager
def reading(reads: Places) -> Iterator[None]:
    """Hold a place of requests that read the history or verify. Raises RefusedError (503) if as many do as may."""
    with reads.take() as place:
        if not place:
            why = f"{READS_MAX} requests read the history already; try again later"
            raise RefusedError(refusal(503, why, retry_after_s=1))
        yield


def refused_ask(error: AskError) -> Refusal:
    """Build the reply to a round that did not begin: 503 if it may begin later, 422 for a secret, else 400."""
    match error:
        case TooBusyError():
            context = ErrorContext("queue_full", queue_position=error.waiting + 1)
            return refusal(503, str(error), retry_after_s=error.retry_after_s, context=context)
        case TooManyFollowedError():
            return refusal(503, str(error), retry_after_s=error.retry_after_s)
        case StoppingError():
            return refusal(503, str(error), retry_after_s=STOPPING_RETRY_S, context=ErrorContext("stopping"))
        case NobodyNamedError():
            return refusal(503, str(error), context=ErrorContext("no_quorum", is_lasting=True))
        case NoQuorumError():
            return refusal(503, str(error), retry_after_s=1, context=ErrorContext("no_quorum"))
        case NoDiskError():
            return refusal(503, str(error), retry_after_s=1, context=ErrorContext("disk_blocked"))
        case SecretTextError():
            return refusal(422, str(error), context=ErrorContext("secret_found"))
        case TooLongError():
            return refusal(400, str(error), context=ErrorContext("context_length_exceeded"))
    return refusal(400, str(error))


class ParameterError(ValueError):
    """A query string that the route does not accept. The message is one line for the caller."""


class BodyError(ValueError):
    """A body that the operation does not accept. The message is one line for the caller."""

    @property
    def field(self) -> str | None:
        """Return the field of the body that is wrong, if the decoder names one."""
        found = _FIELD.search(str(self))
        return found[1] or found[2] if found else None


async def read_body(request: Request, operation: Operation[Any]) -> Any:
    """Decode the request's body as the operation's type; bytes are returned as they are. Raises BodyError.

    The connection has read it whole, within the size limit. Where unknown fields are refused, decoding stops at the
    first bracket that nests deeper than the type; else after a thousand of them.
    """
    body, raw = operation.body, await request.body()
    assert body is not None
    if not raw and not body.required:
        return body.type()
    if body.type is bytes:
        if not raw:
            raise BodyError(f"{body.refusal}: it is empty")
        return raw
    return decode_body(raw, body.type, body.refusal)


def decode_body(raw: bytes, type: Any, refusal: str) -> Any:
    """Decode JSON as a type. Raises BodyError, whose line begins with `refusal`.

    All bytes have to be UTF-8: msgspec by itself does not look at the texts that the type leaves out.
    """
    try:
        return msgspec.json.decode(raw.decode(), type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"{refusal}: {_fault(raw, error)}") from error


def _fault(raw: bytes, error: Exception) -> str:
    """Return what is wrong with a body, in words of ours where the decoder's mislead."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {error.start})"
    is_cut = str(error) == "Input data was truncated"
    # The decoder takes a body for one that was cut off where the second half would not have room.
    if "surrogate pair" in str(error) or (is_cut and _LONE_AT_END.search(raw, max(0, len(raw) - _END_BYTES))):
        return "a text has half of a surrogate pair, which is no character"
    if (place := _FINDINGS.search(str(error))) is not None:
        return f"findings are a list of {', '.join(FINDING_KINDS)}, each at most once{place[0]}"
    return str(error)


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
    return parse_query_id(request.path_params["query_id"])


def read_key(request: Request) -> Key:
    """Return the public key that the path names. Raises ParameterError."""
    text = request.path_params["key"]
    if re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise ParameterError("a key is 64 hexadecimal digits")
    return Key(bytes.fromhex(text))


def parse_query_id(text: str) -> Digest:
    """Return the query id that a text gives in hexadecimal. Raises ParameterError."""
    if re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise ParameterError("a query id is 64 hexadecimal digits")
    return Digest(bytes.fromhex(text))
