"""Server-sent events: their encoding, and a reply that sends them and stays open while nothing happens."""

from collections.abc import Callable, Sequence
from typing import Final

import trio
from starlette.types import Send

from node.api.operations import EVENT_STREAM

KEEP_ALIVE_S: Final = 10.0
"""Longest silence of a stream in seconds: proxies close connections that are silent for 30 or 60 seconds."""

COMMENT_CHARS_MAX: Final = 200
"""Longest comment in characters: a comment says how far something has come."""


def encode_event(data: bytes, *, event: str = "", id: str = "") -> bytes:
    """Encode one event. `data`: UTF-8 text, such as JSON; `event` and `id`: our own words, left out where empty."""
    lines = [b"event: " + event.encode()] if event else []
    lines += [b"id: " + id.encode()] if id else []
    # JSON has no line end outside of its strings' escapes, so that it is one line.
    lines += [b"data: " + line for line in data.splitlines() or [b""]]
    return b"\n".join((*lines, b"", b""))


def encode_comment(text: str) -> bytes:
    """Encode a comment, which clients skip."""
    return b": " + " ".join(text.split())[:COMMENT_CHARS_MAX].encode() + b"\n\n"


class EventStream:
    """One reply of server-sent events. It begins with the first thing sent; several tasks may send."""

    def __init__(self, send: Send, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Build a stream. `headers`: further headers of the reply."""
        self._send = send
        self._headers = [(b"content-type", EVENT_STREAM.encode()), *headers]
        self._lock = trio.Lock()
        self._sent_s = trio.current_time()
        self.is_open = False
        """Whether the reply has begun, so that its status is sent."""
        self._is_closed = False

    async def send(self, *encoded: bytes) -> None:
        """Send events or comments in one piece; nothing after the reply's end, for which a task may have waited."""
        async with self._lock:
            if self._is_closed:
                return
            await self._begin()
            self._sent_s = trio.current_time()
            await self._send({"type": "http.response.body", "body": b"".join(encoded), "more_body": True})

    async def close(self, *encoded: bytes) -> None:
        """Send the last events and end the reply."""
        async with self._lock:
            self._is_closed = True
            await self._begin()
            await self._send({"type": "http.response.body", "body": b"".join(encoded), "more_body": False})

    async def keep_alive(self, text: Callable[[], str]) -> None:
        """Send what `text` returns as a comment after every KEEP_ALIVE_S of silence, until the reply ends."""
        while not self._is_closed:
            await trio.sleep_until(self._sent_s + KEEP_ALIVE_S)
            if trio.current_time() >= self._sent_s + KEEP_ALIVE_S:
                await self.send(encode_comment(text()))

    async def _begin(self) -> None:
        if not self.is_open:
            self.is_open = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
