"""Admission to the HTTP interface: decided from a request's header, before its body is read."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from node.api.asking import Audience
from node.config import ApiTable
from node.http.guesses import GuessTable
from node.http.replies import Places, refusal
from node.overlay.addresses import AddressClass, class_of

BODY_BYTES_MAX: Final = 128 * 1024
"""Greatest body of a request in bytes: a query of 64 KiB with every character escaped, and its options."""

LOOPBACK_PAUSE_S_MAX: Final = 2.0
"""Longest delay in seconds of the reply to a wrong token from this machine."""

PAUSED_MAX: Final = 32
"""Replies that may be delayed at once; the next wrong token gets the same refusal at once."""

_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

_OWN_FETCHES: Final = frozenset({"none", "same-origin"})
"""Accepted values of Sec-Fetch-Site: the user typed the address, or the page is ours. Programs do not send the header.
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key that a request was served with; `scope["state"]["api_key"]`, which a node without keys leaves out."""

    name: str
    """Its name in the configuration; `api.token` is `token`."""
    audience: Audience | None
    """Nodes that may read what its holder asks; None: as the face decides that is asked."""


class Guard:
    """Decides whether a request is served.

    Without keys only local programs are served, and no web page in a browser: a foreign page reaches this machine
    under a name of its own that resolves to 127.0.0.1 (DNS rebinding). Host must therefore be a name that only a local
    program uses. With keys any Host is accepted, because such a page does not have one.
    """

    def __init__(self, config: ApiTable, now_s: Callable[[], float] = trio.current_time) -> None:
        host, _ = config.address
        self._keys = [
            (_digest(key.token.encode()), ApiKey(name, key.audience)) for name, key in config.named_keys.items()
        ]
        self._hosts = _LOOPBACK_NAMES | {f"[{host}]" if ":" in host else host.lower()}
        self._now_s = now_s
        self._guesses = GuessTable()
        self._paused = Places(PAUSED_MAX)

    async def refuse(self, scope: Scope) -> Response | None:
        """Return the refusal of a request, with 401, 403, 413 or 429; None if it is served, its key in the state."""
        headers = Headers(scope=scope)
        if "origin" in headers or not _OWN_FETCHES.issuperset(headers.getlist("sec-fetch-site")):
            return refusal(403, "web pages are not served: the request has an Origin, or Sec-Fetch-Site")
        if self._keys:
            found = await self._find_key(headers, scope["client"][0])
            if isinstance(found, Response):
                return found
            scope.setdefault("state", {})["api_key"] = found
        elif _host_name(headers.get("host", "")) not in self._hosts:
            return refusal(403, "only local programs are served without an API key: Host must name this machine")
        # h11 has checked that it is one number.
        if int(headers.get("content-length", "0")) > BODY_BYTES_MAX:
            return refusal(413, f"a request's body has at most {BODY_BYTES_MAX} bytes")
        return None

    async def _find_key(self, headers: Headers, address: str) -> ApiKey | Response:
        """Return the key whose token was sent, or a refusal; slow down clients that guess.

        A remote address that guessed is refused unheard for a while. This machine never is: else any local program
        could lock out the others, which share its address. Its right token is always served at once, and only replies
        to wrong ones are delayed.
        """
        local = class_of(address) is AddressClass.LOOPBACK
        if not local and (wait_s := self._guesses.wait_s(address, self._now_s())) > 0:
            return _too_many(wait_s)
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            # No token was tried, so nothing is counted.
            return _unauthorised(
                "a token is needed: Authorization: Bearer TOKEN (for `strand`: api.token, or STRAND_API_TOKEN)"
            )
        if (key := self._key_of(token)) is not None:
            if not local:
                self._guesses.note_right(address)
            return key
        wait_s = self._guesses.note_wrong(address, self._now_s())
        if not wait_s:
            return _unauthorised("this is not a token of the node")
        if local:
            with self._paused.take() as place:
                if place:
                    await trio.sleep(min(wait_s, LOOPBACK_PAUSE_S_MAX))
        return _too_many(wait_s)

    def _key_of(self, token: str) -> ApiKey | None:
        """Return the key with this token; the time that it takes tells nothing about the tokens."""
        given = _digest(token.encode("latin-1"))
        right = [key for digest, key in self._keys if hmac.compare_digest(given, digest)]
        return right[0] if right else None


def _digest(token: bytes) -> bytes:
    """Return a digest of equal length for all tokens, so that a comparison does not reveal the right one's length."""
    return hashlib.sha256(token).digest()


def _host_name(host: str) -> str:
    """Return the Host header without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isascii() and port.isdecimal() else host).lower()


def _unauthorised(why: str) -> Response:
    response = refusal(401, why)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _too_many(wait_s: float) -> Response:
    return refusal(429, "too many wrong tokens from this address; try again later", retry_after_s=int(wait_s) + 1)
