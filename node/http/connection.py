"""One connection of the HTTP interface: HTTP/1.1 on the wire (h11), one ASGI application behind it.

There is no other protocol: an upgrade to WebSocket or h2c is ignored, as RFC 9110 7.8 allows, and HTTP/2's preface is
refused. A request reaches the application with its whole body. Meanwhile the connection is watched, and the work is
cancelled when the client has gone. Every wait for the client has a deadline, and everything read has a size limit.
"""

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from email.utils import formatdate
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import h11
import trio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from node.http.body_sizes import BodyRoom
from node.http.replies import SECURITY_HEADERS, Refusal, RefusedError, refusal
from node.overlay.addresses import SENDER_BITS, address_group

HEADER_BYTES_MAX: Final = 16 * 1024
"""Limit of a request's line and headers in bytes (ours are below 1 KiB), and of data that a client may send ahead."""

BODY_PIECES_MAX: Final = 4_096
"""Most chunks or segments of one body: each costs about 20 µs, however small it is."""

PIECE_BYTES: Final = 1_024
"""Bytes of the pieces of a large body, on average, at least: less than a segment of any network."""

REQUEST_S: Final = 10.0
"""Seconds from a connection's start, or from the last reply, to the end of the next request's header."""

BODY_S: Final = 10.0
"""Seconds from the end of a header to the end of its body."""

WRITE_S: Final = 10.0
"""Seconds in which a client must read WRITE_BYTES_MAX of a reply."""

WRITE_BYTES_MAX: Final = 64 * 1024
"""Bytes written under one deadline: a client that reads less than 6 KiB/s is too slow."""

HALF_CLOSED_S: Final = 0.5
"""Seconds for the reply to a client that has closed its side: it may have gone, or may only have finished sending."""

LINGER_S: Final = 1.0
"""Seconds to read the rest of a refused request: on an immediate close the system may drop the refusal unread."""

LINGER_BYTES_MAX: Final = 256 * 1024
"""Bytes of the rest of a refused request that are read and dropped."""


class Gate(Protocol):
    """Port: decides from a header whether its request is served."""

    async def refuse(self, scope: Scope) -> Response | None:
        """Return the reply to a request that the application does not get, or None.

        `scope["state"]["reply_headers"]`, if set, is added to every reply to the request.
        """
        ...


class Connection:
    """One client. `serve` ends with the connection; remote faults end it quietly, faults in the node are raised."""

    def __init__(self, stream: trio.SocketStream, app: ASGIApp, gate: Gate, room: BodyRoom) -> None:
        self._stream = stream
        self._app = app
        self._gate = gate
        self._room = room
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)
        self._unsent = b""
        """Bytes of a reply's head, which are sent with the first of its body."""
        self._is_head = False
        """Whether the request's method is HEAD, whose reply has no body."""
        self._path = ""
        """Path of the request, by which a refusal takes its form; empty before it is read."""
        self._reply_headers: tuple[tuple[bytes, bytes], ...] = ()
        """What the gate adds to every reply to the request."""
        self._client: tuple[str, int] = stream.socket.getpeername()[:2]
        self._server: tuple[str, int] = stream.socket.getsockname()[:2]
        self.group = address_group(self._client[0], SENDER_BITS)
        """Address group that counts as one sender."""
        self.waits_for_client = True
        """Whether ending the connection would lose nothing except steps that the client has yet to do."""

    async def serve(self) -> None:
        """Serve one request after another."""
        try:
            while await self._serve_one():
                self._h11.start_next_cycle()
        except RefusedError as error:
            await self.reply(error.reply)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            # The client has gone, or does not read.
            return
        await self._linger()

    async def reply(self, response: Response) -> None:
        """Send the connection's own reply if none has begun; close the connection after it."""
        if self._h11.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        if isinstance(response, Refusal):
            response = response.on(self._path)
        headers = [*response.raw_headers, *self._common_headers(response.raw_headers), (b"connection", b"close")]
        data = self._encode(h11.Response(status_code=response.status_code, headers=headers))
        if not self._is_head:
            data += self._encode(h11.Data(data=bytes(response.body)))
        data += self._encode(h11.EndOfMessage())
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            await self._write(data)

    # -- one request -----------------------------------------------------------------------------------------------

    async def _serve_one(self) -> bool:
        """Serve the next request; return whether another may follow."""
        request = await self._next_request()
        if request is None:
            return False
        scope = self._scope(request)
        refused = await self._gate.refuse(scope)
        self._reply_headers = scope["state"].get("reply_headers", ())
        if refused is not None:
            await self.reply(refused)
            return False
        with self._room.take(scope) as bytes_max:
            if not bytes_max:
                await self.reply(refusal(503, "too many large bodies at once; try again later", retry_after_s=1))
                return False
            return await self._serve_body(scope, await self._read_body(bytes_max))

    async def _serve_body(self, scope: Scope, body: bytes) -> bool:
        """Serve a request that is read whole; return whether another may follow."""
        self.waits_for_client = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await self._work(scope, body, nursery.cancel_scope)
            nursery.cancel_scope.cancel()
        self.waits_for_client = True
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE

    async def _next_request(self) -> h11.Request | None:
        """Return the next request's header; None if the client closed the connection or sends nothing."""
        self._is_head, self._path = False, ""
        self._reply_headers = ()
        with trio.move_on_after(REQUEST_S):
            event = await self._next_event()
            if isinstance(event, h11.Request):
                return event
            return None
        if self._h11.trailing_data[0]:
            raise RefusedError(refusal(408, f"the header of a request did not come within {REQUEST_S:.0f} s"))
        return None

    async def _read_body(self, bytes_max: int) -> bytes:
        """Return the whole body, of at most `bytes_max`. Raises RefusedError."""
        pieces_max = max(BODY_PIECES_MAX, bytes_max // PIECE_BYTES)
        if self._h11.they_are_waiting_for_100_continue and not self._h11.trailing_data[0]:
            await self._write(self._encode(h11.InformationalResponse(status_code=100, headers=[])))
        body = bytearray()
        with trio.move_on_after(BODY_S):
            for _ in range(pieces_max):
                event = await self._next_event()
                if isinstance(event, h11.EndOfMessage):
                    return bytes(body)
                if not isinstance(event, h11.Data):
                    raise trio.BrokenResourceError
                body += event.data
                if len(body) > bytes_max:
                    raise RefusedError(refusal(413, f"a request's body has at most {bytes_max} bytes"))
            raise RefusedError(refusal(413, f"a request's body comes in at most {pieces_max} pieces"))
        raise RefusedError(refusal(408, f"the body of a request did not come within {BODY_S:.0f} s"))

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        """Return h11's next event. Raises RefusedError for bytes that are not HTTP/1.1, and for a long header."""
        while True:
            held = len(self._h11.trailing_data[0])
            try:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    self._h11.receive_data(await self._stream.receive_some(HEADER_BYTES_MAX))
                    continue
            except h11.RemoteProtocolError as error:
                if error.error_status_hint == 431:
                    raise _too_long() from None
                raise RefusedError(refusal(error.error_status_hint, f"this is not HTTP/1.1: {error}")) from None
            if isinstance(event, h11.Request):
                self._is_head = event.method == b"HEAD"
            # h11 measures only what is not yet whole.
            if not isinstance(event, h11.Data) and held - len(self._h11.trailing_data[0]) > HEADER_BYTES_MAX:
                raise _too_long()
            return event  # type: ignore[return-value]

    def _scope(self, request: h11.Request) -> Scope:
        """Describe the request for ASGI. Raises RefusedError for an unsupported version, target or framing."""
        if request.http_version not in {b"1.1", b"1.0"}:
            raise RefusedError(refusal(505, "only HTTP/1.1 is spoken here"))
        headers = list(request.headers)
        path, _, query = request.target.partition(b"?")
        if not path.startswith(b"/"):
            host, path, query = _absolute(request.target)
            # RFC 9112 3.2.2: then the Host header is ignored.
            headers = [(name, value) for name, value in headers if name != b"host"] + [(b"host", host)]
        self._path = unquote(path.decode())
        _check_framing(request)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode().upper(),
            "scheme": "http",
            "path": self._path,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": self._server,
            "state": {},
        }

    # -- while it is worked on -------------------------------------------------------------------------------------

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Cancel the work on a request when its client has gone, or has sent more than HEADER_BYTES_MAX ahead."""
        while len(self._h11.trailing_data[0]) <= HEADER_BYTES_MAX:
            try:
                data = await self._stream.receive_some(HEADER_BYTES_MAX)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            self._h11.receive_data(data)
            if not data:
                await trio.sleep(HALF_CLOSED_S)
                break
        scope.cancel()

    async def _work(self, scope: Scope, body: bytes, work: trio.CancelScope) -> None:
        """Run the application on one request; cancel `work` when no client is left to reply to."""
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not unread:
                # A client that goes ends the work through cancellation.
                await trio.sleep_forever()
            return unread.pop()

        async def send(message: Message) -> None:
            try:
                await self._send(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                work.cancel()
                await trio.sleep_forever()

        await self._app(scope, receive, send)

    async def _send(self, message: Message) -> None:
        """Send one ASGI message. Raises trio.TooSlowError or trio.BrokenResourceError."""
        if self._h11.our_state is h11.ERROR:
            # An earlier message was not written whole.
            raise trio.BrokenResourceError
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *self._common_headers(message["headers"])]
            self._unsent = self._encode(h11.Response(status_code=message["status"], headers=headers))
        elif message["type"] == "http.response.body":
            body = bytes(message.get("body", b""))
            data, self._unsent = self._unsent, b""
            if body and not self._is_head:
                data += self._encode(h11.Data(data=body))
            if not message.get("more_body", False):
                data += self._encode(h11.EndOfMessage())
            await self._write(data)

    # -- the wire --------------------------------------------------------------------------------------------------

    def _common_headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers of every reply; of those that a browser heeds, a reply's own (`given`) come first."""
        names = {name for name, _ in given}
        common = [each for each in SECURITY_HEADERS if each[0] not in names]
        return [*common, *self._reply_headers, (b"date", formatdate(usegmt=True).encode())]

    def _encode(self, event: h11.Event) -> bytes:
        return self._h11.send(event) or b""

    async def _write(self, data: bytes) -> None:
        """Send bytes. Raises trio.TooSlowError if the client does not read.

        When it does not end, by an error or by cancellation, nothing can follow: the client would read it as the rest.
        """
        pending = memoryview(data)
        was_waiting, self.waits_for_client = self.waits_for_client, True
        with ExitStack() as unless_sent:
            # h11 took the reply for sent when it encoded it.
            unless_sent.callback(self._h11.send_failed)
            for begin in range(0, len(pending), WRITE_BYTES_MAX):
                with trio.fail_after(WRITE_S):
                    await self._stream.send_all(pending[begin : begin + WRITE_BYTES_MAX])
            unless_sent.pop_all()
        self.waits_for_client = was_waiting

    async def _linger(self) -> None:
        """Close our side, and read what the client still sends, within limits; not of one that does not read."""
        if self._h11.our_state is h11.ERROR or self._h11.their_state in {h11.DONE, h11.CLOSED}:
            return
        with trio.move_on_after(LINGER_S):
            try:
                await self._stream.send_eof()
                dropped = 0
                while dropped < LINGER_BYTES_MAX and (data := await self._stream.receive_some(WRITE_BYTES_MAX)):
                    dropped += len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return


def _too_long() -> RefusedError:
    return RefusedError(refusal(431, f"a request's header, as that of a chunk, has at most {HEADER_BYTES_MAX} bytes"))


def _check_framing(request: h11.Request) -> None:
    """Raise RefusedError if other servers may find another end of the body than h11 does (RFC 9112 6.1).

    Behind a proxy, one client's bytes would become another's request.
    """
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" not in names:
        return
    if b"content-length" in names:
        raise RefusedError(refusal(400, "a request has Transfer-Encoding or Content-Length, not both"))
    if request.http_version == b"1.0":
        raise RefusedError(refusal(400, "HTTP/1.0 has no Transfer-Encoding"))


def _absolute(target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return host, path and query of a target in absolute form, as for a proxy.

    Raises RefusedError for other forms.
    """
    try:
        url = urlsplit(target.decode("ascii"))
    except ValueError:
        url = None
    if url is None or url.scheme.lower() not in {"http", "https"} or not url.netloc or "@" in url.netloc:
        raise RefusedError(refusal(400, "a request's target is a path, or an http URL"))
    return url.netloc.encode(), (url.path or "/").encode(), url.query.encode()
