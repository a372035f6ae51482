"""Places for inbound connections: limits in total, per address, per subnet and per key. Independent of libp2p.

A handshake needs one of few half-open places; once its key is known, the connection needs a slot. If none is free, a
peer that we trust or know takes a stranger's slot, and a stranger that of another stranger whose subnet holds more.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from consensus.rounds.buckets import Buckets, Rate
from node.overlay.addresses import IpAddress, Network, is_within, network_of
from node.overlay.types import ConnectionCounts

HALF_OPEN_MAX: Final = 64
"""Concurrent handshakes; one more ends the oldest of the subnet that has most. An honest one takes 50 ms and its round
trips: it is over before a flood has pushed it out."""
HALF_OPEN_PER_ADDRESS_MAX: Final = 8
HANDSHAKES: Final = Rate(4.0, 32.0)
"""Rate of handshakes of one subnet: each costs about 10 ms of CPU. A household behind one address needs a few at once.
"""
_SUBNETS_MAX: Final = 4_096
"""Subnets whose handshakes are counted; the longest unseen is forgotten first. 1 MB."""
PER_ADDRESS_MAX: Final = 8
"""Connections of one address: several nodes behind one NAT."""
PER_SUBNET_MAX: Final = 16
"""Connections of one /24 or /48: a sixth of the slots."""
PER_KEY_MAX: Final = 2
"""Connections of one key: two nodes that dial each other at once have two. The oldest gives way, because it may be
dead."""
LONG_S: Final = 600.0
"""Seconds after which a connection counts as known, now and when it comes back."""
_KNOWN_MAX: Final = 256
"""Keys of long connections that are remembered; the longest unseen is forgotten first."""


@dataclass(eq=False, slots=True)
class ConnectionPlace:
    """One inbound connection: half-open until `key` is known. `end()` closes it."""

    address: IpAddress | None
    since: float
    end: Callable[[], None]
    key: bytes | None = None
    subnet: Network | None = field(init=False)

    def __post_init__(self) -> None:
        self.subnet = None if self.address is None else network_of(self.address)


class Slots:
    """The inbound connections of one host; at most `limit` of them are established.

    `exempt` networks have no caps on addresses and subnets; `trusted` keys get a slot before all others.
    """

    def __init__(
        self, limit: int, exempt: Iterable[Network], trusted: Collection[bytes], now: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._exempt = tuple(exempt)
        self._trusted = frozenset(trusted)
        self._now = now
        self._half_open: dict[ConnectionPlace, None] = {}
        self._established: dict[ConnectionPlace, None] = {}
        self._known: collections.OrderedDict[bytes, None] = collections.OrderedDict()
        self._handshakes = Buckets[Network](HANDSHAKES, _SUBNETS_MAX)
        self._refused: collections.Counter[str] = collections.Counter()

    def counts(self) -> ConnectionCounts:
        """Return the used places, and the refusals since the start."""
        return ConnectionCounts(
            inbound=len(self._established),
            inbound_max=self._limit,
            half_open=len(self._half_open),
            refused=dict(self._refused),
        )

    def refuse(self, reason: str) -> None:
        """Count a connection that ends for `reason`, one of a few fixed words."""
        self._refused[reason] += 1

    def enter(self, address: IpAddress | None, end: Callable[[], None]) -> ConnectionPlace | None:
        """Return a half-open place for an accepted connection; None if it must be closed at once."""
        place = ConnectionPlace(address, self._now(), end)
        if not self._is_exempt(place):
            if place.subnet is not None and not self._handshakes.take(place.subnet, 1, self._now()):
                self.refuse("handshakes of the subnet")
                return None
            if sum(other.address == address for other in self._half_open) >= HALF_OPEN_PER_ADDRESS_MAX:
                self.refuse("half-open of the address")
                return None
        if len(self._half_open) >= HALF_OPEN_MAX:
            self.refuse("half-open")
            crowd = collections.Counter(other.subnet for other in self._half_open)
            self._evict(min(self._half_open, key=lambda other: (-crowd[other.subnet], other.since)))
        self._half_open[place] = None
        return place

    def admit(self, place: ConnectionPlace, key: bytes) -> bool:
        """Give a slot to a peer that has proved its key, ending another's if necessary; False: close it."""
        if place not in self._half_open:
            return False  # it was ended meanwhile
        same = [other for other in self._established if other.key == key]
        if len(same) >= PER_KEY_MAX:
            self._evict(min(same, key=lambda other: other.since))
        place.key = key
        for reason, crowd in self._full(place):
            victim = self._victim(place, crowd)
            if victim is None:
                self.refuse(reason)
                return False
            self.refuse("gave way")
            self._evict(victim)
        del self._half_open[place]
        self._established[place] = None
        return True

    def leave(self, place: ConnectionPlace) -> None:
        """Free the place of a connection that is over."""
        self._half_open.pop(place, None)
        if place in self._established:
            del self._established[place]
            if place.key is not None and self._now() - place.since >= LONG_S:
                self._known[place.key] = None
                self._known.move_to_end(place.key)
                while len(self._known) > _KNOWN_MAX:
                    self._known.popitem(last=False)

    def _full(self, place: ConnectionPlace) -> Iterable[tuple[str, list[ConnectionPlace]]]:
        """Yield each limit that `place` would exceed, with the connections that could give way for it."""
        if not self._is_exempt(place):
            same = [other for other in self._established if other.address == place.address]
            if len(same) >= PER_ADDRESS_MAX:
                yield "address", same
            same = [other for other in self._established if other.subnet == place.subnet]
            if len(same) >= PER_SUBNET_MAX:
                yield "subnet", same
        if len(self._established) >= self._limit:
            yield "full", list(self._established)

    def _victim(self, place: ConnectionPlace, crowd: list[ConnectionPlace]) -> ConnectionPlace | None:
        """Choose the connection to give way: the least known, of the subnet that holds most, the youngest; or None."""
        held = collections.Counter(other.subnet for other in self._established)
        victim = min(crowd, key=lambda other: (self._rank(other), -held[other.subnet], -other.since))
        if self._rank(victim) < self._rank(place):
            return victim
        fairer = held[victim.subnet] > held[place.subnet] + 1 and not self._is_exempt(victim)
        return victim if fairer and self._rank(victim) == self._rank(place) == 0 else None

    def _rank(self, place: ConnectionPlace) -> int:
        """Return 2 for trusted, 1 for known for long, 0 for a stranger."""
        if place.key in self._trusted:
            return 2
        long = place in self._established and self._now() - place.since >= LONG_S
        return int(long or place.key in self._known)

    def _is_exempt(self, place: ConnectionPlace) -> bool:
        return is_within(place.address, self._exempt)

    def _evict(self, place: ConnectionPlace) -> None:
        self.leave(place)
        place.end()
