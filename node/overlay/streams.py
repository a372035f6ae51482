"""Requests over authenticated streams: a big-endian u32 length and the bytes, each way, one at a time.

A response length of 0xFFFFFFFF means that the request was refused. A stream that answered is reused for the next
request to the same peer and protocol, which saves the two round trips and 2 ms of opening one.
"""

from __future__ import annotations

import collections
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, Protocol

import structlog
import trio
from libp2p.exceptions import BaseLibp2pError

from node.overlay.types import OverlayConfig, PeerUnreachable, Refused, RequestRefused

_log = structlog.get_logger(__name__)

_LENGTH_BYTES: Final = 4
_REFUSED: Final = b"\xff\xff\xff\xff"

_REQUESTS_PER_PEER_MAX: Final = 8
"""Own concurrent requests to one peer; more wait. Half of what the other side serves, so that none is refused because
its predecessor is still counted there."""
_REQUESTS_MAX: Final = 256
"""Own concurrent requests; more wait. Measured: 300 concurrent streams without an error."""
_IDLE_PER_PEER_MAX: Final = 2
"""Reused streams for one peer and protocol: a request and its neighbour."""
_IDLE_SHARE: Final = 0.5
"""Share of the idle time after which the asking side drops a stream, so that it rarely meets a closed one."""
_STREAMS_PER_PEER_MAX: Final = 32
"""Open request streams of one peer, idle or not."""
_SERVED_PER_PEER_MAX: Final = 16
"""Requests of one peer being read or served at once."""
_SERVED_MAX: Final = 64
"""Requests of all peers being read or served at once."""
_SLOW_PER_PEER_MAX: Final = 1
_SLOW_MAX: Final = 4
"""Requests of slow protocols being served at once, for each peer and for all, counted apart: work of minutes must not
take the places of requests that take milliseconds. They are read as all others are, so half a request takes none."""
_REQUESTS_BYTES_PER_PEER_MAX: Final = 1024 * 1024
_REQUESTS_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of those requests: two of the largest for each peer, 64 for all."""
_RESPONSES_BYTES_PER_PEER_MAX: Final = 1024 * 1024
_RESPONSES_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of responses that wait to be read, for each peer and for all. A larger one is sent if it is a peer's only one:
a certificate of 8 MiB is rare, and a peer that does not read it is disconnected after 15 s (muxer.py)."""
_AWAITED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of responses that our requests are receiving; a response that would exceed them is dropped."""
_RESET_S: Final = 1.0
"""Seconds for informing the other side that a stream is over."""

FAULTS: Final = (BaseLibp2pError, OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError)
"""Errors of libp2p for faults of the other side or the network."""


class Stream(Protocol):
    """The part of a libp2p stream that is used."""

    async def read(self, n: int | None = None) -> bytes:
        """Read up to `n` bytes; empty at the end of the stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of `data`."""
        ...

    async def close(self) -> None:
        """Close the stream for sending."""
        ...

    async def reset(self) -> None:
        """End the stream in both directions."""
        ...


class _Stale(Exception):
    """The stream failed before a byte of the response came."""


async def read_exactly(stream: Stream, count: int) -> bytes:
    """Read `count` bytes. Raises EOFError if the stream ends before."""
    data = bytearray()  # a list of chunks costs a peer's smallest frames fifty times their size
    while len(data) < count:
        chunk = await stream.read(count - len(data))
        if not chunk:
            raise EOFError("the stream ended")
        data += chunk
    return bytes(data)


async def _discard(stream: Stream, count: int) -> None:
    """Read and discard `count` bytes, so that the other side can finish its request and receive the refusal."""
    while count > 0:
        chunk = await stream.read(count)
        if not chunk:
            raise EOFError("the stream ended")
        count -= len(chunk)


async def abandon(stream: Stream) -> None:
    """Reset a stream, even from a cancelled task: otherwise it stays in the connection's tables."""
    with trio.CancelScope(shield=True, deadline=trio.current_time() + _RESET_S):
        try:
            await stream.reset()
        except FAULTS:
            return


class StreamClient:
    """Sends requests. `open_stream(peer, protocol)` opens a stream, dialling first if necessary."""

    def __init__(self, open_stream: Callable[[bytes, str], Awaitable[Stream]], config: OverlayConfig) -> None:
        self._open_stream = open_stream
        self._response_bytes_max = config.stream_response_bytes_max
        self._idle_s = config.stream_idle_ms / 1000 * _IDLE_SHARE
        self._slots = trio.CapacityLimiter(_REQUESTS_MAX)
        self._lanes: dict[bytes, trio.CapacityLimiter] = {}
        self._idle: dict[tuple[bytes, str], collections.deque[tuple[Stream, float]]] = {}
        self._awaited_bytes = 0

    async def request(self, peer: bytes, protocol: str, payload: bytes, timeout_ms: int) -> bytes:
        """Send a request and return its response: the implementation of `Overlay.request`."""
        request = len(payload).to_bytes(_LENGTH_BYTES, "big") + payload
        try:
            with trio.fail_after(timeout_ms / 1000):
                async with self._lane(peer), self._slots:
                    return await self._exchange(peer, protocol, request)
        except trio.TooSlowError:
            raise PeerUnreachable(f"no response within {timeout_ms} ms") from None

    def drop(self, peer: bytes) -> None:
        """Forget the streams to a peer that is gone; they ended with its connection."""
        for held in [held for held in self._idle if held[0] == peer]:
            del self._idle[held]

    async def sweep(self) -> None:
        """Drop streams that have been idle for too long."""
        too_old = trio.current_time() - self._idle_s
        for held, streams in list(self._idle.items()):
            while streams and streams[0][1] <= too_old:
                await abandon(streams.popleft()[0])
            if not streams and self._idle.get(held) is streams:
                del self._idle[held]

    @asynccontextmanager
    async def _lane(self, peer: bytes) -> AsyncIterator[None]:
        """Wait for one of the places for requests to `peer`. The table holds only peers with pending requests."""
        lane = self._lanes.setdefault(peer, trio.CapacityLimiter(_REQUESTS_PER_PEER_MAX))
        try:
            async with lane:
                yield
        finally:
            statistics = lane.statistics()
            if not statistics.borrowed_tokens and not statistics.tasks_waiting:
                self._lanes.pop(peer, None)

    async def _exchange(self, peer: bytes, protocol: str, request: bytes) -> bytes:
        stream = self._take_idle(peer, protocol)
        if stream is not None:
            try:
                return await self._round_trip(stream, peer, protocol, request)
            except _Stale:
                pass  # the other side had closed it: the answer of a new stream counts
        try:
            stream = await self._open_stream(peer, protocol)
            return await self._round_trip(stream, peer, protocol, request)
        except (_Stale, *FAULTS) as fault:
            raise PeerUnreachable(f"the stream failed: {fault!r}"[:200]) from fault

    async def _round_trip(self, stream: Stream, peer: bytes, protocol: str, request: bytes) -> bytes:
        """Send one request and read its response. The stream is reused if both are complete, else reset."""
        whole = False
        try:
            try:
                await stream.write(request)
                header = await read_exactly(stream, _LENGTH_BYTES)
            except FAULTS as fault:
                raise _Stale(repr(fault)) from fault
            if header == _REFUSED:
                raise RequestRefused("the peer declined to serve the request")
            length = int.from_bytes(header, "big")
            if length > self._response_bytes_max:
                raise PeerUnreachable(f"a response of {length} bytes is over the limit of {self._response_bytes_max}")
            response = await self._receive(stream, length)
            whole = True
            return response
        finally:
            if not whole or not self._keep_idle(stream, peer, protocol):
                await abandon(stream)

    async def _receive(self, stream: Stream, length: int) -> bytes:
        if self._awaited_bytes + length > _AWAITED_BYTES_MAX:
            raise PeerUnreachable(f"responses of over {_AWAITED_BYTES_MAX} bytes are awaited already")
        self._awaited_bytes += length
        try:
            return await read_exactly(stream, length)
        finally:
            self._awaited_bytes -= length

    def _take_idle(self, peer: bytes, protocol: str) -> Stream | None:
        streams = self._idle.get((peer, protocol))
        if not streams or streams[-1][1] <= trio.current_time() - self._idle_s:
            return None
        return streams.pop()[0]

    def _keep_idle(self, stream: Stream, peer: bytes, protocol: str) -> bool:
        streams = self._idle.setdefault((peer, protocol), collections.deque())
        if len(streams) >= _IDLE_PER_PEER_MAX:
            return False
        streams.append((stream, trio.current_time()))
        return True


class StreamServer:
    """Serves requests with `serve(protocol, peer, payload)`, within limits for each peer and for all."""

    def __init__(self, serve: Callable[[str, bytes, bytes], Awaitable[bytes | Refused]], config: OverlayConfig) -> None:
        self._serve = serve
        self._request_bytes_max = config.stream_request_bytes_max
        self._response_bytes_max = config.stream_response_bytes_max
        self._idle_s = config.stream_idle_ms / 1000
        self._serve_s = config.serve_timeout_ms / 1000
        self._slow_s = config.slow_serve_timeout_ms / 1000
        self._slow = frozenset(config.slow_protocols)
        self._open: collections.Counter[bytes] = collections.Counter()
        self._served = _Places(_SERVED_PER_PEER_MAX, _SERVED_MAX)
        self._served_slowly = _Places(_SLOW_PER_PEER_MAX, _SLOW_MAX)
        self._requested = _Bytes(_REQUESTS_BYTES_PER_PEER_MAX, _REQUESTS_BYTES_MAX)
        self._responding = _Bytes(_RESPONSES_BYTES_PER_PEER_MAX, _RESPONSES_BYTES_MAX)

    async def run(self, protocol: str, peer: bytes, stream: Stream) -> None:
        """Serve one stream until the peer ends it, exceeds a limit, or is silent for `stream_idle_ms`."""
        if self._open[peer] >= _STREAMS_PER_PEER_MAX:
            await abandon(stream)
            return
        self._open[peer] += 1
        try:
            while await self._serve_next(protocol, peer, stream):
                pass
            with trio.move_on_after(_RESET_S):
                await stream.close()
        except FAULTS:
            await abandon(stream)  # the peer ended the stream
        finally:
            _count_down(self._open, peer)

    async def _serve_next(self, protocol: str, peer: bytes, stream: Stream) -> bool:
        """Serve one request. False if the stream must end, because it is idle or its position is lost."""
        header = b""
        with trio.move_on_after(self._idle_s):
            header = await read_exactly(stream, _LENGTH_BYTES)
        if not header:
            return False
        length = int.from_bytes(header, "big")
        with trio.move_on_after(self._serve_s) as scope:
            if length > self._request_bytes_max:
                await stream.reset()
                return False
            response = await self._answer(protocol, peer, length, stream, scope)
            with self._responding.hold(peer, len(response)) as held:
                if not held:
                    response = _REFUSED
                await stream.write(response)
            return True
        await abandon(stream)
        return False

    async def _answer(self, protocol: str, peer: bytes, length: int, stream: Stream, scope: trio.CancelScope) -> bytes:
        """Read a request and return the bytes that answer it. Only the handler of a slow protocol has more time."""
        is_slow = protocol in self._slow
        with self._admit(self._served, peer, length) as admitted:
            if not admitted:
                await _discard(stream, length)
                return _REFUSED
            payload = await read_exactly(stream, length)
            if not is_slow:
                return await self._response(protocol, peer, payload)
        with self._admit(self._served_slowly, peer, length) as admitted:
            if not admitted:
                return _REFUSED
            scope.deadline = trio.current_time() + self._slow_s
            response = await self._response_to_present(protocol, peer, payload, stream)
        scope.deadline = trio.current_time() + self._serve_s
        return response

    @contextmanager
    def _admit(self, places: _Places, peer: bytes, length: int) -> Iterator[bool]:
        """Reserve a place to be served, and room for the request. Yields whether there is one."""
        with places.hold(peer) as placed:
            if not placed:
                yield False
                return
            with self._requested.hold(peer, length) as held:
                yield held

    async def _response_to_present(self, protocol: str, peer: bytes, payload: bytes, stream: Stream) -> bytes:
        """Serve a request whose work is for nothing once the peer ends the stream. Raises EOFError if it does.

        A byte before the response counts as the end, because requests come one at a time.
        """
        response: bytes | None = None
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                with suppress(*FAULTS):
                    await stream.read(1)
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            response = await self._response(protocol, peer, payload)
            nursery.cancel_scope.cancel()
        if response is None:
            raise EOFError("the peer ended the stream before the response")
        return response

    async def _response(self, protocol: str, peer: bytes, payload: bytes) -> bytes:
        try:
            response = await self._serve(protocol, peer, payload)
        except Exception:  # the overlay's edge: a bug in a handler must not end the connection
            _log.exception("request_handler.failed", protocol=protocol, peer=peer.hex())
            return _REFUSED
        if isinstance(response, Refused):
            _log.debug("request.refused", protocol=protocol, peer=peer.hex(), reason=response.reason)
            return _REFUSED
        if len(response) > self._response_bytes_max:
            _log.error("response.too_large", protocol=protocol, bytes=len(response))
            return _REFUSED
        return len(response).to_bytes(_LENGTH_BYTES, "big") + response


class _Places:
    """Places for each peer and for all, within limits."""

    def __init__(self, per_peer_max: int, total_max: int) -> None:
        self._per_peer_max = per_peer_max
        self._total_max = total_max
        self._held: collections.Counter[bytes] = collections.Counter()

    @contextmanager
    def hold(self, peer: bytes) -> Iterator[bool]:
        """Hold a place for `peer` until the block ends. Yields whether there is one."""
        if self._held[peer] >= self._per_peer_max or self._held.total() >= self._total_max:
            yield False
            return
        self._held[peer] += 1
        try:
            yield True
        finally:
            _count_down(self._held, peer)


class _Bytes:
    """Bytes held for each peer and for all, within limits; a peer may hold a single item of any size."""

    def __init__(self, per_peer_max: int, total_max: int) -> None:
        self._per_peer_max = per_peer_max
        self._total_max = total_max
        self._held: collections.Counter[bytes] = collections.Counter()

    @contextmanager
    def hold(self, peer: bytes, count: int) -> Iterator[bool]:
        """Hold `count` bytes for `peer` until the block ends. Yields whether there is room."""
        held = self._held[peer]
        if (held and held + count > self._per_peer_max) or self._held.total() + count > self._total_max:
            yield False
            return
        self._held[peer] += count
        try:
            yield True
        finally:
            self._held[peer] -= count
            if not self._held[peer]:
                del self._held[peer]


def _count_down(counts: collections.Counter[bytes], peer: bytes) -> None:
    counts[peer] -= 1
    if not counts[peer]:
        del counts[peer]
