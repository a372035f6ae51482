"""The HTTP interface of a live node on loopback: a process of its own, started again and reported when it dies."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio
from hypothesis import strategies as st

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec, start_node
from tests.fuzz.target import One, Target, joined
from tests.support.asking import question_body

REPLY_S = 2.0
"""seconds for a reply to what may be no request at all; a poll that waits is left after them, which is no finding."""

REPLY_BYTES_MAX = 1024 * 1024
"""bytes that are read of a reply."""

HEALTHY_EVERY = 200
"""inputs between two looks at the process: whether it serves an honest request, and how large it has become."""

HEALTHY_S = 10.0
"""seconds for an honest request, on a machine that other work shares."""

GROWTH_BYTES_MAX = 256 * 1024 * 1024
"""bytes by which the process may grow (the bound on growth under any attack)."""


class Live:
    """A node's process, and what was sent to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lives = 0
        self._stack = AsyncExitStack()
        self._child: Child
        self._began_bytes = 0
        self._sent = 0

    async def start(self) -> None:
        """Start a node in a new folder."""
        self._lives += 1
        await self._stack.aclose()
        spec = NodeSpec(self._folder / str(self._lives), EngineConfig(kind="scripted"))
        self._child = await start_node(spec, self._stack)
        await self._honest()
        self._began_bytes = self._resident()

    async def stop(self) -> None:
        """End it."""
        await self._stack.aclose()

    async def one(self, data: bytes) -> None:
        """Send `data` and read what comes back. Raises AssertionError where the node has died or is ill."""
        self._sent += 1
        try:
            reply = await self._exchange(data)
        except OSError:
            await self._revive("it refuses connections")
        assert not reply.startswith(b"HTTP/1.1 500"), reply[:200]
        if self._child.process.returncode is not None:
            await self._revive("the process ended")
        if self._sent % HEALTHY_EVERY == 0:
            try:
                with trio.fail_after(HEALTHY_S):
                    await self._honest()
            except (OSError, trio.TooSlowError, AssertionError) as fault:
                await self._revive(f"an honest request failed: {fault!r}")
            grown = self._resident() - self._began_bytes
            assert grown <= GROWTH_BYTES_MAX, f"the node has grown by {grown} bytes"

    async def _revive(self, what: str) -> None:
        words = self._child.log.read_text(errors="replace").strip().splitlines()[-1:]
        await self.start()
        raise AssertionError(f"{what}; its last words: {''.join(words)[-500:]}")

    async def _exchange(self, data: bytes) -> bytes:
        host, _, port = self._child.url.removeprefix("http://").rpartition(":")
        reply = b""
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            with trio.move_on_after(REPLY_S):
                try:
                    await stream.send_all(data)
                    await stream.send_eof()
                    while len(reply) < REPLY_BYTES_MAX and (chunk := await stream.receive_some(65_536)):
                        reply += chunk
                except trio.BrokenResourceError:
                    pass  # it has heard enough, which is its right
        return reply

    async def _honest(self) -> None:
        reply = await self._exchange(get(b"/api/status"))
        assert reply.startswith(b"HTTP/1.1 200"), reply[:200]

    def _resident(self) -> int:
        pages = Path(f"/proc/{self._child.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096


@asynccontextmanager
async def open_node() -> AsyncIterator[One]:
    """Start a node, which must be alive at the end."""
    with tempfile.TemporaryDirectory() as folder:
        live = Live(Path(folder))
        try:
            await live.start()
            yield live.one
            await live._honest()
        finally:
            with trio.CancelScope(shield=True):
                await live.stop()


def get(path: bytes, *lines: bytes) -> bytes:
    """A request without a body, on a connection that ends with it."""
    return b"\r\n".join((b"GET " + path + b" HTTP/1.1", b"Host: localhost", *lines, b"Connection: close", b"", b""))


def post(path: bytes, body: bytes, *lines: bytes) -> bytes:
    """A request with a body."""
    head = (b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *lines)
    return b"\r\n".join((*head, b"Content-Length: " + str(len(body)).encode(), b"", body))


PATHS = [
    b"/api/status",
    b"/api/peers",
    b"/api/engine",
    b"/api/reputation",
    b"/metrics",
    b"/api/ask",
    b"/api/certificates/00",
    b"/api/certificates/" + b"0" * 64,
    b"/api/config",
    b"/api/ui-links",
    b"/?code=",
    b"/?code=%ff&code=0",
    b"/assets/..%2f__init__.py",
    b"/api/wait?offers=0&timeout_ms=1",
    b"/api/wait?offers=99&timeout_ms=-5",
    b"/",
    b"/api/ask/" + b"0" * 64,
    b"/%00%ff",
    b"*",
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONNECT = b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x42"

LINES = [
    b"Host: localhost\r\n",
    b"Host: \r\n",
    b"Host: \xc3\xa9.example\r\n",
    b"Connection: Upgrade, HTTP2-Settings\r\n",
    b"Upgrade: h2c\r\n",
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    b"HTTP2-Settings: \xff\r\n",
    b"Upgrade: websocket\r\n",
    b"Sec-WebSocket-Version: 13\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Sec-WebSocket-Extensions: \xff\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Expect: 100-continue\r\n",
    b"Authorization: Bearer x\r\n",
    b"Origin: http://evil\r\n",
    b"Origin: null\r\n",
    b"Origin: http://localhost\r\n",
    b"Sec-Fetch-Site: same-origin\r\n",
    b"Sec-Fetch-Site: cross-site\r\n",
    b"Access-Control-Request-Method: POST\r\n",
    b"Cookie: strand_4210=0; strand_4210=\xff; =;;\r\n",
    b"Cookie: " + b"c" * 9_000 + b"\r\n",
    b"\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\n",
    b"GET /api/status HTTP/1.0\r\n",
    b"GET /\xff HTTP/1.1\r\n",
    PREFACE,
    CONNECT,
]

BODIES = [
    json.dumps(question_body("q", timeout_ms=-5)).encode(),
    json.dumps(question_body("\ud800")).encode(),
    b"[" * 3000,
    b"null",
    json.dumps({"query": 1, "waves": "x"}).encode(),
    b'{"turns": [{"role": "user", "text": "' + b"\xff" * 20 + b'"}]}',
]

requests = st.one_of(
    st.sampled_from(PATHS).map(get),
    st.tuples(st.sampled_from(PATHS), st.sampled_from(BODIES)).map(lambda each: post(*each)),
    st.tuples(st.sampled_from(PATHS), joined(st.sampled_from(LINES), 8)).map(
        lambda each: b"GET " + each[0] + b" HTTP/1.1\r\n" + each[1] + b"\r\n"
    ),
    joined(st.one_of(st.sampled_from(LINES), st.binary(max_size=12)), 10),
)

HTTP = Target(
    name="http",
    open=open_node,
    seeds=lambda: [
        *map(get, PATHS),
        *(post(b"/api/ask", body) for body in BODIES),
        PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + CONNECT,
    ],
    tokens=[*LINES, *PATHS],
    structured=requests,
    mock_clock=False,
    guided=False,
    findings_max=20,
)
