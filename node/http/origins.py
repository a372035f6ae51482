"""Where a request comes from: a program, a page of ours, a page that the owner allows, or a page that is refused.

A browser sends requests for any page that it shows, also to this machine. What it tells of the page cannot be forged
by it: Origin, Sec-Fetch-Site, and Host, which holds the name that the page used for us. A foreign name that resolves to
this machine (DNS rebinding) makes a foreign page look like one of ours, so that Host must name us, too.
"""

import ipaddress
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from node.config import ApiTable, http_url

_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

_OWN_FETCHES: Final = frozenset({"none", "same-origin"})
"""Accepted values of Sec-Fetch-Site: the user typed the address, or the page is ours. Programs do not send the header.
"""

ALLOWED_HEADERS: Final = (
    (b"access-control-expose-headers", b"*"),
    (b"access-control-allow-methods", b"*"),
    # The asterisk does not include it.
    (b"access-control-allow-headers", b"authorization, *"),
    (b"access-control-max-age", b"600"),
    (b"vary", b"origin"),
)
"""Headers of replies to allowed origins. Credentials are not among them: such a page sends a token, never our cookie.
"""

_HTTP_PORT: Final = 80

Server = tuple[str, int]
"""Address and port of ours that a request reached."""


class Caller(Enum):
    """What sent a request, as far as its headers tell."""

    PROGRAM = auto()
    """A program that names any host."""
    BROWSER = auto()
    """A browser that reads, or follows the user's own link; it names us."""
    OWN_PAGE = auto()
    """A page of this very node; it names us."""
    ALLOWED_PAGE = auto()
    """A page of an origin that the owner allows; it names us."""


class ForeignError(Exception):
    """A page that is not served. The message is one line for its author."""


class Origins:
    """The names of this node, its own origin, and the origins that its owner allows."""

    def __init__(self, config: ApiTable) -> None:
        host, _ = config.address
        self._bound = f"[{host}]" if ":" in host else host.lower()
        self._allowed = frozenset(config.origins)
        # Of both schemes, https.
        self._origin_of = {
            urlsplit(origin).netloc: origin for origin in sorted(config.origins) if origin.startswith("http")
        }

    def caller(self, headers: Headers, server: Server) -> Caller:
        """Tell what sent a request. Raises ForeignError."""
        origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        if not origins and not sites:
            return Caller.PROGRAM
        host = headers.get("host", "").lower()
        if not self.names_us(host, server):
            raise ForeignError("web pages reach a node by its own address only: Host does not name it")
        if len(origins) > 1:
            raise ForeignError("a request has one Origin")
        if origins and origins[0] in self._allowed and origins[0] != self._own(host):
            return Caller.ALLOWED_PAGE
        if (origins and origins[0] != self._own(host)) or not _OWN_FETCHES.issuperset(sites):
            raise ForeignError("this web page is not served: its origin is neither the node's own nor in api.origins")
        return Caller.OWN_PAGE if origins else Caller.BROWSER

    def names_us(self, host: str, server: Server, *, any_port: bool = False) -> bool:
        """Whether a Host header names the address that it reached, the configured one, or an allowed origin.

        Of names, only loopback's and the configured one count: any other may be a stranger's that resolves to us.
        """
        host = host.lower()
        if host in self._origin_of:
            return True
        name, port = _split(host)
        if name != self._bound and not _is_at(name, server[0]):
            return False
        return port >= 0 if any_port else port == server[1]

    def base_url(self, host: str, server: Server) -> str:
        """Return the URL by which a browser reaches this node: by the caller's name for it if pages may use that."""
        if self.names_us(host, server):
            return self._own(host.lower())
        return http_url(_unmapped(server[0]), server[1])

    def is_over_tls(self, host: str) -> bool:
        """Whether browsers reach this node under such a name through something that speaks TLS."""
        return self._own(host.lower()).startswith("https:")

    def _own(self, host: str) -> str:
        """Return the origin of our own pages under this name: an allowed one behind a proxy, else plain HTTP."""
        return self._origin_of.get(host, f"http://{host}")


def allowing(origin: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that let a page of an allowed origin read a reply."""
    return ((b"access-control-allow-origin", origin.encode("latin-1")), *ALLOWED_HEADERS)


def _split(host: str) -> tuple[str, int]:
    """Return name and port of a Host header; port -1 if it is none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, _HTTP_PORT
    return name, int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else -1


def _is_at(name: str, address: str) -> bool:
    """Whether a host's name says that it is this address of ours."""
    address = _unmapped(address)
    if name in _LOOPBACK_NAMES and ipaddress.ip_address(address).is_loopback:
        return True
    return name == (f"[{address}]" if ":" in address else address)


def _unmapped(address: str) -> str:
    """Return an IPv4 address for one that IPv6 only wraps, as a socket of both kinds tells it."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
