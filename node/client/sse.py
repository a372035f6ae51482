"""Reading server-sent events (HTML Living Standard, 9.2.6) from the lines of a reply."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from node.client.errors import BadReplyError

DATA_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of one event's data: the beginning of a round with 64 KiB of text is far below."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event."""

    id: str
    """The id to resume with after this event; empty if the stream has named none yet."""
    data: bytes
    """Its data, UTF-8; empty for a comment or another sign of life."""


async def read_events(lines: AsyncIterator[bytes]) -> AsyncGenerator[ServerEvent]:
    """Yield the events of a stream, also those without data. Raises BadReplyError for data above DATA_BYTES_MAX."""
    id, size = "", 0
    data: list[bytes] = []
    async for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            yield ServerEvent(id, b"\n".join(data))
            data, size = [], 0
        elif field == b"id":
            id = value.decode("utf-8", "replace")
        elif field == b"data":
            size += len(value)
            if size > DATA_BYTES_MAX:
                raise BadReplyError("an event is longer than any of a node")
            data.append(value)
