"""Who is there and who is asked: offers in force, and the roster that a requester draws from them (R6, DESIGN 6)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from consensus.judges import FRESH, Counts, turned
from protocol.hashing import domain_digest
from protocol.messages import Offer, Seat
from protocol.params import NetworkParams
from protocol.types import Key, Role

OFFERS_MAX = 1024
"""offers kept, one for each node: twenty sub-meshes' worth; beyond it those of fresh keys go first."""

STRANGERS_PARTS = 9
"""What known members' votes weigh, in parts of what strangers' may: strangers have a tenth of all at most. They may be
one person; a tenth tips no tally that is not on edge."""

RENEWAL_MS = 100
"""ms between two offers of one author: greetings of new peers come in bundles of 300 ms; faster ones are a flood."""


@dataclass(frozen=True, slots=True)
class Merit:
    """What a roster says of one member. 2^-16."""

    vote: int
    judge: int
    """Below zero its preferences are turned round."""
    author: int = 0
    counts: Counts = FRESH
    """Of its character, as it speaks: before its preferences are turned round."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The asker's own view of other nodes. Weights in 2^-16."""

    default_weight: int
    """Of strangers: nodes that are neither named nor have earned anything."""
    weights: Mapping[Key, int]
    """What the configuration says, whatever they earned."""
    merits: Mapping[Key, Merit] = field(default_factory=dict)
    """What nodes earned."""
    friends: bool = False
    """Whether whoever gets the default weight is a friend: then strangers' shares of seats and votes have no limit."""

    def knows(self, key: Key) -> bool:
        """Whether the node is no stranger: named, or with something earned."""
        return self.friends or key in self.weights or key in self.merits

    def weight(self, key: Key) -> int:
        """Of the node's vote: the named weight, else the earned one, else the default."""
        return self.merit(key).vote

    def merit(self, key: Key) -> Merit:
        """What a roster says of the node."""
        earned = self.merits.get(key)
        named = self.weights.get(key)
        if named is None:
            return earned or Merit(self.default_weight, self.default_weight)
        return replace(earned, vote=named, judge=named) if earned else Merit(named, named)


class OfferBook:
    """The newest offer of each node, while it is valid."""

    def __init__(self, params: NetworkParams, trusted: Collection[Key] = ()) -> None:
        self._params = params
        self._trusted = frozenset(trusted)
        self._offers: dict[Key, Offer] = {}
        self._came_ms: dict[Key, int] = {}
        self._since_ms: dict[Key, int] = {}
        """When the first of an author's offers came that were renewed in time ever since."""
        self._connected: set[Key] = set()

    def note_peer(self, peer: Key, connected: bool) -> None:
        """Note that a node came or went: the offers of connected ones are not given up for those of others."""
        (self._connected.add if connected else self._connected.discard)(peer)

    def add(self, offer: Offer, now_ms: int) -> None:
        """Keep an offer that is not stale. When the book is full, one goes: see `_least`."""
        author = offer.author
        before = self._offers.pop(author, None)
        if before is None or before.sent_at_ms < now_ms - self._params.offer_valid_ms:
            self._since_ms[author] = now_ms
        self._offers[author] = offer
        self._came_ms[author] = now_ms
        if len(self._offers) > OFFERS_MAX:
            least = self._least(author, now_ms)
            del self._offers[least], self._came_ms[least], self._since_ms[least]

    def _least(self, author: Key, now_ms: int) -> Key:
        """Whose offer goes for that of `author`: a fresh key's, the oldest first, so that a flood of them costs nobody
        else. Where there is none, the oldest one for a protected author's; else the new one itself.

        Protected are trusted and connected nodes; fresh is who has not been here for an offer's interval.
        """
        fresh_ms = now_ms - self._params.offer_interval_ms
        free = (key for key in self._offers if not self._is_protected(key))
        if (fresh := next((key for key in free if self._since_ms[key] > fresh_ms), None)) is not None:
            return fresh
        oldest = next((key for key in self._offers if not self._is_protected(key)), author)
        return oldest if self._is_protected(author) else author

    def _is_protected(self, key: Key) -> bool:
        return key in self._trusted or key in self._connected

    def may_renew(self, author: Key, now_ms: int) -> bool:
        """Whether the author's last offer came long enough ago for another one."""
        came_ms = self._came_ms.get(author)
        return came_ms is None or now_ms - came_ms >= RENEWAL_MS

    def is_stale(self, offer: Offer) -> bool:
        """Whether we hold this or a newer offer of its author."""
        known = self._offers.get(offer.author)
        return known is not None and offer.sequence <= known.sequence

    def valid(self, now_ms: int) -> list[Offer]:
        """Offers in force, by author."""
        oldest_ms = now_ms - self._params.offer_valid_ms
        self._offers = {key: offer for key, offer in self._offers.items() if offer.sent_at_ms >= oldest_ms}
        self._came_ms = {key: self._came_ms[key] for key in self._offers}
        self._since_ms = {key: self._since_ms[key] for key in self._offers}
        return sorted(self._offers.values(), key=lambda offer: offer.author)

    def working(self, now_ms: int) -> int:
        """How many nodes offer to work; an offer without a role says that its node does not."""
        return sum(bool(offer.roles) for offer in self.valid(now_ms))


@dataclass(frozen=True, slots=True)
class Draw:
    """What an asker draws a roster from, beside offers and trust."""

    own: Key
    """Our own key, which always has a seat if it offers to work."""
    lot: bytes
    """Fresh random bytes: nobody else can know who is drawn."""
    seatable: Collection[Key]
    """Nodes that were heard lately and do not sit out (`presence`)."""
    groups: Mapping[Key, str] = field(default_factory=dict)
    """Address group of each connected node, as observed. A host has one; nodes that are not connected share one."""


def choose_roster(
    offers: Iterable[Offer], specialty: str, trust: Trust, members_max: int, draw: Draw
) -> tuple[Seat, ...]:
    """Seats for the nodes that offer the specialty and are there, ascending by key.

    Known nodes with weight are seated first, the heaviest first. The other seats are drawn by lot: first an address
    group, then a key in it, so that a thousand keys on one host have no more chances than one. As long as anybody but
    ourselves is known, these seats are at most a third, and strangers have at most a tenth of the votes.
    """
    willing = {
        offer.author: offer
        for offer in offers
        if offer.roles
        and specialty in offer.specialties
        and (offer.author == draw.own or offer.author in draw.seatable)
    }
    known = [key for key in willing if trust.knows(key) and trust.weight(key)]
    known.sort(key=lambda key: (key != draw.own, -trust.weight(key), willing[key].queue, key))
    seated = known[:members_max]
    anybody_known = any(key != draw.own for key in seated)
    room = members_max - len(seated)
    others = _by_lot([key for key in willing if key not in seated], draw)
    if draw.own in others:
        # Our own seat takes nothing from anybody, but of the last of a full table.
        seated = [*seated[: members_max - 1], draw.own]
        others.remove(draw.own)
        room = members_max - len(seated)
    drawn = others[: min(room, len(seated) // 2) if anybody_known else room]
    strangers = [key for key in drawn if not trust.knows(key)]
    most = _strangers_weight(trust, seated, strangers) if anybody_known else None
    seats = [_seat(willing[key], trust.merit(key)) for key in (*seated, *drawn) if key not in strangers]
    seats += [_seat(willing[key], _at_most(trust.merit(key), most)) for key in strangers]
    return tuple(sorted(seats, key=lambda seat: seat.member))


def _by_lot(keys: Iterable[Key], draw: Draw) -> list[Key]:
    """The keys in an order that nobody could foresee, in which address groups take turns."""
    groups: dict[str, list[Key]] = {}
    for key in sorted(keys, key=lambda each: domain_digest(b"strand/lot/key", draw.lot, each)):
        groups.setdefault(draw.groups.get(key, ""), []).append(key)
    turns = sorted(groups, key=lambda group: domain_digest(b"strand/lot/group", draw.lot, group.encode()))
    rounds = zip_longest(*(groups[group] for group in turns))
    return [key for turn in rounds for key in turn if key is not None]


def _strangers_weight(trust: Trust, seated: Iterable[Key], strangers: Collection[Key]) -> int:
    """What each stranger's vote and judgements may weigh, 2^-16, so that together they have their share at most."""
    known = sum(trust.weight(key) for key in seated)
    return known // (STRANGERS_PARTS * max(1, len(strangers)))


def _at_most(merit: Merit, most: int | None) -> Merit:
    return merit if most is None else replace(merit, vote=min(merit.vote, most), judge=min(merit.judge, most))


def _seat(offer: Offer, merit: Merit) -> Seat:
    honest, inverse, coin, partisan = merit.counts if merit.judge >= 0 else turned(merit.counts)
    return Seat(
        member=offer.author,
        roles=Role(offer.roles),
        vote_weight=merit.vote,
        judge_weight=merit.judge,
        author_weight=merit.author,
        honest=honest,
        inverse=inverse,
        coin=coin,
        partisan=partisan,
    )
