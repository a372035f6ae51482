"""What many clients, slow ones and ones that go away may hold of a node's HTTP interface, and for how long."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.api.asking import Question
from node.api.operations import BODY_BYTES_MAX
from node.config import ApiTable, CapacityTable
from node.http import connection, edge
from node.http.body_sizes import LARGE_BODIES_MAX, BodyRoom
from node.http.edge import (
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    PAUSES_S,
    Edge,
    connections_max,
    describe,
    keep_serving,
)
from node.http.guard import Guard
from node.http.places import WAITS_MAX
from node.http.server import listen
from protocol.limits import CERTIFICATE_BYTES_MAX
from tests.support.asking import question_body
from tests.support.http_server import GET, PATIENCE_S, Served, hello, open_api, open_edge, read_all, statuses

HALF_OPEN = 300

WAIT = b"GET /api/wait?offers=99&timeout_ms=300000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

ENDING_GET = GET + b"Connection: close\r\n\r\n"


async def ask(served: Served, raw: bytes = ENDING_GET) -> bytes:
    """One honest exchange, which leaves both sides open until the server closes."""
    with trio.fail_after(PATIENCE_S):
        async with await served.connect(raw) as stream:
            return await read_all(stream)


async def is_closed(stream: trio.SocketStream) -> bool:
    """Wait for the server to close; a reset counts."""
    with suppress(trio.BrokenResourceError):
        await read_all(stream)
    return True


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab"]
)
async def test_an_honest_request_is_served_beside_half_open_connections(beginning: bytes) -> None:
    """More of them than there is room for; the oldest gave way, and nothing waits for their deadlines."""
    async with AsyncExitStack() as stack, open_edge(hello, connections_max=64) as served:
        streams = [await stack.enter_async_context(await served.connect(beginning)) for _ in range(HALF_OPEN)]
        with trio.fail_after(connection.REQUEST_S / 2):
            assert statuses(await ask(served)) == [200]
            assert await is_closed(streams[0])


async def test_an_honest_request_is_served_while_all_half_open_connections_stay() -> None:
    """Where there is room for all, none gives way: each can still finish its own request afterwards."""
    async with AsyncExitStack() as stack, open_edge(hello, connections_max=CONNECTIONS_MAX) as served:
        streams = [await stack.enter_async_context(await served.connect(ENDING_GET[:-2])) for _ in range(HALF_OPEN)]
        assert statuses(await ask(served)) == [200]
        for stream in streams:
            await stream.send_all(ENDING_GET[-2:])
        assert [statuses(await read_all(stream)) for stream in streams] == [[200]] * HALF_OPEN


async def test_a_connection_is_refused_only_while_every_other_is_served() -> None:
    """Nobody who is being served is sent away for a newcomer."""
    go_on = trio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    async with AsyncExitStack() as stack, open_edge(slow, connections_max=4) as served:
        streams = [await stack.enter_async_context(await served.connect(ENDING_GET)) for _ in range(4)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        async with await served.connect() as refused:
            reply = await read_all(refused)
        assert statuses(reply) == [503]
        assert b"retry-after: 1" in reply.lower()
        go_on.set()
        assert [statuses(await read_all(stream)) for stream in streams] == [[200]] * 4


async def test_what_does_not_come_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.2)
    monkeypatch.setattr(connection, "BODY_S", 0.2)
    async with open_edge(hello) as served:
        assert statuses(await ask(served, b"GET / HT")) == [408]
        assert statuses(await ask(served, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab")) == [
            408
        ]
        assert statuses(await ask(served, b"")) == []
        # Kept alive, and then idle.
        assert statuses(await ask(served, GET + b"\r\n")) == [200]


async def test_who_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_S", 0.2)
    ended = trio.Event()

    async def endless(_: Scope, __: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": bytes(1024 * 1024), "more_body": True})
        finally:
            ended.set()

    async with open_edge(endless) as served, await served.connect(GET + b"\r\n"):
        with trio.fail_after(PATIENCE_S):
            await ended.wait()


LARGE_REPLY = bytes(2 * 1024 * 1024)
"""More than the buffers of a connection hold."""


class Requests:
    """An application that notes what it is asked, and whose reply to /large is large."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.gave_up = trio.Event()
        """Set when the large reply has not been written."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        if scope["path"] != "/large":
            await hello(scope, receive, send)
            return
        length = str(len(LARGE_REPLY)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        try:
            await send({"type": "http.response.body", "body": LARGE_REPLY})
        finally:
            self.gave_up.set()


@asynccontextmanager
async def open_connection(app: ASGIApp) -> AsyncIterator[trio.SocketStream]:
    """A client with small buffers, whose connection to the application is served; the block's end waits for its end."""
    async with await listen("127.0.0.1", 0) as listener:
        client = await trio.open_tcp_stream(*listener.socket.getsockname())
        stream = await listener.accept()
    client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4_096)
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 4_096)

    async def serve() -> None:
        async with stream:
            await connection.Connection(stream, app, Guard(ApiTable()), BodyRoom()).serve()

    with trio.fail_after(PATIENCE_S):
        async with client, trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield client


@pytest.mark.parametrize(
    ("write_s", "ahead"), [(0.1, b""), (PATIENCE_S, b"GET /next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1_000)]
)
async def test_nothing_follows_a_reply_that_was_not_written_whole(
    monkeypatch: pytest.MonkeyPatch, write_s: float, ahead: bytes
) -> None:
    """At a40b8b3 the next reply stood amid the body of the one that a slow reader had not taken, or that was cut off
    because its client sent too far ahead.
    """
    monkeypatch.setattr(connection, "WRITE_S", write_s)
    app = Requests()
    reply = b""
    async with open_connection(app) as client:
        await client.send_all(GET.replace(b"/health/live", b"/large") + b"\r\n" + ahead)
        await app.gave_up.wait()
        with suppress(trio.BrokenResourceError):
            await client.send_all(GET + b"\r\n")
            reply = await read_all(client)
    assert app.paths == ["/large"]
    assert reply.count(b"HTTP/1.1") <= 1


async def test_requests_of_a_client_that_has_gone_are_not_worked_on() -> None:
    """At a40b8b3 all that it had sent ahead were, and honest clients waited meanwhile."""
    paths: list[str] = []
    gone = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await gone.wait()
        await hello(scope, receive, send)

    async with open_connection(app) as client:
        await client.send_all(200 * (GET + b"\r\n"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        await client.aclose()
        gone.set()
    # The first reply tells the system that nobody is there, the second one tells us.
    assert 1 <= len(paths) <= 3


@pytest.mark.parametrize("more", [b"", b"GET /next HTTP/1.1\r\n", b"x" * 3 * connection.HEADER_BYTES_MAX])
async def test_work_ends_when_its_client_goes_or_sends_far_ahead(more: bytes) -> None:
    """Bytes that wait behind the request hide nothing: at 044b2f0 a pipelined poll stayed for its 300 s."""
    began, ended = trio.Event(), trio.Event()

    async def long(_: Scope, __: Receive, ___: Send) -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_edge(long) as served:
        with trio.fail_after(PATIENCE_S):
            async with await served.connect(GET + b"\r\n" + more):
                await began.wait()
            await ended.wait()


async def test_abandoned_polls_give_their_places_back(tmp_path: Path) -> None:
    """There are so many places; each is free again once its client is gone."""
    async with open_api(tmp_path) as api:
        async with AsyncExitStack() as stack:
            for _ in range(WAITS_MAX):
                await stack.enter_async_context(await api.connect(WAIT))
            with trio.fail_after(PATIENCE_S):
                while statuses(await api.exchange(WAIT.replace(b"300000", b"0"))) == [200]:
                    pass
            assert statuses(await ask(api)) == [200]
        with trio.fail_after(PATIENCE_S):
            while statuses(await api.exchange(WAIT.replace(b"300000", b"0"))) != [200]:
                pass


async def test_an_ask_whose_client_hung_up_leaves_the_queue(tmp_path: Path) -> None:
    """It begins no round, and takes nobody's place."""
    body = json.dumps(question_body("Sum.")).encode()
    post = b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with open_api(tmp_path, capacity=CapacityTable(waiting_queries_max=1)) as api:
        assert api.node is not None
        assert '"offers":1' in (await ask(api, WAIT.replace(b"=99", b"=1") + ENDING_GET)).decode()
        queue, question = api.node.rounds.queue, Question.single("Sum.")
        tickets = [await queue.take_ticket(question, gold=False, since_ms=0) for _ in range(queue.tickets_max)]
        async with await api.connect(post):
            with trio.fail_after(PATIENCE_S):
                while statuses(await ask(api, post.replace(b"\r\nC", b"\r\nConnection: close\r\nC", 1))) != [503]:
                    pass
        with trio.fail_after(PATIENCE_S):
            while queue.waiting:
                await trio.testing.wait_all_tasks_blocked()
        async with await api.connect(post) as stream:
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert tickets[0] is not None
            tickets[0].release()
            with trio.fail_after(PATIENCE_S):
                assert statuses(await stream.receive_some(65_536)) == [200]


def upload(path: bytes, length: int, body: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        path,
        length,
        body,
    )


async def test_large_bodies_are_for_one_operation_and_few_at_once() -> None:
    """Others are refused by their header, so that nobody fills the memory by many large bodies."""
    sizes: list[int] = []

    async def measure(scope: Scope, receive: Receive, send: Send) -> None:
        sizes.append(len((await receive())["body"]))
        await hello(scope, receive, send)

    large = b"x" * CERTIFICATE_BYTES_MAX
    async with open_edge(measure) as served, AsyncExitStack() as stack:
        assert statuses(await ask(served, upload(b"/api/verify", len(large), large))) == [200]
        assert statuses(await ask(served, upload(b"/api/verify", len(large) + 1, b""))) == [413]
        assert statuses(await ask(served, upload(b"/api/ask", BODY_BYTES_MAX + 1, b""))) == [413]
        chunk = b"%x\r\n%s\r\n" % (BODY_BYTES_MAX + 1, b"x" * (BODY_BYTES_MAX + 1))
        head = b"POST /api/verify HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert statuses(await ask(served, head + chunk)) == [413], "a large body says its length"
        for _ in range(LARGE_BODIES_MAX):
            await stack.enter_async_context(await served.connect(upload(b"/api/verify", len(large), b"x")))
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert statuses(await ask(served, upload(b"/api/verify", len(large), b""))) == [503]
        assert statuses(await ask(served, upload(b"/api/verify", 3, b"abc"))) == [200], "a small one is read"
    assert sizes == [len(large), 3]


async def test_a_failure_of_ours_ends_its_own_connection_in_one_line() -> None:
    """Of bounded length, and with nothing of what the request held; how many there are is the log's to bound."""

    async def broken(scope: Scope, _: Receive, __: Send) -> None:
        secret = "a secret of the test"
        raise ValueError("no\nmore" + "." * 10_000 if scope["path"] else secret)

    with capture_logs() as logs:
        async with open_edge(broken) as served:
            for _ in range(3):
                reply = await ask(served)
                assert statuses(reply) == [500]
                assert "internal error" in json.loads(reply.rpartition(b"\r\n\r\n")[2])["error"]
    assert [line["event"] for line in logs] == ["api.connection_failed"] * 3
    for line in logs:
        assert len(json.dumps(line)) < 600
        assert "\n" not in line["reason"] and "secret" not in line["reason"]
        assert line["reason"].startswith("ValueError: no more...")
        assert "test_limits.py:" in line["reason"]


async def test_without_descriptors_a_waiting_connection_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "ACCEPT_PAUSE_S", 0.0)

    class Full(trio.abc.Listener[trio.SocketStream]):
        """A listener whose system has no descriptor left, once."""

        def __init__(self, inner: trio.SocketListener) -> None:
            self._inner = inner
            self.fails = False

        async def accept(self) -> trio.SocketStream:
            if self.fails:
                self.fails = False
                raise OSError(errno.EMFILE, "too many open files")
            return await self._inner.accept()

        async def aclose(self) -> None:
            await self._inner.aclose()

    inner = await listen("127.0.0.1", 0)
    listener, port = Full(inner), inner.socket.getsockname()[1]
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(Edge(hello, Guard(ApiTable()), 8).run, listener)
        served = Served("127.0.0.1", port)
        async with await served.connect(b"GET") as half_open:
            await trio.testing.wait_all_tasks_blocked(0.05)
            # The listener waits for a connection already: the one after that finds no descriptor.
            listener.fails = True
            with trio.fail_after(PATIENCE_S):
                assert statuses(await ask(served)) == [200]
                assert statuses(await ask(served)) == [200]
                assert await is_closed(half_open)
        nursery.cancel_scope.cancel()


async def test_an_api_that_fails_is_started_again_on_its_address(autojump_clock: MockClock) -> None:
    """With growing pauses up to a limit; what stands beside it in the nursery goes on."""
    starts: list[float] = []
    last = trio.Event()

    async def failing(listener: trio.SocketListener) -> None:
        assert listener.socket.fileno() >= 0
        starts.append(autojump_clock.current_time())
        if len(starts) == 10:
            last.set()
            await trio.sleep_forever()
        raise ExceptionGroup("in a nursery", [RuntimeError("broken")])

    with capture_logs() as logs:
        listener = await listen("127.0.0.1", 0)
        port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_serving, failing, listener, lambda: listen("127.0.0.1", port))
            await last.wait()
            nursery.cancel_scope.cancel()
    pauses = [round(after - before) for before, after in pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16, 32, *[PAUSES_S.longest] * 3]
    assert {line["reason"].split(" at ")[0] for line in logs} == {"RuntimeError: broken"}


async def test_an_address_that_was_taken_meanwhile_is_tried_again(autojump_clock: MockClock) -> None:
    ran: list[float] = []
    tries = iter([OSError(errno.EADDRINUSE, "in use"), OSError(errno.EADDRINUSE, "in use")])

    async def run(_: trio.SocketListener) -> None:
        ran.append(autojump_clock.current_time())
        if len(ran) == 2:
            await trio.sleep_forever()

    async def listen_again() -> trio.SocketListener:
        if (error := next(tries, None)) is not None:
            raise error
        return await listen("127.0.0.1", 0)

    with capture_logs() as logs, trio.move_on_after(100):
        await keep_serving(run, await listen("127.0.0.1", 0), listen_again)
    assert [round(at - ran[0]) for at in ran] == [0, 7]
    assert [line["pause_s"] for line in logs] == [1, 2, 4]


def test_connections_are_a_share_of_the_descriptors() -> None:
    assert connections_max(64) == CONNECTIONS_MIN
    assert connections_max(1_024) == 256
    assert connections_max(65_536) == CONNECTIONS_MAX


def test_an_exception_is_described_in_one_bounded_line() -> None:
    deep = BaseExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("a\nb" * 1_000)])])
    assert describe(deep).startswith("KeyError: ")
    assert len(describe(deep)) <= edge.DESCRIBED_CHARS_MAX
    assert "\n" not in describe(deep)


PROGRAM = """
import resource, sys
from node import logs
from node.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
logs.configure("info", "json")
print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "said"), [(256, 2_048, 2_048, 0), (128, 512, 512, 1), (2_048, 2_048, 2_048, 0)]
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(soft: int, hard: int, raised: int, said: int) -> None:
    command = [sys.executable, "-P", "-c", PROGRAM, str(soft), str(hard)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{raised} {raised}\n"
    assert done.stderr.count("\n") == said
    assert ("descriptors.limit_low" in done.stderr) == bool(said)
