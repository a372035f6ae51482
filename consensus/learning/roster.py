"""The roster: the members of a query, drawn from the offers in force (R6)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from consensus.ranking.judges import FRESH, CharacterCounts, invert_counts
from protocol.hashing import domain_digest
from protocol.messages import Offer, Seat
from protocol.types import Key, Role

STRANGERS_PARTS = 9
"""Weight of known members' votes in parts of the strangers' limit: strangers have at most a tenth of all. They may be
one person; a tenth decides no tally that is not close."""


@dataclass(frozen=True, slots=True)
class SeatWeights:
    """The weights of one member in a roster, 2^-16."""

    vote: int
    judge: int
    """A negative weight inverts its preferences."""
    author: int = 0
    counts: CharacterCounts = FRESH
    """Counts of its character as observed: before its preferences are inverted."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The asker's own view of other nodes. Weights in 2^-16."""

    default_weight: int
    """Weight of strangers: nodes that are neither named nor have earned anything."""
    weights: Mapping[Key, int]
    """Weights from the configuration, which override earned ones."""
    merits: Mapping[Key, SeatWeights] = field(default_factory=dict)
    """Weights that nodes earned."""
    challenged: Mapping[Key, SeatWeights] = field(default_factory=dict)
    """Weights of strangers that passed challenges (`challenge_weight`). They stay strangers: see `knows`."""
    friends: bool = False
    """Whether nodes with the default weight are friends: then strangers' shares of seats and votes have no limit."""
    refuted: Collection[Key] = frozenset()
    """Nodes whose reports were refuted too often: their seats test nothing."""

    def knows(self, key: Key) -> bool:
        """Whether the node is no stranger: named, or with earned weights.

        Challenges make nobody known. One good engine can pass them for a thousand keys, and whoever is known has no
        part in the strangers' limit.
        """
        return self.friends or key in self.weights or key in self.merits

    def names(self, key: Key) -> bool:
        """Whether the configuration names the node with a weight; a weight of 0 is no trust."""
        return self.weights.get(key, 0) > 0

    def weight(self, key: Key) -> int:
        """Return the weight of the node's vote: the named one, else the earned one, else the default."""
        return self.seat_weights(key).vote

    def seat_weights(self, key: Key) -> SeatWeights:
        """Return the roster's weights of the node."""
        earned = self.merits.get(key)
        named = self.weights.get(key)
        if named is None:
            return earned or self._stranger(key)
        return replace(earned, vote=named, judge=named) if earned else SeatWeights(named, named)

    def _stranger(self, key: Key) -> SeatWeights:
        """Return the default weights, or those from challenges where they are higher."""
        passed = self.challenged.get(key, SeatWeights(0, 0))
        return SeatWeights(max(self.default_weight, passed.vote), max(self.default_weight, passed.judge))


def named_offers(offers: Iterable[Offer], trust: Trust, own: Key) -> list[Offer]:
    """Return the offers of the asker itself and of nodes that its configuration names: those that may read a text."""
    return [offer for offer in offers if offer.author == own or trust.names(offer.author)]


@dataclass(frozen=True, slots=True)
class Draw:
    """Inputs of a roster's draw, besides offers and trust."""

    own: Key
    """The asker's own key, which always has a seat if it offers to work."""
    lot: bytes
    """Fresh random bytes, so that nobody else can know who is drawn."""
    seatable: Collection[Key]
    """Nodes that were heard lately and are not suspended (`presence`)."""
    groups: Mapping[Key, str] = field(default_factory=dict)
    """Address group of each connected node, as observed. A host has one; nodes that are not connected share one."""


def choose_roster(
    offers: Iterable[Offer], specialty: str, trust: Trust, members_max: int, draw: Draw
) -> tuple[Seat, ...]:
    """Choose seats for the present nodes that offer the specialty, ascending by key.

    Known nodes with weight are seated first, the heaviest first. The other seats are drawn by lot: first an address
    group, then a key in it, so that a thousand keys on one host have no more chances than one. If anybody else is
    known, these seats are at most a third, and strangers have at most a tenth of the votes. Strangers that passed
    challenges are drawn before others.
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
    others = by_lot([key for key in willing if key not in seated], draw)
    # A stable sort: within both parts the lot decides.
    others.sort(key=lambda key: key not in trust.challenged)
    if draw.own in others:
        # Our own seat displaces nobody, except the last of a full roster.
        seated = [*seated[: members_max - 1], draw.own]
        others.remove(draw.own)
        room = members_max - len(seated)
    drawn = others[: min(room, len(seated) // 2) if anybody_known else room]
    strangers = [key for key in drawn if not trust.knows(key)]
    most = _strangers_weight(trust, seated, strangers) if anybody_known else None
    seats = [_seat(willing[key], trust.seat_weights(key)) for key in (*seated, *drawn) if key not in strangers]
    seats += [_seat(willing[key], _at_most(trust.seat_weights(key), most)) for key in strangers]
    seats = [replace(seat, tool_versions="") if seat.member in trust.refuted else seat for seat in seats]
    return tuple(sorted(seats, key=lambda seat: seat.member))


def by_lot(keys: Iterable[Key], draw: Draw) -> list[Key]:
    """Return the keys in an unpredictable order in which address groups take turns."""
    groups: dict[str, list[Key]] = {}
    for key in sorted(keys, key=lambda each: domain_digest(b"strand/lot/key", draw.lot, each)):
        groups.setdefault(draw.groups.get(key, ""), []).append(key)
    turns = sorted(groups, key=lambda group: domain_digest(b"strand/lot/group", draw.lot, group.encode()))
    rounds = zip_longest(*(groups[group] for group in turns))
    return [key for turn in rounds for key in turn if key is not None]


def _strangers_weight(trust: Trust, seated: Iterable[Key], strangers: Collection[Key]) -> int:
    """Return the largest weight of each stranger's vote and judgements, 2^-16, that keeps their common share."""
    known = sum(trust.weight(key) for key in seated)
    return known // (STRANGERS_PARTS * max(1, len(strangers)))


def _at_most(seat_weights: SeatWeights, most: int | None) -> SeatWeights:
    return (
        seat_weights
        if most is None
        else replace(seat_weights, vote=min(seat_weights.vote, most), judge=min(seat_weights.judge, most))
    )


def _seat(offer: Offer, seat_weights: SeatWeights) -> Seat:
    honest, inverse, coin, partisan = (
        seat_weights.counts if seat_weights.judge >= 0 else invert_counts(seat_weights.counts)
    )
    return Seat(
        member=offer.author,
        roles=Role(offer.roles),
        vote_weight=seat_weights.vote,
        judge_weight=seat_weights.judge,
        author_weight=seat_weights.author,
        honest=honest,
        inverse=inverse,
        coin=coin,
        partisan=partisan,
        tool_versions=offer.tool_versions,
    )
