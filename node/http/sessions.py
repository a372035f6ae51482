"""Browsers that a one-time link let in: codes of links and sessions behind cookies, in memory and bounded."""

import secrets
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

import trio
from starlette.responses import Response

from node.api.operations import PAGE
from node.http.keys import ApiKey, digest

LINK_S: Final = 60.0
"""Seconds for which a link is valid: long enough for a browser to start."""

LINKS_MAX: Final = 16
"""Links that nobody has opened yet; one more replaces the oldest of the key with the most."""

SESSION_S: Final = 12 * 3_600.0
"""Seconds for which a browser stays let in: a working day. A restart of the node ends all sessions."""

SESSIONS_MAX: Final = 64
"""Browsers let in at once; one more replaces the first that came by the key with the most."""

COOKIES_MAX: Final = 256
"""Cookies of one request that are looked up: other servers of this machine can set some of our name and form, and
browsers keep fewer than 200 for one host. All of them cost less than a millisecond."""

_SECRET_BYTES: Final = 32
"""Bytes of a secret that nobody guesses: as many as the digest keeps apart under which it is remembered."""

_SECRET_CHARS: Final = 43
"""Characters of such a secret in base64: what is shorter or longer need not be looked up."""

Value = TypeVar("Value", bound=Hashable)


class _Secrets(Generic[Value]):
    """Fresh secrets that stand for values for a time. Only digests are kept, so that no lookup can be timed.

    If there are too many, the oldest of the value that has the most is dropped: whoever makes many ends their own.
    """

    def __init__(self, valid_s: float, secrets_max: int, now_s: Callable[[], float]) -> None:
        self._valid_s = valid_s
        self._secrets_max = secrets_max
        self._now_s = now_s
        self._values: dict[bytes, tuple[Value, float]] = {}

    def issue(self, value: Value) -> str:
        """Return a fresh secret for a value."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._values[digest(secret.encode())] = value, self._now_s() + self._valid_s
        if len(self._values) > self._secrets_max:
            counts = Counter(each for each, _ in self._values.values())
            # It takes the first of those with equal counts.
            del self._values[max(self._values, key=lambda known: counts[self._values[known][0]])]
        return secret

    def look_up(self, secret: str, *, consume: bool = False) -> Value | None:
        """Return what a secret stands for, once if it is consumed; None if it is not, or no longer, valid."""
        known = digest(secret.encode("utf-8", "surrogateescape"))
        value, until_s = self._values.get(known, (None, 0.0))
        if consume or self._now_s() >= until_s:
            self._values.pop(known, None)
        return value if self._now_s() < until_s else None

    def __len__(self) -> int:
        return len(self._values)


class Sessions:
    """Links that let a browser in, and the browsers that are in, each with the key that the link was made with."""

    def __init__(self, now_s: Callable[[], float] = trio.current_time) -> None:
        self.links: _Secrets[ApiKey] = _Secrets(LINK_S, LINKS_MAX, now_s)
        self.sessions: _Secrets[ApiKey] = _Secrets(SESSION_S, SESSIONS_MAX, now_s)

    def let_in(self, code: str, port: int, *, over_tls: bool) -> Response | None:
        """Return a redirection to the page that sets a browser's cookie; None if the link's code is not valid.

        The cookie is hidden from scripts and is sent by pages of this origin only. Its name has the port, because
        browsers send cookies to all ports of a host.
        """
        key = self.links.look_up(code, consume=True)
        if key is None:
            return None
        response = Response(status_code=303, headers={"Location": PAGE.path})
        response.set_cookie(
            cookie_name(port),
            self.sessions.issue(key),
            max_age=int(SESSION_S),
            secure=over_tls,
            httponly=True,
            samesite="strict",
        )
        return response

    def key_of(self, cookie_headers: list[str], port: int) -> ApiKey | None:
        """Return the key of the session that a request's cookies name, or None."""
        given = (value for value in _values(cookie_headers, cookie_name(port)) if len(value) == _SECRET_CHARS)
        for value in islice(given, COOKIES_MAX):
            if (key := self.sessions.look_up(value)) is not None:
                return key
        return None


def cookie_name(port: int) -> str:
    """Return the name of the session's cookie of a node that listens on this port."""
    return f"strand_{port}"


def _values(headers: list[str], name: str) -> Iterator[str]:
    """Yield the values of each cookie with this name; a browser sends several if they differ in path or domain."""
    for header in headers:
        for pair in header.split(";"):
            given, _, value = pair.strip(" \t").partition("=")
            if given == name:
                yield value
