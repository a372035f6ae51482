"""The address of a model server as a user gives it, and TLS and a proxy on the way to it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import trio

from node.inference.config import hide_secrets
from node.inference.ports import EngineError

API: Final = "/v1"
"""Path of the OpenAI API if a server's URL has none, and the prefix of the API in our requests."""

_ENDPOINTS: Final = ("/chat/completions", "/completions", "/models")
"""Endpoints that users copy along with a base URL from a server's documentation."""

_UNTRUSTED: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a certificate of an unknown authority (X509_V_ERR_*), where naming the authority helps."""

_CAUSES_MAX: Final = 16
"""Exceptions between the failure of a request and its cause; there are about five."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A model server's base URLs. `api` and `root` may hold a password; `shown` does not."""

    api: str
    """Base of the OpenAI API, such as http://host/v1."""
    root: str
    """Base of the paths beside the API: /metrics, /props, /health."""
    query: str
    """Query of every request, such as api-version=..., without the question mark."""
    shown: str
    """The URL for error messages."""

    def of(self, path: str) -> str:
        """Return the URL of a path: one that begins with /v1/ belongs to the API, wherever that lies."""
        url = self.api + path.removeprefix(API) if path.startswith(f"{API}/") else self.root + path
        return f"{url}?{self.query}" if self.query else url


def parse_address(url: str) -> ServerAddress:
    """Parse a user's URL of a server. Raises EngineError if it is no HTTP URL.

    A path is the API's base, except that an endpoint at its end is cut off. A URL without a path gets /v1.
    """
    where = f"engine URL {hide_secrets(url)!r} is not valid"
    try:
        parsed = httpx2.URL(url.strip())
    except httpx2.InvalidURL as error:
        # The parser may repeat a part of a password.
        raise EngineError(where if "@" in url else f"{where}: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise EngineError(f"{where}: it must start with http:// or https://")
    given = parsed.path.rstrip("/")
    endpoint = next((each for each in _ENDPOINTS if given.endswith(each)), "")
    path = given.removesuffix(endpoint).rstrip("/") if given else API
    bare = parsed.copy_with(query=None, fragment=None)
    api, root = (str(bare.copy_with(path=each or "/")).rstrip("/") for each in (path, path.removesuffix(API)))
    shown = str(httpx2.URL(root).copy_with(userinfo=b"")).rstrip("/")
    return ServerAddress(api, root, parsed.query.decode("ascii"), shown)


def trusted_authorities(ca_file: str) -> ssl.SSLContext:
    """Return TLS settings that trust `ca_file` alone; without one SSL_CERT_FILE or SSL_CERT_DIR, else the system's.

    Raises EngineError.
    """
    path = Path(ca_file).expanduser()
    try:
        if ca_file:
            return ssl.create_default_context(cafile=path)
        return httpx2.create_ssl_context()
    except (OSError, ValueError) as error:
        name = f"engine.ca_file {path}" if ca_file else "the file that SSL_CERT_FILE names, or the folder SSL_CERT_DIR,"
        reason = "it holds no certificate (PEM)" if isinstance(error, ssl.SSLError) else _words(error)
        raise EngineError(f"{name} cannot be used: {reason}") from None


def parse_proxy(url: str) -> httpx2.Proxy | None:
    """Return the proxy on the way to the server; None without one. Raises EngineError."""
    if not url:
        return None
    where = f"engine.proxy {hide_secrets(url)!r} is not valid"
    try:
        proxy = httpx2.Proxy(url.strip())
    except (httpx2.InvalidURL, ValueError):
        raise EngineError(f"{where}: it must be like http://host:port") from None
    if proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        raise EngineError(f"{where}: it must start with http:// or https://")
    return proxy


def innermost_cause(error: BaseException) -> str:
    """Return why a connection failed, by the innermost cause, and the remedy."""
    cause = error
    for _ in range(_CAUSES_MAX):
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        elif cause.__cause__ is not None:
            cause = cause.__cause__
        elif isinstance(cause.__context__, OSError | trio.BrokenResourceError):
            # httpcore2 raises its own from None.
            cause = cause.__context__
    match cause:
        case ssl.SSLCertVerificationError():
            help_ = "; name its authority's file in engine.ca_file" if cause.verify_code in _UNTRUSTED else ""
            return f"its TLS certificate does not hold: {cause.verify_message.rstrip('.')}{help_}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST"):
            return "it does not speak TLS: does it want http:// instead of https://?"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS failed: {reason.lower().replace('_', ' ')}"
        case _:
            return _words(cause) or str(error) or type(error).__name__


def _words(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
