"""Pages in browsers over a whole node: links that let them in, sessions, and origins that the owner allows."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import h11
import pytest

from node.dashboard import dashboard
from node.http.sessions import cookie_name
from tests.support.http_server import Served, open_api

TOKEN = "a token of the test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ALLOWED = "https://app.example"


@dataclass
class Reply:
    """One reply, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


@dataclass
class Browser:
    """What a browser does with this node's pages: it keeps cookies and tells where a request comes from."""

    served: Served
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.served.url

    async def request(self, method: str, path: str, **headers: str) -> Reply:
        """Send a request as these headers tell it; a header's name has underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Host", self.origin.removeprefix("http://"))
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parser = h11.Connection(h11.CLIENT)
        head = [*given.items(), ("Content-Length", "0"), ("Connection", "close")]
        raw = parser.send(h11.Request(method=method, target=path, headers=head)) or b""
        raw += parser.send(h11.EndOfMessage()) or b""
        parser.receive_data(await self.served.exchange(raw))
        parser.receive_data(b"")
        response = parser.next_event()
        assert isinstance(response, h11.Response)
        body = b""
        while isinstance(event := parser.next_event(), h11.Data):
            body += event.data
        reply = Reply(response.status_code, {name.decode(): value.decode() for name, value in response.headers}, body)
        for name, morsel in SimpleCookie(reply.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return reply

    async def open(self, path: str) -> Reply:
        """Type an address, and follow where it leads."""
        reply = await self.request("GET", path, Sec_Fetch_Site="none")
        while reply.status == 303:
            reply = await self.request("GET", reply.headers["location"], Sec_Fetch_Site="none")
        return reply

    async def post(self, path: str) -> Reply:
        """Post as a script of the node's own page does."""
        return await self.request("POST", path, Sec_Fetch_Site="same-origin", Origin=self.origin)


@asynccontextmanager
async def open_browser(folder: Path, **api: Any) -> AsyncIterator[Browser]:
    async with open_api(folder, **api) as served:
        yield Browser(served)


async def new_link(browser: Browser, **headers: str) -> str:
    reply = await browser.request("POST", "/api/ui-links", **BEARER, **headers)
    assert reply.status == 200
    link = json.loads(reply.body)
    assert link["valid_s"] == 60
    return str(link["url"])


async def test_a_link_lets_one_browser_in_once(tmp_path: Path) -> None:
    async with open_browser(tmp_path, token=TOKEN) as browser:
        refused = await browser.open("/")
        assert (refused.status, "`strand ui`" in refused.error) == (401, True)
        link = await new_link(browser)
        path = link.removeprefix(browser.origin)
        assert path.startswith("/?code=") and len(path) > 40
        opened = await browser.request("GET", path, Sec_Fetch_Site="none")
        assert opened.status == 303
        assert opened.headers["location"] == "/"
        name = cookie_name(browser.served.port)
        kept = opened.headers["set-cookie"].split("; ")
        assert kept[0].startswith(f"{name}=")
        assert {each.lower() for each in kept[1:]} == {"httponly", "max-age=43200", "path=/", "samesite=strict"}
        page = await browser.open("/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await browser.request("GET", "/api/status", Sec_Fetch_Site="same-origin")).status == 200
        assert (await browser.post("/api/resume")).status == 200
        # Again, by the one who is in and by another.
        assert (await browser.open(path)).status == 200
        assert (await Browser(browser.served).open(path)).status == 401


async def test_a_browser_without_a_session_is_told_in_plain_words(tmp_path: Path) -> None:
    """Programs get a line of JSON as ever; the page says no more than that, and its policy allows it nothing."""
    accepts = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    async with open_browser(tmp_path, token=TOKEN) as browser:
        program = await browser.request("GET", "/")
        page = await browser.request("GET", "/", Accept=accepts)
        assert (program.status, page.status) == (401, 401)
        assert (program.headers["content-type"], page.headers["content-type"]) == (
            "application/json",
            "text/html; charset=utf-8",
        )
        assert b"<pre>strand ui</pre>" in page.body and b"src=" not in page.body and b"href=" not in page.body
        same = ("www-authenticate", "content-security-policy", "cache-control", "x-content-type-options")
        assert all(program.headers[name] == page.headers[name] for name in same)
        # A link that was used, with whatever stands in it.
        spent = await browser.request("GET", "/?code=<script>alert(1)</script>".replace("<", "%3C"), Accept=accepts)
        assert (spent.status, spent.body) == (401, page.body)
        head = await browser.request("HEAD", "/", Accept=accepts)
        assert (head.status, head.body) == (401, b"")
        # What is no page, and what was refused for another reason.
        api = await browser.request("GET", "/api/status", Accept=accepts)
        foreign = await browser.request("GET", "/", Accept=accepts, Origin="https://page.example")
        assert [each.headers["content-type"] for each in (api, foreign)] == ["application/json"] * 2
        assert (api.status, foreign.status) == (401, 403)
        await browser.open((await new_link(browser)).removeprefix(browser.origin))
        assert (await browser.request("GET", "/", Accept=accepts)).status == 200


async def test_a_session_serves_nobody_but_pages_of_ours(tmp_path: Path) -> None:
    """Browsers attach its cookie to requests of other servers of this host; an old one tells nothing of the page."""
    async with open_browser(tmp_path, token=TOKEN, origins=(ALLOWED, "http://127.0.0.1:1")) as browser:
        await browser.open((await new_link(browser)).removeprefix(browser.origin))
        for headers, status in (
            ({}, 403),
            ({"Sec_Fetch_Site": "same-origin"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://page.example", "Content_Type": "text/plain"}, 403),
            # Its pages are served, but only with a token.
            ({"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"}, 401),
            ({"Host": "page.example"}, 403),
            ({"Origin": browser.origin}, 200),
        ):
            assert (await browser.request("POST", "/api/resume", **headers)).status == status, headers
        assert (await browser.request("GET", "/api/status")).status == 200
        assert (await browser.request("GET", "/api/status", Host="page.example")).status == 403
        # A right session hides no wrong token.
        assert (await browser.request("GET", "/api/status", Authorization="Bearer wrong")).status == 401
        # Another server of this host has set one of our name, for a path of ours.
        name = cookie_name(browser.served.port)
        session = browser.cookies[name]
        browser.cookies = {name: f"planted; {name}={session}"}
        assert (await browser.post("/api/resume")).status == 200
        browser.cookies = {cookie_name(1): session}
        assert (await browser.post("/api/resume")).status == 401


@pytest.mark.parametrize("code", ["", "code=", "code=%ff%00", "code=x&code=y", "code=" + "x" * 9_000, "&" * 9_000])
async def test_what_is_no_link_lets_nobody_in(tmp_path: Path, code: str) -> None:
    async with open_browser(tmp_path, token=TOKEN) as browser:
        reply = await browser.open(f"/?{code}")
        assert (reply.status, browser.cookies) == (401, {})


async def test_a_link_is_not_followed_for_another_page_or_under_another_name(tmp_path: Path) -> None:
    async with open_browser(tmp_path, token=TOKEN) as browser:
        path = (await new_link(browser)).removeprefix(browser.origin)
        assert (await browser.request("GET", path, Sec_Fetch_Site="cross-site")).status == 403
        assert (await browser.request("GET", path, Host="page.example")).status == 401
        assert (await browser.request("HEAD", path)).status == 401
        assert browser.cookies == {}
        assert (await browser.open(path)).status == 200


async def test_without_keys_the_page_needs_no_link(tmp_path: Path) -> None:
    async with open_browser(tmp_path) as browser:
        reply = await browser.post("/api/ui-links")
        assert json.loads(reply.body) == {"url": f"{browser.origin}/", "valid_s": None}
        assert (await browser.open("/")).status == 200
        assert (await browser.open("/?code=any")).status == 200
        assert browser.cookies == {}


async def test_a_page_of_an_allowed_origin_is_told_so(tmp_path: Path) -> None:
    """Also of a refusal, which its script could not read otherwise; others learn nothing by a preflight."""
    wanted = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    async with open_browser(tmp_path, token=TOKEN, origins=(ALLOWED,)) as browser:
        asked = await browser.request("OPTIONS", "/api/ask", Origin=ALLOWED, Sec_Fetch_Site="cross-site", **wanted)
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["access-control-allow-origin"] == ALLOWED
        assert "authorization" in asked.headers["access-control-allow-headers"]
        assert asked.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in asked.headers
        for headers, status in ((BEARER, 200), ({}, 401)):
            reply = await browser.request("GET", "/api/status", Origin=ALLOWED, **headers)
            assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, ALLOWED)
        assert (await browser.request("OPTIONS", "/api/ask", Origin=ALLOWED, Host="x.example", **wanted)).status == 403
        for other in ("https://page.example", f"{ALLOWED}.page.example", "http://app.example", f"{ALLOWED}:444"):
            reply = await browser.request("OPTIONS", "/api/ask", Origin=other, **wanted)
            assert reply.status == 403
            assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_an_application_that_is_a_page_inside_can_be_allowed(tmp_path: Path) -> None:
    """Its scheme is its own, and its name is no name of this node."""
    async with open_browser(tmp_path, origins=("app://notes.example", "https://[::1]:8080")) as browser:
        reply = await browser.request("POST", "/api/resume", Origin="app://notes.example")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "app://notes.example")
        for headers in ({"Host": "notes.example"}, {"Origin": "http://notes.example"}, {"Origin": "app://other"}):
            assert (await browser.request("POST", "/api/resume", **headers)).status == 403


async def test_behind_a_proxy_the_allowed_origin_is_the_nodes_own(tmp_path: Path) -> None:
    async with open_browser(tmp_path, token=TOKEN, origins=(ALLOWED,)) as browser:
        host = ALLOWED.removeprefix("https://")
        link = await new_link(browser, Host=host)
        assert link.startswith(f"{ALLOWED}/?code=")
        opened = await browser.request("GET", link.removeprefix(ALLOWED), Host=host, Sec_Fetch_Site="none")
        assert opened.status == 303
        assert "; secure" in opened.headers["set-cookie"].lower()
        for origin, status in ((ALLOWED, 200), ("http://app.example", 403)):
            assert (await browser.request("POST", "/api/resume", Host=host, Origin=origin)).status == status


async def test_a_link_leads_to_an_address_of_the_node_whatever_name_the_program_used(tmp_path: Path) -> None:
    async with open_browser(tmp_path, token=TOKEN) as browser:
        assert (await new_link(browser, Host="node.example:80")).startswith(f"{browser.origin}/?code=")
        local = f"localhost:{browser.served.port}"
        assert (await new_link(browser, Host=local)).startswith(f"http://{local}/?code=")


async def test_the_page_loads_files_of_this_node_that_a_browser_keeps(tmp_path: Path) -> None:
    async with open_browser(tmp_path) as browser:
        page = await browser.open("/")
        assert page.headers["cache-control"] == "no-store"
        policy = page.headers["content-security-policy"]
        assert f"script-src 'self' '{dashboard().map_hash}'" in policy and "unsafe" not in policy
        named = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
        assert {name.rpartition(".")[2] for name in named} == {"js", "css", "svg"}
        for name in named:
            reply = await browser.request("GET", name, Sec_Fetch_Site="same-origin")
            assert (reply.status, reply.headers["cache-control"]) == (200, "private, max-age=31536000, immutable")
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in reply.headers["content-security-policy"]
            head = await browser.request("HEAD", name, Sec_Fetch_Site="same-origin")
            assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(reply.body)))
            assert (await browser.request("POST", name, Origin=browser.origin)).status == 405


@pytest.mark.parametrize("name", ["none.js", "", "..%2f__init__.py", "%2e%2e/__init__.py", "versions.json", "a/b.js"])
async def test_no_other_file_is_served(tmp_path: Path, name: str) -> None:
    async with open_browser(tmp_path) as browser:
        reply = await browser.open(f"/assets/{name}")
        assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")


async def test_with_keys_files_need_a_session_too(tmp_path: Path) -> None:
    async with open_browser(tmp_path, token=TOKEN) as browser:
        path = f"/assets/{next(iter(dashboard().assets))}"
        assert (await browser.open(path)).status == 401
        await browser.open((await new_link(browser)).removeprefix(browser.origin))
        assert (await browser.open(path)).status == 200
