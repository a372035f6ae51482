"""Bounds on what is read from a peer before it is looked at, in bytes, in time and in number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio
from libp2p.exceptions import BaseLibp2pError, ParseError
from libp2p.io.exceptions import IncompleteReadError, IOException, MessageTooLarge
from libp2p.protocol_muxer.exceptions import MultiselectCommunicatorError

if TYPE_CHECKING:
    from libp2p.abc import INetStream
    from libp2p.io.abc import Reader
    from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

_VARINT_BYTES_MAX: Final = 10
"""A length of 64 bits."""
_LINE_BYTES_MAX: Final = 1024
"""One line of multistream, which is the name of a protocol: ours have 50 bytes at most."""
_LINES_MAX: Final = 64
"""Lines of one negotiation: a peer may ask for a few protocols in turn, not for 15 seconds without an end."""
_IDENTIFY_BYTES_MAX: Final = 16 * 1024
"""A message of identify: key, addresses, protocols and a signed record have 1-2 KiB; go-libp2p sends 8 KiB at most."""
_IDENTIFY_S: Final = 10.0
_FRAME_S: Final = 15.0
_FRAME_BYTES_PER_S: Final = 64 * 1024
"""A frame whose length has come must be whole after this long, and a second for each 64 KiB."""


async def read_length(reader: Reader) -> int:
    """An unsigned varint of at most ten bytes. Raises ParseError, IncompleteReadError."""
    value = 0
    for position in range(_VARINT_BYTES_MAX):
        byte = await reader.read(1)
        if not byte:
            raise IncompleteReadError("the stream ended in a length", expected_bytes=1, received_bytes=0)
        value |= (byte[0] & 0x7F) << (7 * position)
        if byte[0] < 0x80:
            return value
    raise ParseError("a length of more than ten bytes")


async def read_message(reader: Reader, bytes_max: int) -> bytes:
    """A message after its length, read into one buffer that grows with what arrives.

    Raises MessageTooLarge before a byte of a longer message is read, ParseError, IncompleteReadError.
    """
    length = await read_length(reader)
    if length > bytes_max:
        raise MessageTooLarge(f"a message of {length} bytes is over {bytes_max}")
    message = bytearray()
    while len(message) < length:
        chunk = await reader.read(length - len(message))
        if not chunk:
            raise IncompleteReadError("the stream ended", expected_bytes=length, received_bytes=len(message))
        message += chunk
    return bytes(message)


async def read_frame(stream: INetStream, bytes_max: int) -> bytes:
    """A frame of pubsub. It may be waited for; once its length has come it must be whole in time.

    Its bytes count to what the connection holds, so that many unfinished frames end it. Raises as `read_message`.
    """
    connection: Any = stream.muxed_conn
    length = await read_length(stream)
    if length > bytes_max:
        raise MessageTooLarge(f"a frame of {length} bytes is over {bytes_max}")
    with connection.claims() as frame, trio.move_on_after(_FRAME_S + length / _FRAME_BYTES_PER_S):
        while len(frame) < length:
            chunk = await stream.read(length - len(frame))
            if not chunk:
                raise IncompleteReadError("the stream ended", expected_bytes=length, received_bytes=len(frame))
            connection.claim(frame, chunk)
        return bytes(frame)
    raise MessageTooLarge(f"a frame of {length} bytes was not whole in time")


async def read_line(self: MultiselectCommunicator) -> str:
    """A line of multistream. Stock reads whatever length is announced, before it knows who talks.

    Raises MultiselectCommunicatorError, also for text that is none.
    """
    lines = self.__dict__["lines"] = self.__dict__.get("lines", 0) + 1
    if lines > _LINES_MAX:
        raise MultiselectCommunicatorError(f"more than {_LINES_MAX} lines of multistream")
    try:
        line = await read_message(self.read_writer, _LINE_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise ParseError("a line of multistream has no end")
        return line[:-1].decode()
    except (ParseError, IOException, UnicodeDecodeError) as fault:
        raise MultiselectCommunicatorError("no line of multistream") from fault


async def read_identify(stream: INetStream, use_varint_format: bool = True, max_length: int = 0) -> bytes:
    """A message of identify, in the one format that is in use. Stock allows it a mebibyte and all time."""
    del use_varint_format, max_length
    with trio.move_on_after(_IDENTIFY_S):
        return await read_message(stream, _IDENTIFY_BYTES_MAX)
    raise BaseLibp2pError("identify did not answer in time")
