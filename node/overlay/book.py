"""The address book: where peers may be dialled, and when to retry. Pure: time and randomness are arguments.

libp2p's own store forgets dial addresses after 120 seconds and its auto-connector dials towards 200 connections, so
neither is used and this book decides.

An offer may name addresses of others, and every node of the network receives it. So an address that a stranger claims
is dialled once for each message that claims it, within budgets, and only where `Reach` allows. After the peer has
answered there, or has connected from there, it is dialled like an address of our own choice.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from random import Random
from typing import Final

from consensus.rounds.backoff import Backoff
from consensus.rounds.buckets import Bucket, Buckets, Rate
from node.overlay.addresses import Address, Reach, address_group, parse_address
from node.overlay.types import Remembered

PEERS_MAX: Final = 1024
"""Peers in the book. A sub-mesh holds about 50; an attacker can invent any number."""
ADDRESSES_PER_PEER_MAX: Final = 8
"""Addresses kept for one peer, newest first: interfaces of one host, and a few stale ones."""
FAILURES_MAX: Final = 8
"""Consecutive failed dials after which a stranger is forgotten; an Offer brings it back."""
FAILURES_OF_KNOWN_MAX: Final = 24
"""Consecutive failed dials for a peer that was met or is trusted: ten minutes, enough for a node to restart. A peer
that has answered is then dialled at intervals of SLEEP_MS; bootstrap peers are dialled as before."""
SLEEP_MS: Final = 3_600_000
"""Milliseconds between dials of a peer that was met and is gone for longer: a machine that was away for days is found
again."""
MEMORY_MS: Final = 30 * 24 * 3_600_000
"""Milliseconds after which a peer that was met is forgotten: addresses of homes change within days, of servers in
years."""
REMEMBERED_MAX: Final = 256
"""Peers that survive a restart. One that answers is enough, because it relays the offers of the others."""
CLAIMS_READ_MAX: Final = 32
"""Addresses read from one claim: four times the most in an offer (ADDRESSES_MAX)."""
CLAIM_DIALS_MAX: Final = 2
"""Dials of a stranger's claims that may be pending: one for a message, and one for the message before."""
CLAIM_REST_MS: Final = 10_000
"""Milliseconds between two claims of one peer that each earn a dial: offers come every 30 seconds, and when peers come.
"""
DIALS_PER_MINUTE: Final = 60
DIALS_BURST: Final = 64
"""Dials of claimed addresses, from all claimants: a sub-mesh of 50 is dialled at once, and a flood of offers costs one
handshake of 10 ms a second."""
DIALS_PER_GROUP_PER_MINUTE: Final = 4
"""Dials of claimed addresses in one /24 or /48, per minute and as burst: many keys may name one victim, and each node
that receives them dials it."""
_LOTS: Final = 16
"""Entries among which the victim for a claim is chosen. Searching all would cost a flooded node milliseconds a message.
"""
_REST_DELAYS: Final = 2
"""After a failed dial, dials on demand fail at once for this many first delays. Requests to dead peers would otherwise
occupy all places for dials."""


class _Ground(IntEnum):
    """Reason to believe an address."""

    CLAIMED = 0
    OBSERVED = 1
    """The peer has been connected to us from the same host."""
    REACHED = 2
    """The peer has answered there, or its owner is trusted."""


@dataclass(frozen=True, slots=True)
class _Known:
    """One address of a peer."""

    text: str
    host: str
    ground: _Ground


@dataclass(slots=True)
class _Entry:
    kept: bool
    learned_ms: int
    addresses: list[_Known] = field(default_factory=list)
    group: str = ""
    """Address group of the newest address."""
    failures: int = 0
    due_ms: int = 0
    resting_until_ms: int = 0
    reached_ms: int = 0
    dialling: bool = False
    owed: int = 0
    """Dials of claimed addresses that messages have earned."""
    paid_ms: int | None = None
    """When a message last earned one."""
    met_ms: int | None = None
    """When the peer was last connected; None: never."""

    @property
    def believed(self) -> bool:
        """Whether one of its addresses is more than a claim."""
        return any(known.ground for known in self.addresses)

    @property
    def answered(self) -> bool:
        """Whether it has answered at one of its addresses: where it only connected from may be another node's place."""
        return any(known.ground is _Ground.REACHED for known in self.addresses)

    @property
    def asleep(self) -> bool:
        """Whether it failed so often that it is dialled rarely and makes room for any other."""
        return self.failures >= FAILURES_OF_KNOWN_MAX and not self.kept


class AddressBook:
    """Addresses by peer key with the time of the next dial: exponential back-off with jitter and a cap.

    `trusted` keys are believed about their own addresses, and are never forgotten in favour of a stranger.
    """

    def __init__(
        self,
        own_key: bytes,
        delays_ms: tuple[int, int],
        rng: Random,
        reach: Reach = Reach(),  # noqa: B008 - frozen
        trusted: Collection[bytes] = (),
    ) -> None:
        self._own_key = own_key
        self._delays_ms = Backoff(*delays_ms)
        self._rng = rng
        self._reach = reach
        self._trusted = frozenset(trusted)
        self._entries: dict[bytes, _Entry] = {}
        self._dials = Bucket(Rate(DIALS_PER_MINUTE / 60, DIALS_BURST))
        self._group_dials = Buckets[str](Rate(DIALS_PER_GROUP_PER_MINUTE / 60, DIALS_PER_GROUP_PER_MINUTE), PEERS_MAX)

    def move(self, reach: Reach) -> None:
        """Set this machine's present place in the network, which decides what is learned from now on."""
        self._reach = reach

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[bytes]:
        return iter(tuple(self._entries))

    def awake(self) -> tuple[bytes, ...]:
        """Return the peers that are not asleep."""
        return tuple(peer for peer, entry in self._entries.items() if not entry.asleep)

    # -- learning ---------------------------------------------------------------------------------------------------

    def learn(
        self,
        peer: bytes,
        addresses: Iterable[str],
        now_ms: int,
        *,
        kept: bool = False,
        seen_at: str = "",
        connected: Collection[bytes] = (),
    ) -> bool:
        """Record addresses at which `peer` says that it may be dialled. Returns whether it has become due earlier.

        Parameters: `kept` marks a bootstrap peer, whose addresses our own user named; `seen_at` is the host that `peer`
        is or was connected from, empty if it never was; `connected` are peers whose entries must not make room.

        A new address makes the peer due: the back-off of the old addresses does not count for it. Of two peers that
        learn about each other, the one with the smaller key dials first, which avoids a second connection.
        """
        if peer == self._own_key:
            return False
        vouched = kept or peer in self._trusted
        usable = self._usable(peer, addresses, _Ground.REACHED if vouched else _Ground.CLAIMED, seen_at)
        if not usable:
            return False
        entry = self._entries.get(peer)
        if entry is None:
            believed = any(known.ground for known in usable)
            if len(self._entries) >= PEERS_MAX and not self._make_room(believed, connected):
                return False
            entry = self._entries[peer] = _Entry(kept, now_ms)
        entry.kept = entry.kept or kept
        paid = not vouched and (entry.paid_ms is None or now_ms - entry.paid_ms >= CLAIM_REST_MS)
        if paid:
            entry.owed, entry.paid_ms = min(entry.owed + 1, CLAIM_DIALS_MAX), now_ms
        if paid and entry.asleep and self._dials.take(1, now_ms / 1000):
            # It announces itself: one more dial at the addresses where it was met.
            entry.failures, entry.due_ms = FAILURES_OF_KNOWN_MAX - 1, now_ms
        fresh = _join(entry, usable)
        if fresh:
            entry.failures = 0
            entry.due_ms = now_ms if kept or self._own_key < peer else now_ms + self._delays_ms.first
            entry.resting_until_ms = 0
        return fresh or paid

    def _usable(self, peer: bytes, addresses: Iterable[str], ground: _Ground, seen_at: str) -> list[_Known]:
        """Return the usable addresses with the reason to believe each, best first; a stranger's: one per host."""
        found: dict[str, _Known] = {}
        for text in islice(addresses, CLAIMS_READ_MAX):
            address = parse_address(text)
            if address is None or address.peer not in (None, peer):
                continue
            if ground is _Ground.REACHED:
                found.setdefault(address.text, _known(address, ground))
            elif address.host == seen_at:
                found.setdefault(address.host, _known(address, _Ground.OBSERVED))
            elif self._reach.allows(address.host):
                found.setdefault(address.host, _known(address, ground))
        # Every machine has the bridges of its containers at the same addresses: our own are tried last.
        best_first = sorted(found.values(), key=lambda known: known.host in self._reach.own_hosts)
        return best_first[:ADDRESSES_PER_PEER_MAX]

    def _make_room(self, believed: bool, connected: Collection[bytes]) -> bool:
        """Drop one entry for another; False if none may go.

        A claim makes room for anything, by lot: a flood of claims is what fills the book. An entry that is more than a
        claim makes room only for its like, which cost its sender a connection, so the whole book may be searched.
        """
        by_lot = self._rng.sample(list(self._entries), _LOTS)
        victim = self._victim(by_lot, False, connected)
        if victim is None and believed:
            victim = self._victim(self._entries, True, connected)
        if victim is None:
            return False
        del self._entries[victim]
        return True

    def _victim(self, peers: Iterable[bytes], believed: bool, connected: Collection[bytes]) -> bytes | None:
        """Choose the entry of `peers` to drop.

        The most failures first, then one of the largest address group, so that no network can fill the book, then the
        oldest. None if all are kept, trusted, connected, being dialled or, unless `believed`, more than claims.
        """
        entries = [(peer, self._entries[peer]) for peer in peers]
        crowd = collections.Counter(entry.group for _, entry in entries)
        may_go = [
            (entry.failures, crowd[entry.group], -entry.learned_ms, peer)
            for peer, entry in entries
            if not (entry.kept or entry.dialling or peer in self._trusted or peer in connected)
            and (believed or not entry.believed or entry.asleep)
        ]
        return max(may_go)[-1] if may_go else None

    def is_claim(self, peer: bytes) -> bool:
        """Whether all known addresses of `peer` are claims."""
        entry = self._entries.get(peer)
        return entry is not None and not entry.believed

    def addresses(self, peer: bytes) -> tuple[str, ...]:
        """Return the known addresses of `peer`, the best first."""
        entry = self._entries.get(peer)
        return tuple(known.text for known in entry.addresses) if entry else ()

    def met_ms(self, peer: bytes) -> int | None:
        """Return when `peer` was last connected, by the caller's clock; None if it never was."""
        entry = self._entries.get(peer)
        return entry.met_ms if entry else None

    # -- what survives a restart -----------------------------------------------------------------------------------

    def remembered(self, now_ms: int, connected: Collection[bytes]) -> list[Remembered]:
        """Return peers that were met, at addresses where they answered or connected from; the most important first.

        Trusted peers come before others, and the others in turns over address groups, so that no network can take all
        places; within a group peers that answer come first, then those met last.
        """
        for peer in connected:
            if entry := self._entries.get(peer):
                entry.met_ms = now_ms
        met = [(peer, entry, entry.met_ms) for peer, entry in self._entries.items() if entry.met_ms is not None]
        turns: collections.Counter[str] = collections.Counter()
        ranked: list[tuple[tuple[bool, int, int], Remembered]] = []
        for peer, entry, met_ms in sorted(met, key=lambda item: (item[1].asleep, -item[2], item[0])):
            best = max(known.ground for known in entry.addresses)
            if best and now_ms - met_ms <= MEMORY_MS:
                addresses = tuple(known.text for known in entry.addresses if known.ground is best)
                rank = (peer not in self._trusted and not entry.kept, turns[entry.group], len(ranked))
                ranked.append((rank, Remembered(peer, addresses, best is _Ground.REACHED, met_ms)))
                turns[entry.group] += 1
        return [each for _, each in sorted(ranked, key=lambda item: item[0])[:REMEMBERED_MAX]]

    def recall(self, before: Remembered, now_ms: int) -> bool:
        """Add a peer from before a restart; True if it may be dialled now."""
        ground = _Ground.REACHED if before.reached else _Ground.OBSERVED
        known = [
            _known(address, ground)
            for text in islice(before.addresses, ADDRESSES_PER_PEER_MAX)
            if (address := parse_address(text)) is not None and address.peer in (None, before.key)
        ]
        if before.key == self._own_key or not known or now_ms - before.met_ms > MEMORY_MS:
            return False
        entry = self._entries.get(before.key)
        if entry is None:
            if len(self._entries) >= PEERS_MAX:
                return False
            entry = self._entries[before.key] = _Entry(False, now_ms, due_ms=now_ms)
        entry.met_ms = min(before.met_ms, now_ms)
        return _join(entry, known)

    # -- when to dial ----------------------------------------------------------------------------------------------

    def dialable(self, peer: bytes, now_ms: int) -> bool:
        """Whether a dial on demand is useful: an address may be tried, and no dial has failed a moment ago."""
        entry = self._entries.get(peer)
        return entry is not None and now_ms >= entry.resting_until_ms and _may_be_tried(entry)

    def due(self, now_ms: int, connected: Collection[bytes], connections_target: int) -> list[bytes]:
        """Return the peers to dial now: bootstrap peers, then others while connections are wanted, longest due first.

        Strangers with claimed addresses only come last, by lot over the address groups that they claim.
        """
        chosen: list[tuple[int, bytes]] = []
        others: list[tuple[int, bytes]] = []
        claimed: list[tuple[bytes, _Entry]] = []
        dialling = sum(entry.dialling for entry in self._entries.values())
        room = max(connections_target - len(connected) - dialling, 0)
        within_budget = self._dials.level(now_ms / 1000) >= 1
        for peer, entry in self._waiting(connected):
            if entry.due_ms > now_ms:
                continue
            if entry.kept:
                chosen.append((entry.due_ms, peer))
            elif entry.believed:
                others.append((entry.due_ms, peer))
            elif room and within_budget:
                claimed.append((peer, entry))
        believed = [peer for _, peer in sorted(others)]
        return [peer for _, peer in sorted(chosen)] + (believed + self._by_lot(claimed))[:room]

    def _by_lot(self, claimed: list[tuple[bytes, _Entry]]) -> list[bytes]:
        """Order peers randomly, in turns over address groups."""
        self._rng.shuffle(claimed)
        turns: collections.Counter[str] = collections.Counter()
        ranked = []
        for peer, entry in claimed:
            ranked.append((turns[entry.group], peer))
            turns[entry.group] += 1
        return [peer for _, peer in sorted(ranked, key=lambda item: item[0])]

    def next_due_ms(self, connected: Collection[bytes]) -> int | None:
        """Return when the next peer becomes due; None if none is waiting."""
        return min((entry.due_ms for _, entry in self._waiting(connected)), default=None)

    def _waiting(self, connected: Collection[bytes]) -> Iterator[tuple[bytes, _Entry]]:
        for peer, entry in self._entries.items():
            if not entry.dialling and peer not in connected and _may_be_tried(entry):
                yield peer, entry

    def next_address(self, peer: bytes, tried: Collection[str], now_ms: int) -> str | None:
        """Return the address of `peer` to dial after those in `tried`; None if none may be dialled now.

        A claimed address is charged to the dials that its peer's messages have earned, and to the common budgets.
        """
        entry = self._entries.get(peer)
        if entry is None:
            return None
        for known in entry.addresses:
            if known.text not in tried and (known.ground or self._pay(entry, known, now_ms)):
                return known.text
        return None

    def _pay(self, entry: _Entry, known: _Known, now_ms: int) -> bool:
        group = "" if self._reach.is_ours(known.host) else address_group(known.host)
        if entry.owed <= 0:
            return False
        now_s = now_ms / 1000
        wait_s = max(self._dials.wait_s(1, now_s), self._group_dials.wait_s(group, 1, now_s) if group else 0.0)
        if wait_s > 0:
            entry.due_ms = now_ms + int(wait_s * 1000) + 1
            return False
        self._dials.take(1, now_s)
        if group:
            self._group_dials.take(group, 1, now_s)
        entry.owed -= 1
        # It goes to the end of the list, so that the others have their turn.
        entry.addresses.remove(known)
        entry.addresses.append(known)
        return True

    # -- results of dials -------------------------------------------------------------------------------------------

    def dialling(self, peer: bytes) -> None:
        """Record the start of a dial to `peer`; it is not due until `dialled` is called."""
        if entry := self._entries.get(peer):
            entry.dialling = True

    def dialled(self, peer: bytes, now_ms: int, reached: str | None, *, tried: bool = True) -> None:
        """Record the end of a dial: `reached` is the address that answered, if any; `tried`: whether one was dialled.

        Without a dial only the due time moves.
        """
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.dialling = False
        if not tried:
            entry.due_ms = max(entry.due_ms, now_ms + self._delays_ms.first)
            return
        if reached is not None:
            entry.reached_ms = entry.met_ms = now_ms
            entry.due_ms = now_ms + self._delays_ms.first
            host = address.host if (address := parse_address(reached)) else ""
            others = [known for known in entry.addresses if known.text != reached]
            entry.addresses = [_Known(reached, host, _Ground.REACHED), *others][:ADDRESSES_PER_PEER_MAX]
            return
        entry.resting_until_ms = now_ms + _REST_DELAYS * self._delays_ms.first
        self._failed(peer, entry, now_ms)

    def lost(self, peer: bytes, now_ms: int) -> None:
        """Record the end of the connection to `peer`. A dialled one that did not last counts as a failed dial.

        So a node that accepts connections only to drop them (it shuts down, or is full) is not dialled in a loop.
        """
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.met_ms = now_ms
        if now_ms - entry.reached_ms >= self._delays_ms.longest:
            entry.failures = 0
        self._failed(peer, entry, now_ms)

    def _failed(self, peer: bytes, entry: _Entry, now_ms: int) -> None:
        """Back off, by a random share, so that peers that lost the same peer do not dial it at the same moment."""
        entry.failures += 1
        most = FAILURES_OF_KNOWN_MAX if entry.believed else FAILURES_MAX
        if entry.failures >= most and not entry.kept:
            if not entry.answered or entry.met_ms is None or now_ms - entry.met_ms > MEMORY_MS:
                del self._entries[peer]
            else:
                entry.due_ms = now_ms + int(SLEEP_MS * self._rng.uniform(0.5, 1.5))
            return
        delay_ms = self._delays_ms.pause(entry.failures)
        entry.due_ms = now_ms + int(delay_ms * self._rng.uniform(0.5, 1.5))


def _known(address: Address, ground: _Ground) -> _Known:
    return _Known(address.text, address.host, ground)


def _may_be_tried(entry: _Entry) -> bool:
    return entry.owed > 0 or entry.believed


def _join(entry: _Entry, usable: list[_Known]) -> bool:
    """Put new addresses first; a host's newest claim replaces its older ones. Returns whether one is new."""
    held = {known.text: known for known in entry.addresses}
    fresh = [known for known in usable if known.text not in held]
    raised = {known.text: known for known in usable if known.text in held and known.ground > held[known.text].ground}
    hosts = {known.host for known in fresh if known.ground is not _Ground.REACHED}
    stays = [
        raised.get(known.text, known)
        for known in entry.addresses
        if known.ground is _Ground.REACHED or known.host not in hosts
    ]
    together = list(enumerate(fresh + stays))
    # The address where it answered is dropped last, the oldest before the newest.
    kept_first = sorted(together, key=lambda item: (item[1].ground is not _Ground.REACHED, item[0]))
    entry.addresses = [known for _, known in sorted(kept_first[:ADDRESSES_PER_PEER_MAX], key=lambda item: item[0])]
    entry.group = address_group(entry.addresses[0].host)
    return bool(fresh)
