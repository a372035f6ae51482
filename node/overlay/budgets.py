"""Token buckets for the messages that peers, authors and address groups make us read, verify and relay.

Pure: time is an argument. The limits assume this busiest honest swarm: 50 nodes, 10 messages/s network-wide, and rounds
of 64 members. A whole such round by gossip is 64 x (commit, answer of 16 KiB, 3 ballots, co-signature) + 8 closings of
at most 192 KiB + a query of 42 KB: about 400 messages and 3 MB. Each limit leaves at least six times what that needs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from consensus.rounds.buckets import Bucket, Buckets, Rate

CONNECTION_BYTES: Final = Rate(4 * 1024 * 1024, 32 * 1024 * 1024)
"""Bytes of pubsub frames from one peer: 10 messages/s of 10 KB, each up to three times (flooded, forwarded, repaired),
are 0.3 MB/s; the burst is ten whole rounds."""
CONNECTION_MESSAGES: Final = Rate(200, 4_000)
"""Messages from one peer, repeated ones included: 30/s; the burst is ten whole rounds."""
CONNECTION_VERIFICATIONS: Final = Rate(100, 2_000)
"""Signatures that one peer may make us verify. Only first copies are verified, which are 10/s from all peers together;
the burst is five whole rounds that arrive through one peer alone."""
GROUP_BYTES: Final = Rate(8 * 1024 * 1024, 64 * 1024 * 1024)
GROUP_VERIFICATIONS: Final = Rate(200, 4_000)
"""Bytes and verifications of one address group (/24, /48): as for two connections, however many keys it has."""
VERIFICATIONS: Final = Rate(250, 4_000)
"""Verifications of all peers together, at 0.8 ms of CPU each with all consequences: a fifth of a core; 10/s are needed.
Peers that delivered something new lately may use all of it, the others leave them half."""
AUTHOR_MESSAGES: Final = Rate(64, 640)
AUTHOR_BYTES: Final = Rate(2 * 1024 * 1024, 16 * 1024 * 1024)
"""Messages and bytes of one author that are relayed: as fast as our own nodes publish at most (60/s and 2 MiB/s, see
host.py), with five whole rounds at once."""
AUTHOR_USELESS: Final = Rate(1, 64)
"""Useless messages (IGNORE) that an author sends itself. An honest author has some if its clock is off or if it and we
disagree on the end of a round, a few for each round."""
PEER_USELESS: Final = Rate(16, 512)
"""Useless messages that a peer relays. Honest peers drop messages that they find useless themselves, but a node that
has just joined does not know the rounds under way: 10 messages/s, and once its neighbours' cache, a whole round."""
SERVED_BYTES: Final = Rate(1024 * 1024, 8 * 1024 * 1024)
"""Bytes of cached messages that one peer gets by IWANT and on subscribing: the repair of two whole rounds at once."""
SUBSCRIPTIONS: Final = Rate(1, 200)
"""Changes of one peer's subscriptions: our own nodes join 64 topics at most, and leave none."""

KEYS_MAX: Final = 4_096
"""Keys of one table. Beyond it the one unused for longest is forgotten, and has a full bucket when it returns. That
costs an attacker 4,096 signed messages, each charged to its connection. About 1 MB a table."""


class Over(StrEnum):
    """The owner of the budget that a message exceeds."""

    PEER = "peer"
    """The peer's own budget: it is to blame."""
    AUTHOR = "author"
    """Its author's budget; the author may differ from the peer."""
    SHARED = "shared"
    """The budget of an address group, or of all: no single peer is to blame."""


class GossipBudgets:
    """The budgets of gossip. Peers and authors are keys; `group` is None if the address is exempt."""

    def __init__(self) -> None:
        self._bytes = Buckets[bytes](CONNECTION_BYTES, KEYS_MAX)
        self._messages = Buckets[bytes](CONNECTION_MESSAGES, KEYS_MAX)
        self._verifications = Buckets[bytes](CONNECTION_VERIFICATIONS, KEYS_MAX)
        self._group_bytes = Buckets[str](GROUP_BYTES, KEYS_MAX)
        self._group_verifications = Buckets[str](GROUP_VERIFICATIONS, KEYS_MAX)
        self._all_verifications = Bucket(VERIFICATIONS)
        self._author_messages = Buckets[bytes](AUTHOR_MESSAGES, KEYS_MAX)
        self._author_bytes = Buckets[bytes](AUTHOR_BYTES, KEYS_MAX)
        self._useless_own = Buckets[bytes](AUTHOR_USELESS, KEYS_MAX)
        self._useless_passed_on = Buckets[bytes](PEER_USELESS, KEYS_MAX)

    def read(self, peer: bytes, group: str | None, size: int, now: float) -> Over | None:
        """Charge a frame of `size` bytes before it is parsed. Returns the owner of an exceeded budget."""
        if not self._bytes.take(peer, size, now):
            return Over.PEER
        return None if group is None or self._group_bytes.take(group, size, now) else Over.SHARED

    def count(self, peer: bytes, now: float) -> bool:
        """Charge one message, seen before or not. Returns False if the budget is exceeded."""
        return self._messages.take(peer, 1, now)

    def verify(self, peer: bytes, group: str | None, author: bytes, useful: bool, now: float) -> Over | None:
        """Charge the verification of a message. Returns the owner of an exceeded budget.

        The author is not charged, because until the signature is verified anybody may have written its name. `useful`:
        whether the peer has delivered something new lately.
        """
        useless = self._useless_own if author == peer else self._useless_passed_on
        if useless.level(peer, now) < 1 or not self._verifications.take(peer, 1, now):
            return Over.PEER
        if self._author_messages.level(author, now) < 1 or self._author_bytes.level(author, now) < 1:
            return Over.AUTHOR
        if not useful and self._all_verifications.level(now) < VERIFICATIONS.burst / 2:
            return Over.SHARED
        if group is not None and not self._group_verifications.take(group, 1, now):
            return Over.SHARED
        return None if self._all_verifications.take(1, now) else Over.SHARED

    def charge(self, author: bytes, size: int, now: float) -> bool:
        """Charge the author of a verified message that is not useless. Returns False if the budget is exceeded."""
        return self._author_messages.take(author, 1, now) and self._author_bytes.take(author, size, now)

    def useless(self, peer: bytes, author: bytes, now: float) -> None:
        """Charge a verified but useless message to the peer that sent it.

        An author pays only for messages that it sends itself. Otherwise anybody could spend an honest author's budget
        with its old messages.
        """
        (self._useless_own if author == peer else self._useless_passed_on).take(peer, 1, now)
