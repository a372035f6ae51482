"""Yamux with limits: what a peer may send, open and leave unread on one connection, and how long a write may take.

Stock libp2p logs a window overrun and stores its bytes, keeps any number of streams, and takes empty frames as fast as
they come. Here a peer that breaks the protocol or exceeds a limit loses its connection, and no more.
"""

from __future__ import annotations

import struct
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import structlog
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.utils import read_exactly
from libp2p.network.connection.exceptions import RawConnError
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError, MuxedStreamReset
from libp2p.stream_muxer.yamux import yamux
from libp2p.stream_muxer.yamux.yamux import FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN, Yamux, YamuxStream

from consensus.rounds.buckets import Bucket, Rate

_log = structlog.get_logger(__name__)

_HEADER: Final = struct.Struct(yamux.YAMUX_HEADER_FORMAT)
_WINDOW_BYTES: Final = yamux.DEFAULT_WINDOW_SIZE
_SEND_WINDOW_BYTES_MAX: Final = yamux.MAX_WINDOW_SIZE
"""More than this nobody needs to be allowed to send; a peer that grants it again and again counts no further."""

_FRAME_WRITE_S: Final = 10.0
"""One frame that the kernel does not take in this time means a dead connection."""
_FRAME_READ_S: Final = 30.0
"""A frame that was begun: 64 KiB at 20 kbit/s. Until then its bytes lie in memory."""
_STREAM_WRITE_S: Final = 15.0
_STREAM_WRITE_BYTES_PER_S: Final = 64 * 1024
"""A write to a stream may wait this long for the peer to read, and a second for each 64 KiB that it has read."""
_WINDOW_UPDATE_BYTES: Final = 32 * 1024
"""Received bytes after which the sender is told that the window is free again (the window is 256 KiB)."""

_CONNECTION_BYTES_MAX: Final = 1536 * 1024
"""Unread bytes of all streams of a connection, and the unfinished frames of their readers: one frame of 576 KiB, three
full windows. With a peer's requests (1 MiB) and its outbound queue (1.5 MiB) a connection holds at most 4 MiB."""
_FAIR_BYTES: Final = 640 * 1024
"""What every connection may hold, however much the others do: one frame of gossip."""
_PROCESS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Over this, all connections together, nobody may hold more than the fair share: 144 MiB with 128 connections."""

_STREAMS_MAX: Final = 64
"""Streams that the peer has opened and that are open: 32 of requests, and gossip, pings and identify."""
_OPENINGS: Final = Rate(64.0, 256.0)
"""Streams that a peer opens; each costs a task and a negotiation, 2 ms of CPU. Over this they are reset."""
_USELESS: Final = Rate(64.0, 512.0)
"""Frames that change nothing (empty ones, pings, those of streams that are gone). A stream reset by us leaves up to a
window of them on the way; whoever sends more than this is disconnected."""
_FRAMES: Final = Rate(512.0, 2_048.0)
"""Frames of any kind; over this they are read no faster, and the kernel holds the sender back. 8 MiB are 128 frames."""


class OverrunError(BaseLibp2pError):
    """The peer broke yamux's rules or exceeded a limit of ours. Consequence: the connection closes."""


class MuxedStream(YamuxStream):
    """A stream whose writes end in time and whose end wakes its readers and writers."""

    def __init__(self, stream_id: int, conn: Yamux, is_initiator: bool) -> None:
        super().__init__(stream_id, conn, is_initiator)
        self._granted = trio.Event()

    async def write(self, data: bytes) -> None:
        """Write all of `data`, or close the connection of a peer that does not read it in time.

        Raises MuxedStreamError where the stream is closed for sending, MuxedStreamReset where it fails.
        """
        deadline = trio.current_time() + _STREAM_WRITE_S
        sent = 0
        while sent < len(data):
            await self._wait_window(deadline + sent / _STREAM_WRITE_BYTES_PER_S)
            count = min(self.send_window, yamux.MAX_MESSAGE_SIZE - _HEADER.size, len(data) - sent)
            self.send_window -= count
            header = _HEADER.pack(0, yamux.TYPE_DATA, 0, self.stream_id, count)
            await self.conn._write_frame(header + data[sent : sent + count])
            sent += count

    async def _wait_window(self, deadline: float) -> None:
        while True:
            if self.reset_received:
                raise MuxedStreamReset("the stream was reset")
            if self.send_closed or self.closed or self.conn.event_shutting_down.is_set():
                raise MuxedStreamError("the stream is closed for sending")
            late = trio.current_time() >= deadline
            if self.send_window > 0 and not late:
                return
            self._granted = trio.Event()
            with trio.move_on_at(deadline):
                await self._granted.wait()
            if late:
                _log.info("connection.stalled", peer=str(self.conn.peer_id))
                with trio.CancelScope(shield=True):
                    await self.conn._cleanup_on_error()
                raise MuxedStreamReset("the peer did not read in time")

    def grant(self, count: int) -> None:
        """Note that the peer will take `count` bytes more."""
        self.send_window = min(self.send_window + count, _SEND_WINDOW_BYTES_MAX)
        self._granted.set()

    def wake(self) -> None:
        """Let waiting readers and writers look at the stream's state again."""
        self._granted.set()
        if (arrived := self.conn.stream_events.get(self.stream_id)) is not None:
            arrived.set()

    async def read(self, n: int | None = -1) -> bytes:
        """Up to `n` bytes, or all that is there. Stock re-creates the entry of a stream that ended while it waited.

        Raises MuxedStreamReset or MuxedStreamEOF where nothing more will come.
        """
        while True:
            buffer = self.conn.stream_buffers.get(self.stream_id)
            if buffer:
                taken = bytes(buffer if n is None or n < 0 else buffer[:n])
                del buffer[: len(taken)]
                if self.closed:
                    await self.conn._finalize_stream(self, fully_closed=True)
                await self._auto_tune_and_send_window_update(bytes_read=len(taken))
                return taken
            if self.reset_received:
                raise MuxedStreamReset("the stream was reset")
            arrived = self.conn.stream_events.get(self.stream_id)
            if self.recv_closed or buffer is None or arrived is None or self.conn.event_shutting_down.is_set():
                raise MuxedStreamEOF("the stream ended")
            await arrived.wait()
            if self.conn.stream_events.get(self.stream_id) is arrived:
                self.conn.stream_events[self.stream_id] = trio.Event()

    async def _auto_tune_and_send_window_update(self, *, bytes_read: int = 0) -> None:
        """One WINDOW_UPDATE for 32 KiB read: stock sends one encrypted frame for each read(), a third of all CPU time.

        Shielded, because a read that is cancelled here would lose the bytes that it has taken out of the buffer.
        """
        self._pending_recv_release += bytes_read
        if self._pending_recv_release >= _WINDOW_UPDATE_BYTES:
            pending, self._pending_recv_release = self._pending_recv_release, 0
            self.recv_window += pending
            with trio.CancelScope(shield=True):
                await self.send_window_update(pending)


class Muxer(Yamux):
    """A connection's streams, within limits."""

    _all: ClassVar[weakref.WeakSet[Muxer]] = weakref.WeakSet()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._claimed = 0
        self._openings = Bucket(_OPENINGS)
        self._useless = Bucket(_USELESS)
        self._frames = Bucket(_FRAMES)
        Muxer._all.add(self)

    # -- memory --------------------------------------------------------------------------------------------------------

    def held(self) -> int:
        """Bytes of the peer that lie in memory: unread ones, and unfinished frames of readers."""
        return self._claimed + sum(map(len, self.stream_buffers.values()))

    def require_room(self, count: int) -> None:
        """Raise OverrunError where `count` bytes more are too many for this connection or for the process."""
        held = self.held() + count
        if held > _CONNECTION_BYTES_MAX:
            raise OverrunError(f"{held} bytes unread on one connection")
        if held > _FAIR_BYTES and sum(muxer.held() for muxer in Muxer._all) + count > _PROCESS_BYTES_MAX:
            raise OverrunError(f"{held} bytes unread while memory for all connections is short")

    @contextmanager
    def claims(self) -> Iterator[bytearray]:
        """A buffer for a reader's unfinished frame; `claim` notes what it holds."""
        buffer = bytearray()
        try:
            yield buffer
        finally:
            self._claimed -= len(buffer)

    def claim(self, buffer: bytearray, data: bytes) -> None:
        """Add `data` to a buffer of `claims`. Raises OverrunError where the connection holds too much."""
        self.require_room(len(data))
        buffer += data
        self._claimed += len(data)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _write_frame(self, data: bytes) -> None:
        """Write a whole frame or close the connection: stock, a cancelled write leaves half a frame on the wire."""
        async with self._write_lock:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _FRAME_WRITE_S) as scope:
                await self.secured_conn.write(data)
            if scope.cancelled_caught:
                with trio.CancelScope(shield=True):
                    await self._cleanup_on_error()
                raise RawConnError("a frame could not be written in time")

    async def _cleanup_on_error(self) -> None:
        """Close at once, and wake who waits for a stream: stock leaves writers to their timeouts."""
        self.event_shutting_down.set()
        streams = list(self.streams.values())
        await super()._cleanup_on_error()
        for stream in streams:
            stream.wake()  # type: ignore[attr-defined]

    def _finalize_stream_locked(self, stream: YamuxStream, *, fully_closed: bool) -> None:
        """Drop what a reset stream holds and wake its readers: stock keeps the bytes 90 s, and the readers for ever."""
        if fully_closed and stream.reset_received:
            self.stream_buffers.pop(stream.stream_id, None)
            stream.wake()  # type: ignore[attr-defined]
        super()._finalize_stream_locked(stream, fully_closed=fully_closed)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def handle_incoming(self) -> None:
        """Take frames until the connection ends, for whatever reason; then all of it ends."""
        try:
            while not self.event_shutting_down.is_set():
                await self._take_frame()
        except OverrunError as fault:
            _log.info("connection.over_limit", peer=str(self.peer_id), reason=str(fault))
        except (BaseLibp2pError, OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError) as fault:
            _log.debug("connection.ended", peer=str(self.peer_id), reason=repr(fault)[:200])
        except Exception as fault:  # the overlay's edge: what one connection provokes ends that connection
            _log.warning("connection.failed", peer=str(self.peer_id), reason=repr(fault)[:200])
        if not self.event_closed.is_set():
            await self._cleanup_on_error()

    async def _take_frame(self) -> None:
        version, kind, flags, stream_id, length = _HEADER.unpack(await read_exactly(self.secured_conn, _HEADER.size))
        if version != 0:
            raise OverrunError(f"a frame of version {version}")
        if pause_s := self._frames.spend(1, trio.current_time()):
            await trio.sleep(pause_s)
        if kind in (yamux.TYPE_DATA, yamux.TYPE_WINDOW_UPDATE):
            await self._take_stream_frame(kind, flags, stream_id, length)
        elif kind == yamux.TYPE_PING:
            await self._take_ping(flags, length)
        elif kind == yamux.TYPE_GO_AWAY:
            self.event_shutting_down.set()
        else:
            raise OverrunError(f"a frame of type {kind}")

    async def _take_ping(self, flags: int, nonce: int) -> None:
        self._spend_useless("pings")
        if flags & FLAG_SYN:
            await self._write_frame(_HEADER.pack(0, yamux.TYPE_PING, FLAG_ACK, 0, nonce))
        elif flags & FLAG_ACK and not self._ping_event.is_set():
            sample = trio.current_time() - self._ping_sent_time
            self._rtt = (self._rtt + sample) / 2 if self._rtt else sample
            self._ping_event.set()

    async def _take_stream_frame(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        fresh = self._open_inbound(stream_id) if flags & FLAG_SYN else None
        stream = fresh or (None if flags & FLAG_SYN else self.streams.get(stream_id))
        body = await self._read_body(stream, length) if kind == yamux.TYPE_DATA else b""
        if self.streams.get(stream_id) is not stream or stream is None:
            self._spend_useless("frames of no stream")
            if flags & FLAG_SYN:
                await self._write_frame(_HEADER.pack(0, yamux.TYPE_WINDOW_UPDATE, FLAG_RST, stream_id, 0))
            return
        if body and stream.recv_closed:
            self._spend_useless("data after the end of its stream")
        elif body:
            self.stream_buffers[stream_id] += body
            stream.recv_window -= len(body)
        elif kind == yamux.TYPE_WINDOW_UPDATE and length:
            stream.grant(length)  # type: ignore[attr-defined]
        elif not flags:
            self._spend_useless("empty frames")
        self._take_end(stream, flags)
        stream.wake()  # type: ignore[attr-defined]
        if fresh is not None and not flags & FLAG_RST:
            await self._write_frame(_HEADER.pack(0, yamux.TYPE_WINDOW_UPDATE, FLAG_ACK, stream_id, 0))
            await self.new_stream_send_channel.send(fresh)

    def _open_inbound(self, stream_id: int) -> MuxedStream | None:
        """The stream that a SYN opens; None where the peer opens too many or too fast."""
        if stream_id % 2 == self.is_initiator_value or stream_id == 0 or stream_id in self.streams:
            raise OverrunError(f"a stream with the number {stream_id}")
        open_now = sum(not stream.is_initiator for stream in self.streams.values())
        if open_now >= _STREAMS_MAX or not self._openings.take(1, trio.current_time()):
            return None
        stream = MuxedStream(stream_id, self, False)
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = bytearray()
        self.stream_events[stream_id] = trio.Event()
        return stream

    async def _read_body(self, stream: YamuxStream | None, length: int) -> bytes:
        """The bytes of a DATA frame, whose length is checked before they are read."""
        if not length:
            return b""
        window = _WINDOW_BYTES if stream is None else stream.recv_window
        if length > window:
            raise OverrunError(f"{length} bytes for a window of {window}")
        self.require_room(length)
        with trio.move_on_after(_FRAME_READ_S):
            return await read_exactly(self.secured_conn, length)
        raise OverrunError("a frame was not finished in time")

    def _take_end(self, stream: YamuxStream, flags: int) -> None:
        if flags & FLAG_FIN:
            stream.recv_closed = True
            stream.closed = stream.closed or stream.send_closed
        if flags & FLAG_RST:
            stream.closed = stream.send_closed = stream.recv_closed = stream.reset_received = True
        if stream.closed:
            self._finalize_stream_locked(stream, fully_closed=True)

    def _spend_useless(self, what: str) -> None:
        if not self._useless.take(1, trio.current_time()):
            raise OverrunError(f"too many {what}")
