"""Bounds on the input from a peer before it is parsed, in bytes, time and number."""

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
"""Bytes of a varint of 64 bits."""
_LINE_BYTES_MAX: Final = 1024
"""Bytes of one line of multistream, which is the name of a protocol: ours have 50 bytes at most."""
_LINES_MAX: Final = 64
"""Lines of one negotiation: a peer may try a few protocols in turn, but not endlessly within 15 seconds."""
_IDENTIFY_BYTES_MAX: Final = 16 * 1024
"""Bytes of a message of identify: key, addresses, protocols and a signed record have 1-2 KiB; go-libp2p sends 8 KiB at
most."""
_IDENTIFY_S: Final = 10.0
_FRAME_S: Final = 15.0
_FRAME_BYTES_PER_S: Final = 64 * 1024
"""Once its length has arrived, a frame must be complete after _FRAME_S and a second for each 64 KiB."""


async def read_length(reader: Reader) -> int:
    """Read an unsigned varint of at most ten bytes. Raises ParseError, IncompleteReadError."""
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
    """Read a message after its length, into one buffer that grows with the data.

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
    """Read a frame of pubsub, with a deadline from the arrival of its length.

    Its bytes count towards the connection's memory, so that many unfinished frames end it. Raises as `read_message`.
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
    """Read a line of multistream. Stock libp2p reads any announced length, before it knows the peer.

    Raises MultiselectCommunicatorError, also for a line that is no text.
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
    """Read a message of identify, in the one format in use. Stock allows a mebibyte and has no deadline."""
    del use_varint_format, max_length
    with trio.move_on_after(_IDENTIFY_S):
        return await read_message(stream, _IDENTIFY_BYTES_MAX)
    raise BaseLibp2pError("identify did not answer in time")
