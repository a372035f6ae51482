"""The places of requests: what half requests and slow work take, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.overlay.streams import StreamServer
from node.overlay.types import OverlayConfig

FAST, SLOW = "/strand/fast", "/strand/slow"
CONFIG = OverlayConfig(
    listen=("/ip4/127.0.0.1/tcp/0",), protocols=(FAST, SLOW), slow_protocols=(SLOW,), serve_timeout_ms=10_000
)
SERVE_S = CONFIG.serve_timeout_ms / 1000
SERVED_S = 60.0
"""Seconds that the handler of the slow protocol takes: more than a common one has."""
REFUSED = b"\xff\xff\xff\xff"


class Pipe:
    """A stream whose peer has sent `data`, and then nothing more."""

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)
        self.written = b""
        self.over = trio.Event()

    async def read(self, n: int | None = None) -> bytes:
        if not self._data:
            await self.over.wait()
            return b""
        read = bytes(self._data[:n])
        del self._data[:n]
        return read

    async def write(self, data: bytes) -> None:
        self.written += data

    async def close(self) -> None:
        self.over.set()

    async def reset(self) -> None:
        self.over.set()


def request(payload: bytes = b"do") -> bytes:
    return len(payload).to_bytes(4, "big") + payload


HALF = request()[:-1]
DONE = request(b"done")


class Serving:
    """A server whose streams run until the block ends."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._server = StreamServer(self._serve, CONFIG)

    async def _serve(self, protocol: str, _peer: bytes, _payload: bytes) -> bytes:
        if protocol == SLOW:
            await trio.sleep(SERVED_S)
        return b"done"

    async def send(self, protocol: str, peer: int, data: bytes) -> Pipe:
        pipe = Pipe(data)
        self._nursery.start_soon(self._server.run, protocol, bytes([peer]), pipe)
        await wait_all_tasks_blocked()
        return pipe


@asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    async with trio.open_nursery() as nursery:
        yield Serving(nursery)
        nursery.cancel_scope.cancel()


async def test_half_a_slow_request_ends_as_soon_as_any_other(autojump_clock: MockClock) -> None:
    async with serving() as at:
        half = await at.send(SLOW, 1, HALF)
        await half.over.wait()
        assert SERVE_S - 1 < autojump_clock.current_time() < SERVE_S + 1


async def test_half_requests_take_no_place_of_slow_work(autojump_clock: MockClock) -> None:  # noqa: ARG001 - the time
    async with serving() as at:
        for peer in range(20):
            await at.send(SLOW, peer, HALF)
        whole = await at.send(SLOW, 99, request())
        await trio.sleep(SERVED_S + 1)
        assert whole.written == DONE


async def test_slow_work_is_limited_and_takes_no_common_place(autojump_clock: MockClock) -> None:  # noqa: ARG001
    async with serving() as at:
        slow = [await at.send(SLOW, peer, request()) for peer in (0, 0, 1, 2, 3, 4)]
        assert [pipe.written for pipe in slow] == [b"", REFUSED, b"", b"", b"", REFUSED]
        common = [await at.send(FAST, peer % 10, request()) for peer in range(100)]
        assert all(pipe.written == DONE for pipe in common)
        await trio.sleep(SERVED_S + 1)
        assert [pipe.written for pipe in slow] == [DONE, REFUSED, DONE, DONE, DONE, REFUSED]
        assert (await at.send(SLOW, 4, request())).written == b"", "the places are free again"
