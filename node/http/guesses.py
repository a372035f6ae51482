"""Wrong tokens slow their senders down: a bounded table of client addresses, without a clock of its own."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from node.overlay.addresses import SENDER_BITS, address_group

FREE_GUESSES: Final = 5
"""wrong tokens of one address that cost nothing: a user mistypes, a script has yesterday's token."""

PENALTY_S_MAX: Final = 60.0
"""seconds that an address waits at most after a wrong token; the waits double from one second."""

FORGIVEN_S: Final = 900.0
"""seconds without a wrong token after which an address starts afresh."""

ADDRESSES_MAX: Final = 1_024
"""addresses that are remembered, some 200 bytes each; the one that guessed longest ago is forgotten first."""


@dataclass(slots=True)
class _Guesses:
    wrong: int
    last_s: float
    until_s: float


class GuessTable:
    """Counts wrong tokens by address: IPv4 addresses, and /64 networks of IPv6, which one sender has whole."""

    def __init__(self) -> None:
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds for which the address may not try a token."""
        known = self._guesses.get(address_group(address, SENDER_BITS))
        return 0.0 if known is None else max(0.0, known.until_s - now_s)

    def note_wrong(self, address: str, now_s: float) -> float:
        """Count a wrong token; returns the seconds until the next may be tried."""
        group = address_group(address, SENDER_BITS)
        known = self._guesses.pop(group, None)
        wrong = 1 if known is None or now_s - known.last_s > FORGIVEN_S else known.wrong + 1
        # The exponent is bounded, for a float's range is.
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
