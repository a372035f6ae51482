"""Yamux with limits on what a peer may send, open and leave unread on one connection, and on the time of a write.

Stock libp2p logs a window overrun and stores its bytes, keeps any number of streams, and takes empty frames at any
rate. Here a peer that breaks the protocol or exceeds a limit loses its connection, and nothing else.
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
from node.overlay.types import Traffic

_log = structlog.get_logger(__name__)

_HEADER: Final = struct.Struct(yamux.YAMUX_HEADER_FORMAT)
_WINDOW_BYTES: Final = yamux.DEFAULT_WINDOW_SIZE
_SEND_WINDOW_BYTES_MAX: Final = yamux.MAX_WINDOW_SIZE
"""Largest send window: no peer needs to grant more, and further grants do not add up."""

_FRAME_WRITE_S: Final = 10.0
"""Seconds for the kernel to take one frame; after that the connection is dead."""
_FRAME_READ_S: Final = 30.0
"""Seconds to complete a frame: 64 KiB at 20 kbit/s. Until then its bytes occupy memory."""
_STREAM_WRITE_S: Final = 15.0
_STREAM_WRITE_BYTES_PER_S: Final = 64 * 1024
"""A write to a stream waits at most _STREAM_WRITE_S for the peer to read, and a second for each 64 KiB that it has
read."""
_WINDOW_UPDATE_BYTES: Final = 32 * 1024
"""Received bytes after which the sender is informed that the window is free again (the window is 256 KiB)."""

_CONNECTION_BYTES_MAX: Final = 1536 * 1024
"""Unread bytes of all streams of a connection, and the unfinished frames of their readers: one frame of 576 KiB, three
full windows. With a peer's requests (1 MiB) and its outbound queue (1.5 MiB) a connection holds at most 4 MiB."""
_FAIR_BYTES: Final = 640 * 1024
"""Bytes that every connection may hold, however much the others do: one frame of gossip."""
_PROCESS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of all connections together above which none may hold more than the fair share: 144 MiB with 128 connections.
"""

_STREAMS_MAX: Final = 64
"""Open streams that the peer opened: 32 of requests, and gossip, pings and identify."""
_OPENINGS: Final = Rate(64.0, 256.0)
"""Rate at which a peer may open streams; each costs a task and a negotiation, 2 ms of CPU. Further ones are reset."""
_USELESS: Final = Rate(64.0, 512.0)
"""Rate of frames without effect (empty ones, pings, those of closed streams). A stream that we reset leaves up to a
window of them on the way; a peer that sends more than this rate is disconnected."""
_FRAMES: Final = Rate(512.0, 2_048.0)
"""Rate of frames of any kind. Above it they are read no faster, and the kernel slows the sender. 8 MiB are 128 frames.
"""


class OverrunError(BaseLibp2pError):
    """The peer broke yamux's rules or exceeded a limit of ours. Consequence: the connection closes."""


class MuxedStream(YamuxStream):
    """A stream with a deadline for its writes, whose end wakes its readers and writers."""

    def __init__(self, stream_id: int, conn: Yamux, is_initiator: bool) -> None:
        super().__init__(stream_id, conn, is_initiator)
        self._granted = trio.Event()

    async def write(self, data: bytes) -> None:
        """Write all of `data`, or close the connection of a peer that does not read it in time.

        Raises MuxedStreamError if the stream is closed for sending, MuxedStreamReset if it fails.
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
        """Add `count` bytes to the send window."""
        self.send_window = min(self.send_window + count, _SEND_WINDOW_BYTES_MAX)
        self._granted.set()

    def wake(self) -> None:
        """Wake waiting readers and writers, so that they check the stream's state again."""
        self._granted.set()
        if (arrived := self.conn.stream_events.get(self.stream_id)) is not None:
            arrived.set()

    async def read(self, n: int | None = -1) -> bytes:
        """Read up to `n` bytes, or all available. Stock re-creates the entry of a stream that ended while it waited.

        Raises MuxedStreamReset or MuxedStreamEOF if nothing more will come.
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
        """Send one WINDOW_UPDATE per 32 KiB read: stock sends one encrypted frame per read(), a third of all CPU time.

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

    traffic: ClassVar[Traffic] = Traffic()
    """Bytes of all connections of this process, ended ones included."""
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
        """Return the bytes of the peer in memory: unread ones, and unfinished frames of readers."""
        return self._claimed + sum(map(len, self.stream_buffers.values()))

    def require_room(self, count: int) -> None:
        """Raise OverrunError if `count` more bytes are too many for this connection or for the process."""
        held = self.held() + count
        if held > _CONNECTION_BYTES_MAX:
            raise OverrunError(f"{held} bytes unread on one connection")
        if held > _FAIR_BYTES and sum(muxer.held() for muxer in Muxer._all) + count > _PROCESS_BYTES_MAX:
            raise OverrunError(f"{held} bytes unread while memory for all connections is short")

    @contextmanager
    def claims(self) -> Iterator[bytearray]:
        """Provide a buffer for a reader's unfinished frame; `claim` accounts for its bytes."""
        buffer = bytearray()
        try:
            yield buffer
        finally:
            self._claimed -= len(buffer)

    def claim(self, buffer: bytearray, data: bytes) -> None:
        """Add `data` to a buffer of `claims`. Raises OverrunError if the connection holds too much."""
        self.require_room(len(data))
        buffer += data
        self._claimed += len(data)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _write_frame(self, data: bytes) -> None:
        """Write a whole frame or close the connection: in stock, a cancelled write leaves half a frame on the wire."""
        async with self._write_lock:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _FRAME_WRITE_S) as scope:
                await self.secured_conn.write(data)
                Muxer.traffic.sent_bytes += len(data)
            if scope.cancelled_caught:
                with trio.CancelScope(shield=True):
                    await self._cleanup_on_error()
                raise RawConnError("a frame could not be written in time")

    async def _cleanup_on_error(self) -> None:
        """Close at once, and wake tasks that wait for a stream: stock leaves writers to their timeouts."""
        self.event_shutting_down.set()
        streams = list(self.streams.values())
        await super()._cleanup_on_error()
        for stream in streams:
            stream.wake()  # type: ignore[attr-defined]

    def _finalize_stream_locked(self, stream: YamuxStream, *, fully_closed: bool) -> None:
        """Drop a reset stream's bytes and wake its readers: stock keeps the bytes 90 s, and the readers for ever."""
        if fully_closed and stream.reset_received:
            self.stream_buffers.pop(stream.stream_id, None)
            stream.wake()  # type: ignore[attr-defined]
        super()._finalize_stream_locked(stream, fully_closed=fully_closed)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def handle_incoming(self) -> None:
        """Take frames until the connection ends, for whatever reason; then close all of it."""
        try:
            while not self.event_shutting_down.is_set():
                await self._take_frame()
        except OverrunError as fault:
            _log.info("connection.over_limit", peer=str(self.peer_id), reason=str(fault))
        except (BaseLibp2pError, OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError) as fault:
            _log.debug("connection.ended", peer=str(self.peer_id), reason=repr(fault)[:200])
        except Exception as fault:  # the overlay's edge: a fault caused by one connection ends that connection
            _log.warning("connection.failed", peer=str(self.peer_id), reason=repr(fault)[:200])
        if not self.event_closed.is_set():
            await self._cleanup_on_error()

    async def _take_frame(self) -> None:
        version, kind, flags, stream_id, length = _HEADER.unpack(await read_exactly(self.secured_conn, _HEADER.size))
        Muxer.traffic.received_bytes += _HEADER.size
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
        """Return the stream that a SYN opens; None if the peer opens too many or too fast."""
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
        """Read the bytes of a DATA frame, after checking its length."""
        if not length:
            return b""
        window = _WINDOW_BYTES if stream is None else stream.recv_window
        if length > window:
            raise OverrunError(f"{length} bytes for a window of {window}")
        self.require_room(length)
        with trio.move_on_after(_FRAME_READ_S):
            body = await read_exactly(self.secured_conn, length)
            Muxer.traffic.received_bytes += length
            return body
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
