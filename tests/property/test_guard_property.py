"""Who is served, for every combination of what browsers and programs send, against the rules written out once more."""

from __future__ import annotations

from dataclasses import dataclass

import trio
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from node.config import ApiTable
from node.http.guard import Guard
from node.http.keys import ApiKey
from node.http.sessions import Sessions, cookie_name

PORT = 4210
OWN = f"127.0.0.1:{PORT}"
ALLOWED = "https://app.example"
TOKEN = "a token of the test"

NAMED = f"localhost:{PORT}"
HOSTS = [
    OWN,
    NAMED,
    "127.0.0.1:1",
    "localhost",
    "page.example",
    f"page.example:{PORT}",
    "app.example",
    "",
]
ORIGINS = [None, "null", "", *(f"http://{host}" for host in HOSTS), ALLOWED, f"https://{OWN}", "http://page.example:80"]
SITES = [None, "none", "same-origin", "same-site", "cross-site", ""]
METHODS = ["GET", "HEAD", "POST", "PUT", "OPTIONS"]
LOCAL = {"127.0.0.1", "localhost"}


@dataclass(frozen=True)
class Sent:
    """What a request tells of its sender."""

    method: str
    host: str
    origin: str | None
    site: str | None
    token: str | None
    has_session: bool


sent_requests = st.builds(
    Sent,
    method=st.sampled_from(METHODS),
    host=st.sampled_from(HOSTS),
    origin=st.sampled_from(ORIGINS),
    site=st.sampled_from(SITES),
    token=st.sampled_from([None, TOKEN, "another", ""]),
    has_session=st.booleans(),
)


def is_served(sent: Sent, *, keys: bool) -> bool:
    """The rules, as a user would tell them."""
    names_us = sent.host in {OWN, NAMED, "app.example"}
    own_origin = ALLOWED if sent.host == "app.example" else f"http://{sent.host}"
    is_own, is_allowed = sent.origin == own_origin, sent.origin == ALLOWED != own_origin
    if sent.origin is not None or sent.site is not None:
        if not names_us:
            return False
        if not is_allowed:
            if sent.origin is not None and not is_own:
                return False
            if sent.site not in (None, "none", "same-origin"):
                return False
    if not keys:
        return names_us or sent.host.partition(":")[0] in LOCAL
    if sent.token is not None:
        return sent.token == TOKEN
    return sent.has_session and names_us and not is_allowed and (is_own or sent.method in ("GET", "HEAD"))


@given(sent=sent_requests, keys=st.booleans())
def test_who_is_served_is_as_the_rules_say(sent: Sent, keys: bool) -> None:
    async def ask() -> tuple[Response | None, dict[str, object]]:
        sessions = Sessions()
        guard = Guard(ApiTable(token=TOKEN if keys else "", origins=(ALLOWED,)), sessions)
        cookie = f"{cookie_name(PORT)}={sessions.sessions.issue(ApiKey('token', None))}" if sent.has_session else None
        headers = {
            "host": sent.host,
            "origin": sent.origin,
            "sec-fetch-site": sent.site,
            "authorization": None if sent.token is None else f"Bearer {sent.token}",
            "cookie": cookie,
        }
        state: dict[str, object] = {}
        scope = {
            "type": "http",
            "method": sent.method,
            "path": "/api/status",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None],
            "client": ("127.0.0.1", 9),
            "server": ("127.0.0.1", PORT),
            "state": state,
        }
        return await guard.refuse(scope), state

    refused, state = trio.run(ask)
    assert (refused is None) == is_served(sent, keys=keys), refused and refused.body
    assert ("api_key" in state) == (keys and refused is None)
    assert ("reply_headers" in state) == (sent.origin == ALLOWED and sent.host in (OWN, NAMED))
