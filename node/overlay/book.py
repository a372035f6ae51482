"""The address book: where peers may be dialled, and when to try again. Pure: time and randomness come in.

libp2p's own store forgets dial addresses after 120 seconds and its auto-connector dials towards 200 connections, so
both are left alone and this book decides.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from node.overlay.identity import key_of_text

PEERS_MAX: Final = 1024
"""Peers in the book. A sub-mesh holds about 50; an attacker can invent any number."""
ADDRESSES_PER_PEER_MAX: Final = 8
"""Addresses kept for one peer, newest first: interfaces of one host, and a few that went stale."""
ADDRESS_CHARS_MAX: Final = 300
"""Characters in one multiaddr: a DNS name of 253 and the rest."""
FAILURES_MAX: Final = 8
"""Failed dials in a row after which a peer is forgotten, unless it is a bootstrap peer; an Offer brings it back."""
_REST_DELAYS: Final = 2
"""After a failed dial, dials on demand fail at once for this many first delays: requests to dead peers would else take
all of the places for dials."""

_ADDRESS: Final = re.compile(
    r"/(?P<kind>ip4|ip6|dns|dns4|dns6)/(?P<host>[0-9A-Za-z.:_-]{1,253})/tcp/(?P<port>[0-9]{1,5})(?:/p2p/(?P<peer>\w+))?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One dialable address: `text` is the multiaddr without /p2p/, `peer` the 32-byte key it named, if any."""

    text: str
    peer: bytes | None


def parse_address(text: str) -> Address | None:
    """Read a TCP multiaddr; None for whatever the overlay cannot dial (other transports, relays, nonsense)."""
    if len(text) > ADDRESS_CHARS_MAX:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        return None
    if match["kind"] in ("ip4", "ip6"):
        try:
            host = ipaddress.ip_address(match["host"])
        except ValueError:
            return None
        if host.version != int(match["kind"][2:]) or host.is_unspecified or host.is_multicast:
            return None
    elif ":" in match["host"]:
        return None
    key = key_of_text(match["peer"]) if match["peer"] else None
    if match["peer"] and key is None:
        return None
    return Address(text.partition("/p2p/")[0], key)


@dataclass(slots=True)
class _Entry:
    kept: bool
    addresses: list[str] = field(default_factory=list)
    failures: int = 0
    due_ms: int = 0
    resting_until_ms: int = 0
    reached_ms: int = 0
    dialling: bool = False


class AddressBook:
    """Addresses by peer key with the time of the next dial: exponential back-off with jitter and a cap."""

    def __init__(self, own_key: bytes, delay_ms: int, delay_ms_max: int, rng: Random) -> None:
        self._own_key = own_key
        self._delay_ms = delay_ms
        self._delay_ms_max = delay_ms_max
        self._rng = rng
        self._entries: dict[bytes, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[bytes]:
        return iter(tuple(self._entries))

    def learn(self, peer: bytes, addresses: Iterable[str], now_ms: int, *, kept: bool = False) -> bool:
        """Note where `peer` may be dialled; `kept` marks a bootstrap peer. True where an address is new.

        A new address makes the peer due: it is news, so the back-off of the old addresses does not count. Of two peers
        that learn of each other, the one with the smaller key dials first, which spares a second connection.
        """
        if peer == self._own_key:
            return False
        parsed = (parse_address(text) for text in addresses)
        usable = [address.text for address in parsed if address is not None and address.peer in (None, peer)]
        if not usable:
            return False
        entry = self._entries.get(peer)
        if entry is None:
            if len(self._entries) >= PEERS_MAX and not self._evict():
                return False
            entry = self._entries[peer] = _Entry(kept)
        fresh = [text for text in dict.fromkeys(usable) if text not in entry.addresses]
        if fresh:
            entry.addresses = (fresh + entry.addresses)[:ADDRESSES_PER_PEER_MAX]
            entry.failures = 0
            entry.due_ms = now_ms if kept or self._own_key < peer else now_ms + self._delay_ms
            entry.resting_until_ms = 0
        entry.kept = entry.kept or kept
        return bool(fresh)

    def addresses(self, peer: bytes) -> tuple[str, ...]:
        """Known addresses of `peer`, the best first."""
        entry = self._entries.get(peer)
        return tuple(entry.addresses) if entry else ()

    def dialable(self, peer: bytes, now_ms: int) -> bool:
        """Whether a dial on demand makes sense: an address is known, and no dial has failed a moment ago."""
        entry = self._entries.get(peer)
        return entry is not None and now_ms >= entry.resting_until_ms

    def due(self, now_ms: int, connected: Collection[bytes], connections_target: int) -> list[bytes]:
        """Peers to dial now, the longest due first: bootstrap peers, and others while connections are wanted."""
        waiting = [
            (entry.due_ms, peer)
            for peer, entry in self._entries.items()
            if not entry.dialling and entry.due_ms <= now_ms and peer not in connected
        ]
        room = connections_target - len(connected) - sum(entry.dialling for entry in self._entries.values())
        chosen = []
        for _, peer in sorted(waiting):
            if not self._entries[peer].kept:
                if room <= 0:
                    continue
                room -= 1
            chosen.append(peer)
        return chosen

    def next_due_ms(self, connected: Collection[bytes]) -> int | None:
        """When the next peer becomes due; None where nobody waits."""
        times = (e.due_ms for peer, e in self._entries.items() if not e.dialling and peer not in connected)
        return min(times, default=None)

    def dialling(self, peer: bytes) -> None:
        """A dial to `peer` starts; it is not due until `dialled` says how that went."""
        if entry := self._entries.get(peer):
            entry.dialling = True

    def dialled(self, peer: bytes, now_ms: int, reached: str | None) -> None:
        """A dial ended: `reached` is the address that answered, None where none did."""
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.dialling = False
        if reached is not None:
            entry.reached_ms = now_ms
            entry.due_ms = now_ms + self._delay_ms
            if reached in entry.addresses:
                entry.addresses.remove(reached)
            entry.addresses.insert(0, reached)
            return
        entry.resting_until_ms = now_ms + _REST_DELAYS * self._delay_ms
        self._failed(peer, entry, now_ms)

    def lost(self, peer: bytes, now_ms: int) -> None:
        """The connection to `peer` ended. One that was dialled and did not last counts as a failed dial.

        Whoever accepts connections only to drop them (a node that shuts down, or a full one) is not dialled in a loop.
        """
        entry = self._entries.get(peer)
        if entry is None:
            return
        if now_ms - entry.reached_ms >= self._delay_ms_max:
            entry.failures = 0
        self._failed(peer, entry, now_ms)

    def _failed(self, peer: bytes, entry: _Entry, now_ms: int) -> None:
        """Back off, by a random share, so that not all who lost one peer dial it at the same moment."""
        entry.failures += 1
        if entry.failures >= FAILURES_MAX and not entry.kept:
            del self._entries[peer]
            return
        delay_ms = min(self._delay_ms * 2 ** (entry.failures - 1), self._delay_ms_max)
        entry.due_ms = now_ms + int(delay_ms * self._rng.uniform(0.5, 1.5))

    def _evict(self) -> bool:
        """Drop the peer with the most failures; False where all are bootstrap peers."""
        victims = [(entry.failures, peer) for peer, entry in self._entries.items() if not entry.kept]
        if not victims:
            return False
        del self._entries[max(victims)[1]]
        return True
