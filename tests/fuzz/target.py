"""What a fuzz target is, and the streams without a network that several of them read from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import trio
from hypothesis import strategies as st

READ_BYTES_MAX = 1024 * 1024
"""bytes that one read may ask for, by default: a socket allocates what it is asked for before anything has come."""

WRITTEN_BYTES_MAX = 16 * 1024 * 1024
"""bytes that one input, of 64 KiB at most, may make us write."""

One = Callable[[bytes], Awaitable[None]]
"""Takes one input. Returns where all went as documented; whatever it raises is a finding."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door to the outside, and how to knock."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[One]]
    """Makes what the inputs go to; a finding is also whatever this raises at its end."""
    seeds: Callable[[], Sequence[bytes]]
    """Valid inputs, made by our own code, from which others are made by mutation."""
    tokens: Sequence[bytes]
    """Byte strings that mean something there."""
    structured: st.SearchStrategy[bytes]
    """Inputs that are well-formed where random bytes never are."""
    mock_clock: bool = True
    """Whether time jumps to the next timeout as soon as all wait; not where real sockets are read."""
    guided: bool = True
    """Whether its code runs in this process, where atheris can see which branches are taken."""
    findings_max: int = 1
    """Findings after which the run ends: more than one only where the target begins anew after each."""


class MemoryStream:
    """Gives `data` in pieces, then ends; counts what is written to it. Reads like libp2p's streams and connections."""

    is_initiator = False

    def __init__(self, data: bytes, piece: int = 1 << 20, read_bytes_max: int = READ_BYTES_MAX) -> None:
        self._data = data
        self._piece = piece
        self._read_bytes_max = read_bytes_max
        self._at = 0
        self.asked = self.written = 0
        self.closed = False

    async def read(self, n: int | None = None) -> bytes:
        """The next bytes, `n` at most; none at the end."""
        await trio.lowlevel.cancel_shielded_checkpoint()
        count = self._piece if n is None or n < 0 else n
        self.asked = max(self.asked, count)
        piece = b"" if self.closed else self._data[self._at : self._at + min(count, self._piece)]
        self._at += len(piece)
        return piece

    async def write(self, data: bytes) -> None:
        """Count."""
        await trio.lowlevel.cancel_shielded_checkpoint()
        self.written += len(data)

    def check(self) -> None:
        """What was read and written had a bound. Apart from `read`, because libraries catch what that raises."""
        assert self.asked <= self._read_bytes_max, f"a read of {self.asked} bytes at once"
        assert self.written <= WRITTEN_BYTES_MAX, f"{self.written} bytes written for {len(self._data)} read"

    async def close(self) -> None:
        """End."""
        self.closed = True

    async def reset(self) -> None:
        """End at once."""
        self.closed = True

    def get_remote_address(self) -> tuple[str, int] | None:
        """As of a loopback connection."""
        return ("127.0.0.1", 1)


def pieces(data: bytes) -> tuple[bytes, int]:
    """An input's first byte says how its bytes arrive: whole, one by one, or a few at a time; in 500 pieces at most."""
    return data[1:], max((1 << 20, 1, 7, 1000)[data[0] % 4] if data else 1, len(data) // 500)


def joined(parts: st.SearchStrategy[bytes], most: int = 24) -> st.SearchStrategy[bytes]:
    """Several parts in a row."""
    return st.lists(parts, max_size=most).map(b"".join)
