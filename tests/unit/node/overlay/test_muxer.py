"""Yamux's limits, frame by frame: the peer writes bytes by hand over a pair of streams in memory."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
import trio
from libp2p.abc import ISecureConn
from libp2p.exceptions import ParseError
from libp2p.io.exceptions import ConnectionClosedError, IncompleteReadError, MessageTooLarge
from libp2p.peer.id import ID
from libp2p.protocol_muxer.exceptions import MultiselectCommunicatorError
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamReset
from trio.testing import MockClock, memory_stream_pair

from node.overlay import bounds, fixes, muxer
from node.overlay.muxer import MuxedStream, Muxer, OverrunError

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
WINDOW_BYTES = 256 * 1024


class Pipe:
    """The secured connection below: one end of a pair in memory."""

    is_initiator = False

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self._stream = stream

    async def read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            try:
                part = await self._stream.receive_some(n - len(data))
            except trio.ClosedResourceError:
                part = b""
            if not part:
                raise ConnectionClosedError("the connection was closed")
            data += part
        return data

    async def write(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()


class Peer:
    """The other side, which keeps no rule. `frames` are those that came: kind, flags, stream, length."""

    def __init__(self, stream: trio.StapledStream[Any, Any], node: Muxer) -> None:
        self._stream = stream
        self.node = node
        self.frames: list[tuple[int, int, int, int]] = []
        self.got = 0
        self.on_data: Callable[[int, int], Any] = lambda _stream, _count: None

    async def send(self, kind: int, flags: int, stream: int, length: int, body: bytes = b"", times: int = 1) -> None:
        try:
            await self._stream.send_all((struct.pack("!BBHII", 0, kind, flags, stream, length) + body) * times)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            assert self.node.event_shutting_down.is_set()

    async def data(self, stream: int, count: int, flags: int = 0) -> None:
        for start in range(0, count, 64_000):
            part = min(64_000, count - start)
            await self.send(DATA, flags, stream, part, bytes(part))

    async def read(self) -> None:
        data = b""
        async for part in self._stream:
            data += part
            while len(data) >= 12:
                _, kind, flags, stream, length = struct.unpack("!BBHII", data[:12])
                size = length if kind == DATA else 0
                if len(data) < 12 + size:
                    break
                data = data[12 + size :]
                self.frames.append((kind, flags, stream, length))
                if kind == DATA:
                    self.got += length
                    await self.on_data(stream, length)

    async def closed(self) -> None:
        """Wait until the node has closed the connection."""
        with trio.fail_after(120):
            await self.node.event_closed.wait()

    async def open(self, stream: int = 1) -> MuxedStream:
        """A stream that the node has accepted."""
        await self.send(WINDOW, SYN, stream, 0)
        return cast(MuxedStream, await self.node.accept_stream())


@asynccontextmanager
async def connection() -> AsyncIterator[Peer]:
    fixes.apply()
    ours, theirs = memory_stream_pair()
    node = Muxer(cast(ISecureConn, Pipe(ours)), ID(b"peer"), is_initiator=False)
    peer = Peer(theirs, node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.start)
        nursery.start_soon(peer.read)
        await node.event_started.wait()
        yield peer
        nursery.cancel_scope.cancel()


async def nothing(_stream: int, _count: int) -> None:
    """The peer takes data and grants no more."""


# -- what is read ------------------------------------------------------------------------------------------------------


async def test_data_goes_both_ways_and_an_end_ends() -> None:
    async with connection() as peer:
        peer.on_data = nothing
        stream = await peer.open()
        await peer.data(1, 100_000)
        await peer.send(WINDOW, FIN, 1, 0)
        got = 0
        while got < 100_000:
            got += len(await stream.read(70_000))
        with pytest.raises(MuxedStreamEOF):
            await stream.read(1)
        await stream.write(bytes(200_000))
        await stream.close()
        assert peer.node.streams == {}
        assert (WINDOW, ACK, 1, 0) in peer.frames


async def test_a_window_overrun_closes_the_connection() -> None:
    async with connection() as peer:
        stream = await peer.open()
        await peer.data(1, WINDOW_BYTES)
        await trio.testing.wait_all_tasks_blocked()
        assert not peer.node.is_closed
        await peer.send(DATA, 0, 1, 1, b"x")
        await peer.closed()
        with pytest.raises(MuxedStreamReset):
            await stream.read(1)


async def test_unread_bytes_of_all_streams_together_are_bounded() -> None:
    async with connection() as peer:
        for number in range(1, 15, 2):
            await peer.open(number)
            await peer.data(number, WINDOW_BYTES)
        await peer.closed()
        assert peer.node.held() == 0


async def test_memory_of_all_connections_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds more than the fair share goes; the others stay."""
    monkeypatch.setattr(muxer, "_PROCESS_BYTES_MAX", 1024 * 1024)
    async with connection() as greedy, connection() as modest:
        await modest.open()
        await modest.data(1, WINDOW_BYTES)
        for number in range(1, 9, 2):
            await greedy.open(number)
            await greedy.data(number, WINDOW_BYTES)
        await greedy.closed()
        assert not modest.node.is_closed


@pytest.mark.parametrize(
    ("kind", "flags", "stream", "length"),
    [
        (DATA, SYN, 1, 2**31),  # an announced length that is over any window
        (9, 0, 0, 0),  # no such type
        (WINDOW, SYN, 2, 0),  # a number of our own
        (WINDOW, SYN, 0, 0),
    ],
)
async def test_broken_rules_close_the_connection(kind: int, flags: int, stream: int, length: int) -> None:
    async with connection() as peer:
        await peer.send(kind, flags, stream, length)
        await peer.closed()


async def test_a_frame_that_is_not_finished_closes_the_connection(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        await peer.open()
        await peer.send(DATA, 0, 1, 1_000, b"and then nothing")
        await peer.closed()


async def test_streams_of_a_peer_are_bounded_and_a_flood_of_them_ends_it(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        for number in range(64):
            await peer.open(2 * number + 1)
        await peer.send(WINDOW, SYN, 999, 0)
        await trio.testing.wait_all_tasks_blocked()
        assert (WINDOW, RST, 999, 0) in peer.frames
        assert len(peer.node.streams) == 64
        await peer.send(WINDOW, SYN, 1_001, 0, times=2_000)
        await peer.closed()


async def test_streams_opened_and_reset_at_once_are_paced(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        for number in range(2_000):
            await peer.send(WINDOW, SYN | RST, 2 * number + 1, 0)
        await peer.closed()


@pytest.mark.parametrize(
    ("kind", "flags", "stream"),
    [(DATA, 0, 1), (WINDOW, 0, 1), (DATA, 0, 77), (WINDOW, RST, 77), (PING, SYN, 0), (PING, ACK, 0)],
)
async def test_a_flood_of_useless_frames_closes_the_connection(
    kind: int, flags: int, stream: int, autojump_clock: MockClock
) -> None:
    async with connection() as peer:
        await peer.open()
        await peer.send(kind, flags, stream, 0, times=400)
        await trio.testing.wait_all_tasks_blocked()
        assert not peer.node.is_closed
        await peer.send(kind, flags, stream, 0, times=2_000)
        await peer.closed()


async def test_small_frames_are_read_no_faster_than_allowed(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        stream = await peer.open()
        started = trio.current_time()
        await peer.send(DATA, 0, 1, 1, b"x", times=5_000)
        got = 0
        while got < 5_000:
            got += len(await stream.read())
        assert trio.current_time() - started == pytest.approx((5_000 - 2_048) / 512, abs=0.1)


async def test_a_reset_wakes_readers_and_drops_what_was_unread() -> None:
    async with connection() as peer:
        stream, other = await peer.open(1), await peer.open(3)
        await peer.data(3, 100_000)
        ended: list[str] = []

        async def read() -> None:
            try:
                await stream.read(1)
            except MuxedStreamReset:
                ended.append("reset")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await stream.reset()  # by ourselves: stock leaves the reader waiting
            await other.reset()
        assert ended == ["reset"]
        assert (peer.node.held(), peer.node.streams, peer.node.stream_events) == (0, {}, {})


# -- what is written ---------------------------------------------------------------------------------------------------


async def test_a_peer_that_reads_nothing_loses_its_connection(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        peer.on_data = nothing
        stream = await peer.open()
        started = trio.current_time()
        with pytest.raises(MuxedStreamReset):
            await stream.write(bytes(1024 * 1024))
        assert trio.current_time() - started == pytest.approx(15 + 4, abs=0.1)
        assert peer.node.is_closed
        assert peer.got == WINDOW_BYTES


async def test_a_peer_that_reads_too_slowly_loses_its_connection_and_a_slow_one_does_not(
    autojump_clock: MockClock,
) -> None:
    for pause_s, whole in ((0.9, True), (2.0, False)):

        async def grant(stream: int, count: int, pause_s: float = pause_s) -> None:
            await trio.sleep(pause_s * count / 64_000)
            await peer.send(WINDOW, 0, stream, count)

        async with connection() as peer:
            peer.on_data = grant
            stream = await peer.open()
            if whole:
                await stream.write(bytes(8 * 1024 * 1024))
            else:
                with pytest.raises(MuxedStreamReset):
                    await stream.write(bytes(8 * 1024 * 1024))


# -- frames of pubsub, lines of multistream ----------------------------------------------------------------------------


class _NetStream:
    """What libp2p's network puts around a stream, as far as `read_frame` looks."""

    def __init__(self, stream: MuxedStream) -> None:
        self.muxed_conn = stream.muxed_conn
        self.read = stream.read


async def test_a_frame_that_is_not_finished_in_time_is_given_up(autojump_clock: MockClock) -> None:
    async with connection() as peer:
        stream = await peer.open()
        await peer.send(DATA, 0, 1, 9, b"\xa0\x8d\x06" + b"frame!")
        with pytest.raises(MessageTooLarge, match="in time"):
            await bounds.read_frame(cast(Any, _NetStream(stream)), 500_000)
        assert peer.node.held() == 0


async def test_unfinished_frames_of_many_streams_count_together() -> None:
    """They lie in their readers' buffers, not in the streams', and the connection ends all the same."""
    async with connection() as peer:
        held: list[int] = []

        async def read(stream: MuxedStream) -> None:
            # The last: another stream's overrun closed the connection amid what this one writes.
            with pytest.raises((OverrunError, MuxedStreamReset, trio.ClosedResourceError)):
                await bounds.read_frame(cast(Any, _NetStream(stream)), 500_000)

        async with trio.open_nursery() as nursery:
            for number in range(1, 21, 2):
                nursery.start_soon(read, await peer.open(number))
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it may end amid what we send
                for number in range(1, 21, 2):
                    await peer.send(DATA, 0, number, 3, b"\xa0\xc2\x1e")  # a frame of 500,000 bytes
                    await peer.data(number, 240_000)
                    await trio.testing.wait_all_tasks_blocked()
                    held.append(peer.node.held())
            await peer.closed()
        assert 1_400_000 < max(held) <= 1536 * 1024
        assert peer.node.held() == 0


class _Bytes:
    """A reader of bytes that are there."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int | None = None) -> bytes:
        data, self._data = self._data[:n], self._data[len(self._data[:n]) :]
        return data


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xff" * 11, ParseError),
        (b"\x80" * 10 + b"\x01", ParseError),
        (b"\xff" * 9 + b"\x7f", MessageTooLarge),
        (b"\x0b", MessageTooLarge),
        (b"", IncompleteReadError),
        (b"\x05four", IncompleteReadError),
    ],
)
async def test_a_length_is_checked_before_its_message_is_read(data: bytes, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        await bounds.read_message(cast(Any, _Bytes(data)), 10)


@pytest.mark.parametrize("data", [b"\x81\x08" + b"x" * 1024 + b"\n", b"\x02no", b"\x00", b"\x02\xff\n", b""])
async def test_what_is_no_line_of_multistream_is_refused(data: bytes) -> None:
    fixes.apply()
    with pytest.raises(MultiselectCommunicatorError):
        await MultiselectCommunicator(cast(Any, _Bytes(data))).read()


async def test_lines_of_one_negotiation_are_counted() -> None:
    fixes.apply()
    communicator = MultiselectCommunicator(cast(Any, _Bytes(b"\x03no\n" * 100)))
    for _ in range(64):
        assert await communicator.read() == "no"
    with pytest.raises(MultiselectCommunicatorError, match="64 lines"):
        await communicator.read()
