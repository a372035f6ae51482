"""Raw requests, hostile and odd, to the HTTP interface of a node: each gets a clean reply, and the node lives on."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from node.api.operations import BODY_BYTES_MAX
from node.http.connection import BODY_PIECES_MAX, HEADER_BYTES_MAX
from node.http.replies import SECURITY_HEADERS
from tests.support.http_server import GET, hello, open_api, open_edge, statuses


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field of HPACK, as it is."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"")
H2_CONNECT = _frame(1, 5, 1, _literal(b":method", b"CONNECT") + _literal(b":authority", b"x"))
H2_PATH = _frame(
    1,
    5,
    1,
    _literal(b":method", b"GET")
    + _literal(b":scheme", b"http")
    + _literal(b":authority", b"x")
    + _literal(b":path", b"/\xff\xe9"),
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)

ENDS_THE_PROCESS_OF_044B2F0 = {
    "HTTP/2: CONNECT without :path": (H2 + H2_CONNECT, [505]),
    "HTTP/2: a path that is not ASCII": (H2 + H2_PATH, [505]),
    "h2c with bad settings": (GET + H2C + b"A\r\n\r\n", [200]),
    "WebSocket with an extension that is not ASCII": (
        GET + WEBSOCKET + b"Sec-WebSocket-Extensions: \xff\xfe\r\n\r\n",
        [200],
    ),
}
"""Under hypercorn 0.18 each of these, without a token, raised in the node's nursery."""


def _post(path: bytes, headers: bytes, body: bytes = b"") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_QUESTION = b"Content-Length: 2\r\n"

ODD: dict[str, tuple[bytes, list[int]]] = {
    "HTTP/2's preface alone": (H2, [505]),
    "h2c": (GET + H2C + b"AAMAAABk\r\n\r\n", [200]),
    "WebSocket": (GET + WEBSOCKET + b"\r\n", [200]),
    "an upgrade to TLS": (GET + b"Connection: upgrade\r\nUpgrade: TLS/1.2, HTTP/2.0\r\n\r\n", [200]),
    "an upgrade of nothing": (GET + b"Upgrade: \xff\r\nConnection: \xff\r\n\r\n", [200]),
    "an upgrade with a body": (_post(b"/api/ask", b"Upgrade: h2c\r\n" + NO_QUESTION, b"{}"), [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), [400]),
    "HTTP/3": (b"GET / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n", [505]),
    "HTTP/1.0": (b"GET /health/live HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", [200]),
    "HTTP/1.0 without Host": (b"GET /health/live HTTP/1.0\r\n\r\n", [403]),
    "HTTP/0.9": (b"GET /\r\n\r\n", [400]),
    "HTTP/1.1 without Host": (b"GET / HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": (GET + b"Host: 127.0.0.1\r\n\r\n", [400]),
    "nothing": (b"", []),
    "empty lines": (b"\r\n\r\n\r\n", [400]),
    "half a line": (b"GET /hea", [400]),
    "NUL": (b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "a path that is not ASCII": (b"GET /\xff\xe9 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "a path of escapes": (b"GET /%ff%00%e2%28%a1/../%2e%2e/%c0%af HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [404]),
    "a slash too many": (b"GET /api/status/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [404]),
    "a broken escape": (b"GET /%zz%1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [404]),
    "a header that is not ASCII": (GET + b"X-Odd: \xff\xfe\r\n\r\n", [200]),
    "a header without a colon": (GET + b"odd\r\n\r\n", [400]),
    "a header with a line break": (GET + b"X: a\r\n b\r\n\r\n", [200]),
    "a long header": (GET + b"X: " + b"x" * 2 * HEADER_BYTES_MAX + b"\r\n\r\n", [431]),
    "many headers": (GET + b"X: x\r\n" * (HEADER_BYTES_MAX // 3) + b"\r\n", [431]),
    "a long path": (b"GET /" + b"x" * 2 * HEADER_BYTES_MAX + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [431]),
    "an absolute target": (b"GET http://127.0.0.1:1/health/live HTTP/1.1\r\nHost: other\r\n\r\n", [200]),
    "an absolute target elsewhere": (b"GET http://page.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [403]),
    "an absolute target with a user": (b"GET http://a@127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "an absolute target that is none": (b"GET http://[::1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "another scheme": (b"GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "CONNECT": (b"CONNECT page.example:443 HTTP/1.1\r\nHost: page.example:443\r\n\r\n", [400]),
    "CONNECT of a path": (b"CONNECT /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [405]),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "TRACE": (b"TRACE /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [405]),
    "an odd method": (b"!#$ /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [405]),
    "HEAD": (b"HEAD /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [200]),
    "HEAD in HTTP/3": (b"HEAD / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n", [505]),
    "HEAD with a long header": (b"HEAD" + GET[3:] + b"X: " + b"x" * HEADER_BYTES_MAX + b"\r\n\r\n", [431]),
    "HEAD of what is refused": (b"HEAD /health/live HTTP/1.1\r\nHost: page.example\r\n\r\n", [403]),
    "two in a row": (2 * (GET + b"\r\n"), [200, 200]),
    "two in a row, the second broken": (GET + b"\r\n" + b"\xff", [200, 400]),
    "two in a row, the first to close": (GET + b"Connection: close\r\n\r\n" + GET + b"\r\n", [200]),
    "a body nobody asked for": (GET + b"Content-Length: 3\r\n\r\nabc", [200]),
    "a body that does not come": (_post(b"/api/ask", b"Content-Length: 9\r\n", b"abc"), [400]),
    "two lengths": (_post(b"/api/ask", b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}"), [400]),
    "a negative length": (_post(b"/api/ask", b"Content-Length: -1\r\n"), [400]),
    "a length of letters": (_post(b"/api/ask", b"Content-Length: 0x9\r\n"), [400]),
    "a length beyond numbers": (_post(b"/api/ask", b"Content-Length: " + b"9" * 5_000 + b"\r\n"), [400]),
    "a length over the limit": (_post(b"/api/ask", f"Content-Length: {BODY_BYTES_MAX + 1}\r\n".encode()), [413]),
    "chunks": (_post(b"/api/ask", CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"), [400]),
    "chunks with extensions": (_post(b"/api/ask", CHUNKED, b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"), [400]),
    "chunks and a length": (_post(b"/api/ask", CHUNKED + NO_QUESTION, b"2\r\n{}\r\n0\r\n\r\n"), [400]),
    "chunks and a length, and what another server takes for the next request": (
        GET + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + GET + b"\r\n",
        [400],
    ),
    "chunks in HTTP/1.0": (b"GET /health/live HTTP/1.0\r\nHost: 127.0.0.1\r\n" + CHUNKED + b"\r\n0\r\n\r\n", [400]),
    "a chunk of 16 EiB": (_post(b"/api/ask", CHUNKED, b"FFFFFFFFFFFFFFFF\r\n{}"), [400]),
    "a chunk of no size": (_post(b"/api/ask", CHUNKED, b"zz\r\n"), [400]),
    "a chunk with an endless head": (_post(b"/api/ask", CHUNKED, b"2;" + b"x" * 4 * HEADER_BYTES_MAX), [431]),
    "an endless trailer": (_post(b"/api/ask", CHUNKED, b"0\r\nX: " + b"x" * 4 * HEADER_BYTES_MAX), [431]),
    "chunks over the limit": (_post(b"/api/ask", CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n" + b"1ffff\r\n"), [400]),
    "chunks of one byte": (_post(b"/api/ask", CHUNKED, b"1\r\nx\r\n" * 2 * BODY_PIECES_MAX), [413]),
    "another coding": (_post(b"/api/ask", b"Transfer-Encoding: gzip, chunked\r\n"), [501]),
    "100-continue": (_post(b"/api/ask", b"Expect: 100-continue\r\n" + NO_QUESTION, b"{}"), [400]),
    "100-continue of too much": (
        _post(b"/api/ask", f"Expect: 100-continue\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n".encode()),
        [413],
    ),
    "another expectation": (GET + b"Expect: \xff\r\n\r\n", [200]),
    "a wait in the past": (b"GET /api/wait?timeout_ms=-5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
}


def _body(reply: bytes) -> bytes:
    return reply.rpartition(b"\r\n\r\n")[2]


async def test_every_raw_request_gets_a_clean_reply_and_the_node_lives_on(tmp_path: Path) -> None:
    """One connection each, which the server closes, with one line of JSON and the headers of all replies."""
    async with open_api(tmp_path) as api:
        for name, (raw, expected) in {**ENDS_THE_PROCESS_OF_044B2F0, **ODD}.items():
            reply = await api.exchange(raw)
            assert statuses(reply) == expected, (name, reply)
            for header, value in SECURITY_HEADERS:
                assert reply.lower().count(header + b": " + value) == len(expected), (name, reply)
            if expected and expected[-1] != 200 and "HEAD" not in name:
                assert list(json.loads(_body(reply))) == ["error"], (name, reply)
            assert b"Traceback" not in reply and b".py" not in reply
            assert statuses(await api.exchange(GET + b"\r\n")) == [200], name


async def test_a_client_is_told_to_go_on_only_if_its_body_will_be_read(tmp_path: Path) -> None:
    """The interim reply comes before the body was sent, and not at all to who is refused."""
    async with open_api(tmp_path) as api:
        head = b"POST /api/ask HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        async with await api.connect(head % b"127.0.0.1") as stream:
            assert (await stream.receive_some(65_536)).startswith(b"HTTP/1.1 100 ")
            await stream.send_all(b"{}")
            assert statuses(await stream.receive_some(65_536)) == [400]
        assert statuses(await api.exchange(head % b"page.example")) == [403]


def _padded(size: int, *, begin: bytes = GET) -> bytes:
    """A request's header, or its last chunk with a trailer, of so many bytes."""
    begin += b"X: "
    return begin + b"x" * (size - len(begin) - 4) + b"\r\n\r\n"


async def test_a_header_is_counted_to_the_byte_however_it_comes() -> None:
    """At a40b8b3 one read more passed, and a header that was sent ahead could be twice as long."""
    async with open_edge(hello) as served:
        for raw, expected in (
            (_padded(HEADER_BYTES_MAX), [200]),
            (_padded(HEADER_BYTES_MAX + 1), [431]),
            (GET + b"\r\n" + _padded(HEADER_BYTES_MAX + 1), [200, 431]),
            (GET + CHUNKED + b"\r\n" + _padded(HEADER_BYTES_MAX, begin=b"0\r\n"), [200]),
            (GET + CHUNKED + b"\r\n" + _padded(HEADER_BYTES_MAX + 4, begin=b"0\r\n"), [431]),
            (GET + b"X: " + b"x" * 4 * HEADER_BYTES_MAX, [431]),
            (GET + CHUNKED + b"\r\n2;" + b"x" * 4 * HEADER_BYTES_MAX, [431]),
        ):
            reply = await served.exchange(raw)
            assert statuses(reply) == expected
            if expected[-1] == 431:
                assert f"at most {HEADER_BYTES_MAX} bytes" in json.loads(_body(reply))["error"]


HOSTILE_HEADERS: dict[str, tuple[dict[bytes, bytes], int]] = {
    "a local program by name": ({b"Host": b"LOCALHOST:80"}, 200),
    "the bind address": ({b"Host": b"127.0.0.2:4210"}, 200),
    "a rebound name": ({b"Host": b"page.example"}, 403),
    "a rebound name with our port": ({b"Host": b"page.example:PORT"}, 403),
    "a rebound name that looks local": ({b"Host": b"127.0.0.1.example"}, 403),
    "another machine": ({b"Host": b"127.0.0.3:PORT"}, 403),
    "a name with an end": ({b"Host": b"localhost."}, 403),
    "a port of letters": ({b"Host": b"localhost:x"}, 403),
    "a page": ({b"Sec-Fetch-Site": b"cross-site"}, 403),
    "a page of the same site": ({b"Sec-Fetch-Site": b"same-site"}, 403),
    "an odd page": ({b"Sec-Fetch-Site": b"\xff"}, 403),
    "a page of two kinds": ({b"Sec-Fetch-Site": b"same-origin\r\nSec-Fetch-Site: cross-site"}, 403),
    "the address bar": ({b"Sec-Fetch-Site": b"none"}, 200),
    "a page of ours that reads": ({b"Sec-Fetch-Site": b"same-origin"}, 200),
    "a page of ours": ({b"Sec-Fetch-Site": b"same-origin", b"Origin": b"http://127.0.0.1:PORT"}, 200),
    "a page of ours in an old browser": ({b"Origin": b"http://127.0.0.1:PORT"}, 200),
    "a page of ours by another name": ({b"Host": b"LocalHost:PORT", b"Origin": b"http://localhost:PORT"}, 200),
    "a page of ours by a name that it was not given": ({b"Origin": b"http://localhost:PORT"}, 403),
    "a page of ours under TLS": ({b"Origin": b"https://127.0.0.1:PORT"}, 403),
    "a rebound page": ({b"Host": b"page.example:PORT", b"Origin": b"http://page.example:PORT"}, 403),
    "a rebound page that reads": ({b"Host": b"page.example:PORT", b"Sec-Fetch-Site": b"same-origin"}, 403),
    "a page of another port": ({b"Origin": b"http://127.0.0.1:1"}, 403),
    "a page of another port that names it as ours": ({b"Host": b"127.0.0.1:1", b"Origin": b"http://127.0.0.1:1"}, 403),
    "a page that claims to be ours": ({b"Sec-Fetch-Site": b"cross-site", b"Origin": b"http://127.0.0.1:PORT"}, 403),
    "a form of another page": ({b"Origin": b"http://page.example", b"Content-Type": b"text/plain"}, 403),
    "an origin that is none": ({b"Origin": b"null"}, 403),
    "an origin that is none, on our port": ({b"Origin": b"null", b"Sec-Fetch-Site": b"same-origin"}, 403),
    "two origins": ({b"Origin": b"http://127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT"}, 403),
    "an empty origin": ({b"Origin": b""}, 403),
    "an origin that is not ASCII": ({b"Origin": b"\xff"}, 403),
}
"""PORT stands for the node's own."""


def _request(method: str, path: str, headers: Mapping[bytes, bytes], port: int = 80) -> bytes:
    given = {b"Host": b"127.0.0.1:PORT", b"Content-Length": b"0", b"Connection": b"close", **headers}
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in given.items())
    return (f"{method} {path} HTTP/1.1\r\n".encode() + lines + b"\r\n").replace(b"PORT", str(port).encode())


async def test_no_foreign_page_is_served_whatever_its_method(tmp_path: Path) -> None:
    async with open_api(tmp_path, host="127.0.0.2") as api:
        for name, (headers, status) in HOSTILE_HEADERS.items():
            for method, path, served in (
                ("GET", "/api/status", 200),
                ("HEAD", "/api/status", 200),
                ("POST", "/api/ask", 400),
                ("DELETE", "/api/peers", 405),
                ("OPTIONS", "/api/ask", 405),
                ("GET", "/metrics", 200),
            ):
                expected = served if status == 200 else status
                request = _request(method, path, headers, api.port)
                assert statuses(await api.exchange(request)) == [expected], (name, method)


GET_STATUS = GET.replace(b"/health/live", b"/api/status")
"""A request that needs the token, which probes do not."""

AUTHORIZATIONS: dict[str, tuple[bytes, int]] = {
    "right": (b"Authorization: Bearer a token of the test\r\n", 200),
    "right, in other letters": (b"authorization: bearer a token of the test\r\n", 200),
    "none": (b"", 401),
    "bare": (b"Authorization: a token of the test\r\n", 401),
    "another scheme": (b"Authorization: Basic a token of the test\r\n", 401),
    "empty": (b"Authorization: Bearer \r\n", 401),
    "twice": (2 * b"Authorization: Bearer a token of the test\r\n", 401),
    "its beginning": (b"Authorization: Bearer a token\r\n", 401),
    "with more": (b"Authorization: Bearer a token of the test!\r\n", 401),
    "not ASCII": (b"Authorization: Bearer \xff\xfe\r\n", 401),
}


async def test_only_the_whole_token_under_its_scheme_opens(tmp_path: Path) -> None:
    async with open_api(tmp_path, token="a token of the test") as api:
        for name, (header, status) in AUTHORIZATIONS.items():
            reply = await api.exchange(GET_STATUS + header + b"Connection: close\r\n\r\n")
            assert statuses(reply) == [status], name
            assert (b"www-authenticate: bearer" in reply.lower()) == (status == 401), name


@pytest.mark.parametrize("token", ["ümlaut und € als token", "x" * 512])
async def test_a_token_may_have_any_letters(tmp_path: Path, token: str) -> None:
    async with open_api(tmp_path, token=token) as api:
        header = b"Authorization: Bearer " + token.encode() + b"\r\n"
        assert statuses(await api.exchange(GET_STATUS + header + b"Connection: close\r\n\r\n")) == [200]
        assert statuses(await api.exchange(GET_STATUS + b"Connection: close\r\n\r\n")) == [401]


async def test_a_query_string_is_read_to_the_letter(tmp_path: Path) -> None:
    async with open_api(tmp_path) as api:
        for query, status in {
            "timeout_ms=0&offers=9": 200,
            "timeout_ms=5&offers=0": 200,
            "timeout_ms=-5": 400,
            "timeout_ms=": 400,
            "timeout_ms=1e3": 400,
            "timeout_ms=1_000": 400,
            "timeout_ms=%20%31": 400,
            "timeout_ms=%D9%A3": 400,
            "timeout_ms=" + "9" * 5_000: 400,
            "timeout_ms=1&timeout_ms=2": 400,
            "timeout=1": 400,
            "offers=many": 400,
            "offers=-1": 400,
            "%ff=%ff": 400,
        }.items():
            reply = await api.exchange(_request("GET", f"/api/wait?{query}", {}))
            assert statuses(reply) == [status], (query, reply)
            assert b"\n" not in _body(reply)
