"""The offers in force: each node's newest, while it is valid (R6)."""

from collections.abc import Collection

from protocol.messages import Offer
from protocol.params import NetworkParams
from protocol.types import Key

OFFERS_MAX = 1024
"""Offers kept, one for each node: twenty sub-meshes' worth. Beyond it those of fresh keys are removed first."""

RENEWAL_MS = 100
"""Milliseconds between two offers of one author. Greetings of new peers come in bundles of 300 ms; faster ones are a
flood."""


class OfferBook:
    """The newest offer of each node, while it is valid."""

    def __init__(self, params: NetworkParams, trusted: Collection[Key] = ()) -> None:
        self._params = params
        self._trusted = frozenset(trusted)
        self._offers: dict[Key, Offer] = {}
        self._came_ms: dict[Key, int] = {}
        self._since_ms: dict[Key, int] = {}
        """Arrival of the first of an author's offers that have been renewed in time ever since."""
        self._connected: set[Key] = set()

    def note_peer(self, peer: Key, connected: bool) -> None:
        """Record a node's connection or disconnection: offers of connected nodes are not removed for others."""
        (self._connected.add if connected else self._connected.discard)(peer)

    def add(self, offer: Offer, now_ms: int) -> None:
        """Keep an offer that is not stale. If the book is full, one is removed: see `_least`."""
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
        """Return the author whose offer is removed in favour of `author`'s.

        The oldest offer of a fresh key is removed first, so that a flood of them costs nobody else. Without one, a
        protected author displaces the oldest offer that is not protected; any other author's own offer is removed.
        Protected are trusted and connected nodes; a key is fresh until it has been here for an offer's interval.
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
        """Whether the author's last offer arrived long enough ago for another one."""
        came_ms = self._came_ms.get(author)
        return came_ms is None or now_ms - came_ms >= RENEWAL_MS

    def is_stale(self, offer: Offer) -> bool:
        """Whether we hold this offer or a newer one of its author."""
        known = self._offers.get(offer.author)
        return known is not None and offer.sequence <= known.sequence

    def valid(self, now_ms: int) -> list[Offer]:
        """Return the offers in force, ordered by author."""
        oldest_ms = now_ms - self._params.offer_valid_ms
        self._offers = {key: offer for key, offer in self._offers.items() if offer.sent_at_ms >= oldest_ms}
        self._came_ms = {key: self._came_ms[key] for key in self._offers}
        self._since_ms = {key: self._since_ms[key] for key in self._offers}
        return sorted(self._offers.values(), key=lambda offer: offer.author)

    def working(self, now_ms: int) -> int:
        """Count the nodes that offer to work; an offer without a role states that its node does not."""
        return sum(bool(offer.roles) for offer in self.valid(now_ms))
