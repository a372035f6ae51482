"""What every request passes first: whose page it comes from, the token, and how much body it may bring."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 128 * 1024
"""bytes of a request's body: a query of 64 KiB with every character escaped, and its options."""

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """ASGI middleware. Without a token only local programs are served, no web page that a browser happens to show."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 401, 403 or 413, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                # As if the client had gone: the handler ends, and the server closes the connection.
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, bounded, send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        if self._token:
            given = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(given, self._token.encode()):
                return _refuse(401, "a token is needed: Authorization: Bearer TOKEN")
        else:
            host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
            # A page from elsewhere could reach us under a name of its own that resolves to 127.0.0.1.
            if host not in _LOCAL_HOSTS or "origin" in headers:
                return _refuse(403, "only local programs are served without a token")
        if int(headers.get("content-length", "0")) > BODY_BYTES_MAX:
            return _refuse(413, f"a request's body has at most {BODY_BYTES_MAX} bytes")
        return None


def _refuse(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status)
