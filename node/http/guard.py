"""Admission to the HTTP interface: decided from a request's header, before its body is read."""

from collections.abc import Callable
from typing import Final

import trio
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Scope

from node.api import operations as ops
from node.config import ApiTable
from node.http.body_sizes import body_bytes_max
from node.http.guesses import GuessTable
from node.http.keys import ApiKey, Keys
from node.http.no_session import accepts_page, no_session_page
from node.http.origins import Caller, ForeignError, Origins, allowing
from node.http.places import Places
from node.http.replies import refusal
from node.http.sessions import LINK_S, Sessions
from node.overlay.addresses import AddressClass, class_of

LOOPBACK_PAUSE_S_MAX: Final = 2.0
"""Longest delay in seconds of the reply to a wrong token from this machine."""

PAUSED_MAX: Final = 32
"""Replies that may be delayed at once; the next wrong token gets the same refusal at once."""

NO_TOKEN: Final = "a token is needed: Authorization: Bearer TOKEN (for `strand`: api.token, or STRAND_API_TOKEN)"
WRONG_TOKEN: Final = "this is the token of no API key here: the configuration has them (for `strand`: STRAND_API_TOKEN)"
NO_SESSION: Final = (
    f"this page needs a session: `strand ui` makes a link that opens one, valid once and for {LINK_S:.0f} s"
)

PROBED: Final = frozenset({ops.LIVE.path, ops.READY.path})
"""Paths that need no token: orchestrators' probes rarely have one, and the replies say nothing of the node's owner, key
or questions."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


class Guard:
    """Decides whether a request is served, and with which key.

    Pages of other origins are refused unless the owner allows theirs. A node without API keys serves programs of this
    machine and its own pages; Host must then name the node in every request, because a foreign page reaches this
    machine under a name of its own that resolves to it (DNS rebinding). With API keys a program may use any Host,
    because such a page does not have one. A browser may have a session in place of a token.
    """

    def __init__(
        self,
        config: ApiTable,
        sessions: Sessions | None = None,
        now_s: Callable[[], float] = trio.current_time,
    ) -> None:
        self._keys = Keys(config)
        self._origins = Origins(config)
        self._sessions = sessions or Sessions(now_s)
        self._now_s = now_s
        self._guesses = GuessTable()
        self._paused = Places(PAUSED_MAX)

    async def refuse(self, scope: Scope) -> Response | None:
        """Return the reply to a request that the application does not get; None if it is served.

        That is a refusal with 401, 403, 413 or 429, the reply to an allowed page's preflight, or the redirection of a
        one-time link. `scope["state"]` gets the key, and headers for every reply to a page of an allowed origin.
        """
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        host = headers.get("host", "")
        try:
            caller = self._origins.caller(headers, scope["server"])
        except ForeignError as error:
            return refusal(403, str(error))
        if caller is Caller.ALLOWED_PAGE:
            state["reply_headers"] = allowing(headers["origin"])
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                # It never holds a token.
                return Response(status_code=204)
        if self._keys and not _is_probe(scope):
            found = self._let_in(scope, host) or await self._find_key(scope, headers, caller)
            if isinstance(found, Response):
                return found
            state["api_key"] = found
        elif not self._keys and not self._origins.names_us(host, scope["server"], any_port=True):
            return refusal(403, "without API keys only this machine is served: Host must name this node")
        # h11 has checked that it is one number.
        if int(headers.get("content-length", "0")) > (bytes_max := body_bytes_max(scope)):
            return refusal(413, f"a request's body has at most {bytes_max} bytes")
        return None

    def _let_in(self, scope: Scope, host: str) -> Response | None:
        """Return the redirection that lets in a browser with a valid one-time link; else None."""
        is_page = scope["path"] == ops.PAGE.path and scope["method"] == "GET"
        if not is_page or not self._origins.names_us(host, scope["server"]):
            return None
        code = QueryParams(scope["query_string"]).get("code", "")
        return self._sessions.let_in(code, scope["server"][1], over_tls=self._origins.is_over_tls(host))

    async def _find_key(self, scope: Scope, headers: Headers, caller: Caller) -> ApiKey | Response:
        """Return the key whose token or session was sent, or a refusal; slow down clients that guess.

        A remote address that guessed is refused unheard for a while. This machine never is: else any local program
        could lock out the others, which share its address. Its right token is always served at once; replies to wrong
        ones are delayed, and say that they are wrong, because waiting would not help.
        """
        address = scope["client"][0]
        local = class_of(address) is AddressClass.LOOPBACK
        if not local and (wait_s := self._guesses.wait_s(address, self._now_s())) > 0:
            return _too_many(wait_s)
        given = headers.getlist("authorization")
        if not given:
            # A session cannot be guessed, and no token was tried, so nothing is counted.
            return self._key_of_session(scope, headers, caller)
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            return _unauthorised(refusal(401, NO_TOKEN))
        if (key := self._keys.find(token.encode("latin-1"))) is not None:
            if not local:
                self._guesses.note_right(address)
            return key
        wait_s = self._guesses.note_wrong(address, self._now_s())
        if wait_s and not local:
            return _too_many(wait_s)
        if wait_s:
            with self._paused.take() as place:
                if place:
                    await trio.sleep(min(wait_s, LOOPBACK_PAUSE_S_MAX))
        return _unauthorised(refusal(401, WRONG_TOKEN))

    def _key_of_session(self, scope: Scope, headers: Headers, caller: Caller) -> ApiKey | Response:
        """Return the key of the browser's session, or a refusal.

        Browsers attach the cookie to requests of other servers on this host, too. What changes something is therefore
        served only to pages that say by Origin that they are ours.
        """
        key = self._sessions.key_of(headers.getlist("cookie"), scope["server"][1])
        if key is None or caller is Caller.ALLOWED_PAGE:
            if scope["path"] != ops.PAGE.path:
                return _unauthorised(refusal(401, NO_TOKEN))
            is_browser = scope["method"] in _SAFE_METHODS and accepts_page(headers)
            return _unauthorised(no_session_page() if is_browser else refusal(401, NO_SESSION))
        if not self._origins.names_us(headers.get("host", ""), scope["server"]):
            return refusal(403, "a session is valid under the node's own address only: Host does not name it")
        if scope["method"] not in _SAFE_METHODS and caller is not Caller.OWN_PAGE:
            return refusal(403, "with a session only the node's own pages may change something: Origin is missing")
        return key


def _is_probe(scope: Scope) -> bool:
    return scope["path"] in PROBED and scope["method"] in _SAFE_METHODS


def _unauthorised(response: Response) -> Response:
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _too_many(wait_s: float) -> Response:
    return refusal(429, "too many wrong tokens from this address; try again later", retry_after_s=int(wait_s) + 1)
