"""Back-off for wrong tokens: a bounded table of client addresses, without a clock of its own."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from node.overlay.addresses import SENDER_BITS, address_group

FREE_GUESSES: Final = 5
"""Wrong tokens of one address without a wait: a user mistypes, a script uses yesterday's token."""

PENALTY_S_MAX: Final = 60.0
"""Longest wait of an address after a wrong token in seconds; the waits double from one second."""

FORGIVEN_S: Final = 900.0
"""Seconds without a wrong token after which an address starts afresh."""

ADDRESSES_MAX: Final = 1_024
"""Addresses remembered, about 200 bytes each; the one that guessed longest ago is dropped first."""


@dataclass(slots=True)
class _Guesses:
    wrong: int
    last_s: float
    until_s: float


class GuessTable:
    """Counts wrong tokens per IPv4 address, and per /64 network of IPv6, which one sender holds as a whole."""

    def __init__(self) -> None:
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Return the seconds for which the address may not try a token."""
        known = self._guesses.get(address_group(address, SENDER_BITS))
        return 0.0 if known is None else max(0.0, known.until_s - now_s)

    def note_wrong(self, address: str, now_s: float) -> float:
        """Count a wrong token; return the seconds until the next may be tried."""
        group = address_group(address, SENDER_BITS)
        known = self._guesses.pop(group, None)
        wrong = 1 if known is None or now_s - known.last_s > FORGIVEN_S else known.wrong + 1
        # The exponent is bounded, because the range of a float is.
        wait_s = (
            0.0 if wrong <= FREE_GUESSES else min(math.ldexp(1.0, min(wrong - FREE_GUESSES - 1, 16)), PENALTY_S_MAX)
        )
        self._guesses[group] = _Guesses(wrong, now_s, now_s + wait_s)
        if len(self._guesses) > ADDRESSES_MAX:
            self._guesses.popitem(last=False)
        return wait_s

    def note_right(self, address: str) -> None:
        """Forget the address's wrong tokens."""
        self._guesses.pop(address_group(address, SENDER_BITS), None)

    def __len__(self) -> int:
        return len(self._guesses)
