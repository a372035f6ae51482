"""GossipSub v1.1 peer scores, and the timed bans that follow from them. Pure: keys are bytes, time is an argument.

libp2p 0.8.1 has a scorer of its own, which is not used. It counts joins instead of time in the mesh (P1), never counts
mesh deliveries (P3), and forgets a peer's faults when it disconnects. It leaves the penalties for floods out of the
gates that use it, and grows with every key that is looked up. Its router uses ours (router.py).

P3 is left out on purpose: own messages are flooded, so that a mesh link is seldom the first to deliver, and IHAVE
compensates for a link that delivers nothing. P5, the application's opinion of a node, stays in
`consensus.learning.reputation`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

GOSSIP_MIN: Final = -10.0
"""Below it a peer gets no IHAVE and no IWANT."""
PUBLISH_MIN: Final = -20.0
"""Below it a peer gets no messages of ours."""
GRAYLIST: Final = -40.0
"""Below it a peer's frames are not parsed."""
BAN: Final = -80.0
"""Below it a peer is disconnected and banned."""

_HALF_LIFE_S: Final = 120.0
"""Seconds in which counters of deeds, good and bad, halve: a peer that behaves again has a clean record after ten
minutes."""
_MESH_S: Final = 600.0
_P1_MAX: Final = 2.0
"""Score for time in a mesh, up to this much after ten minutes. Small, because it is cheap to earn."""
_P2_WEIGHT: Final = 0.1
_P2_MAX: Final = 8.0
"""Score for first deliveries, up to 80 lately: they compensate one invalid message, but not two."""
_P4_WEIGHT: Final = 4.0
"""Cost of invalid messages, squared: 1 costs 4, 2 cost 16 (no gossip), 4 cost 64 (graylisted), 5 cost 100 (banned)."""
_P6_WEIGHT: Final = 1.0
_P6_FREE: Final = 16
_P6_MAX: Final = 9.0
"""Cost of connected keys of one address group (/24, /48) beyond the free ones, squared; it applies to all of them. Its
cap takes them out of the mesh and no further, because a crowd may be a campus."""
_P7_FREE: Final = 6.0
"""Misbehaviour beyond this count costs its square: 12.4 at once graylist a peer, 15 ban it. The allowance covers
occasional faults of honest peers, such as an early GRAFT or an answer to an IWANT that a full queue dropped."""

_LEDGERS_MAX: Final = 4_096
"""Peers whose deeds are remembered, disconnected ones included; the one unheard for longest is forgotten. 3 MB."""
_BANS_MAX: Final = 4_096
"""Keys that are or were banned; the earliest ban is forgotten. 1 MB."""
_BAN_S: Final = 60.0
_BAN_MAX_S: Final = 3_600.0
"""Seconds of a first ban, and of the longest: each further one is twice as long, until a peer has behaved for
_FORGIVEN_S."""
_FORGIVEN_S: Final = 3_600.0
_ADDRESS_KEYS: Final = 3
"""Concurrently banned keys of one address that ban the address itself."""


class Misbehaviour(StrEnum):
    """A peer's faults, by their names in `strand peers`."""

    INVALID = "invalid messages"
    """P4: it sent messages that any honest node refuses."""
    CROWD = "crowded address"
    """P6: too many keys of one address group."""
    NONSENSE = "unreadable frames"
    BUDGET = "over budget"
    GRAFT = "graft during back-off"
    IHAVE = "ihave flood"
    PROMISE = "broken promises"
    """It announced messages and did not send them on request."""
    IWANT = "iwant flood"
    """It requests the same messages repeatedly, or messages that never existed."""
    SUBSCRIPTIONS = "subscription flood"
    INSISTED = "sent on while ignored"


@dataclass(slots=True)
class _Ledger:
    """The deeds of one peer; counters are as of `at` and fade from there."""

    at: float
    group: str | None = None
    address: str | None = None
    connected: bool = False
    meshes: int = 0
    mesh_since: float = 0.0
    delivered: float = 0.0
    faults: dict[Misbehaviour, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Ban:
    until: float
    length_s: float
    address: str | None
    why: str


class PeerScores:
    """Scores of the peers of the mesh, and bans."""

    def __init__(self) -> None:
        self._ledgers: OrderedDict[bytes, _Ledger] = OrderedDict()
        self._bans: OrderedDict[bytes, _Ban] = OrderedDict()
        self._crowds: Counter[str] = Counter()

    # -- deeds
    # -----------------------------------------------------------------------------------------------------------

    def connected(self, key: bytes, address: str | None, group: str | None, now: float) -> None:
        """Record a peer's connection from `address`; `group` is None if the address is exempt from limits."""
        ledger = self._ledger(key, now)
        if not ledger.connected:
            ledger.connected, ledger.address, ledger.group = True, address if group else None, group
            if group is not None:
                self._crowds[group] += 1

    def disconnected(self, key: bytes, now: float) -> None:
        """Record the end of a peer's last connection. Its faults are not forgotten."""
        ledger = self._ledgers.get(key)
        if ledger is not None and ledger.connected:
            self._leave_crowd(ledger)
            self._fade(ledger, now)
            ledger.connected, ledger.meshes = False, 0

    def grafted(self, key: bytes, now: float) -> None:
        """Record that a peer joined one more mesh of ours."""
        ledger = self._ledger(key, now)
        if ledger.meshes == 0:
            ledger.mesh_since = now
        ledger.meshes += 1

    def pruned(self, key: bytes, now: float) -> None:
        """Record that a peer left a mesh of ours."""
        ledger = self._ledger(key, now)
        ledger.meshes = max(0, ledger.meshes - 1)

    def delivered(self, key: bytes, now: float) -> None:
        """Record that a peer was the first to deliver a useful message (P2)."""
        self._ledger(key, now).delivered += 1

    def blame(self, key: bytes, fault: Misbehaviour, now: float, amount: float = 1.0) -> None:
        """Record a fault of a peer (P4, P7)."""
        faults = self._ledger(key, now).faults
        faults[fault] = faults.get(fault, 0.0) + amount

    # -- consequences
    # ----------------------------------------------------------------------------------------------------

    def score(self, key: bytes, now: float) -> float:
        """Return the sum of P1, P2, P4, P6 and P7; 0 for an unknown peer."""
        ledger = self._ledgers.get(key)
        if ledger is None:
            return 0.0
        self._fade(ledger, now)
        mesh_s = now - ledger.mesh_since if ledger.meshes else 0.0
        good = min(_P1_MAX, _P1_MAX * mesh_s / _MESH_S) + min(_P2_MAX, _P2_WEIGHT * ledger.delivered)
        return good - sum(self._costs(ledger).values())

    def reason(self, key: bytes, now: float) -> str:
        """Return the most costly fault of the peer, in words; empty if there is none."""
        ban = self._bans.get(key)
        if ban is not None and ban.until > now:
            return f"banned for {ban.until - now:.0f} s: {ban.why}"
        ledger = self._ledgers.get(key)
        if ledger is None:
            return ""
        self._fade(ledger, now)
        costs = self._costs(ledger)
        # Faults within the allowance cost nothing.
        return max(costs, key=costs.__getitem__).value if any(costs.values()) else ""

    def is_useful(self, key: bytes, now: float) -> bool:
        """Whether the peer has delivered something lately, and its score is not negative."""
        ledger = self._ledgers.get(key)
        return ledger is not None and ledger.delivered >= 1 and self.score(key, now) >= 0

    def ban_if_due(self, key: bytes, now: float) -> bool:
        """Ban a peer whose score is below BAN. Returns whether it is banned."""
        if self.is_banned(key, now):
            return True
        if self.score(key, now) >= BAN:
            return False
        ledger = self._ledgers[key]
        earlier = self._bans.pop(key, None)
        again = earlier is not None and now - earlier.until < _FORGIVEN_S
        length_s = min(_BAN_MAX_S, 2 * earlier.length_s) if again and earlier is not None else _BAN_S
        self._bans[key] = _Ban(now + length_s, length_s, ledger.address, self.reason(key, now))
        ledger.faults.clear()  # the ban makes up for them; the next one is longer
        if len(self._bans) > _BANS_MAX:
            self._bans.popitem(last=False)
        return True

    def is_banned(self, key: bytes, now: float) -> bool:
        """Whether connections of this key are to be refused at `now`."""
        ban = self._bans.get(key)
        return ban is not None and ban.until > now

    def is_address_banned(self, address: str, now: float) -> bool:
        """Whether connections from this address are to be refused at `now`, because several of its keys misbehaved."""
        return sum(ban.address == address and ban.until > now for ban in self._bans.values()) >= _ADDRESS_KEYS

    # -- inside --------------------------------------------------------------------------------------------------------

    def _costs(self, ledger: _Ledger) -> dict[Misbehaviour, float]:
        """Return the cost of each fault; P7's is divided by counts."""
        invalid = ledger.faults.get(Misbehaviour.INVALID, 0.0)
        crowd = max(0, self._crowds[ledger.group] - _P6_FREE) if ledger.connected and ledger.group else 0
        costs = {Misbehaviour.INVALID: _P4_WEIGHT * invalid**2, Misbehaviour.CROWD: min(_P6_MAX, _P6_WEIGHT * crowd**2)}
        behaved = {fault: count for fault, count in ledger.faults.items() if fault is not Misbehaviour.INVALID}
        count = sum(behaved.values())
        penalty = max(0.0, count - _P7_FREE) ** 2
        return costs | {fault: penalty * each / count for fault, each in behaved.items() if count}

    def _ledger(self, key: bytes, now: float) -> _Ledger:
        ledger = self._ledgers.get(key)
        if ledger is None:
            ledger = self._ledgers[key] = _Ledger(now)
            if len(self._ledgers) > _LEDGERS_MAX:
                self._leave_crowd(self._ledgers.popitem(last=False)[1])
        self._ledgers.move_to_end(key)
        self._fade(ledger, now)
        return ledger

    def _leave_crowd(self, ledger: _Ledger) -> None:
        if ledger.connected and ledger.group is not None:
            self._crowds[ledger.group] -= 1
            if not self._crowds[ledger.group]:
                del self._crowds[ledger.group]

    @staticmethod
    def _fade(ledger: _Ledger, now: float) -> None:
        left = 0.5 ** (max(0.0, now - ledger.at) / _HALF_LIFE_S)
        ledger.at = now
        ledger.delivered *= left
        ledger.faults = {fault: count * left for fault, count in ledger.faults.items() if count * left > 0.01}
