"""The seats that a requester awaits, and for how long (rule R11): weight, quorum, signs of life.

All of it is local: no record reads it, and members cannot recheck it. The record defines the *expected* contributions
of a phase. The *awaited* ones shrink as seats fall silent or refuse, so that dead seats hold nobody. A contribution of
such a seat that arrives before the closing still counts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from consensus.certificates.record import Phase, RoundRecord
from consensus.rounds.admission import Refusal
from protocol.limits import TESTERS
from protocol.types import Key

PROBE_MS: Final = 2_000
"""Milliseconds without a sign of life after which a seat is probed, and between two probes: as long as an
acknowledgement may take on a slow path, and far longer than the gossip of a query."""

SILENT_MS: Final = 6_000
"""Milliseconds without a sign of life after which a seat is no longer awaited: three unanswered probes."""

SILENT_LONG_MS: Final = 18_000
"""SILENT_MS while fewer contributions are in than an outcome needs: closing without the others would only degrade it.
Ten nodes on two busy cores, or a path that loses every fifth packet, are silent for more than SILENT_MS now and then.
"""

SILENT_ROUND_TRIPS: Final = 4
"""Measured round trips by which both are longer, 8 s at most: a probe on a new stream, and a lost packet."""

QUERIES_MAX: Final = 3
"""How often a query is sent again to a seat without a sign of life since."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """How often a seat was probed, and when last."""

    times: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class SignsOfLife:
    """The signs of life of a round's seats, as its requester sees them."""

    own: Key
    """Our own key, which is never silent."""
    began_ms: int
    """Start of the present phase, ms. Earlier silence does not count: a seat without work was not probed."""
    signs: Mapping[Key, int] = field(default_factory=dict)
    """Last sign of life of each seat, ms: it contributed, replied, or answered a ping."""
    took: frozenset[Key] = frozenset()
    """Seats that have the query: they acknowledged it or contributed."""
    contributed: frozenset[Key] = frozenset()
    refused: Mapping[Key, Refusal] = field(default_factory=dict)
    """Seats that refuse to work on the query, and why."""
    silent: frozenset[Key] = frozenset()
    asked: Mapping[Key, _Asked] = field(default_factory=dict)

    def enters(self, now_ms: int) -> "SignsOfLife":
        """Begin a phase; silent seats stay silent until they give a sign of life."""
        return replace(self, began_ms=now_ms)

    def contributes(self, member: Key, now_ms: int) -> "SignsOfLife":
        """Record a contribution of the seat that counts."""
        took, contributed = self.took | {member}, self.contributed | {member}
        return replace(self.lives(member, now_ms), took=took, contributed=contributed)

    def replies(self, member: Key, refusal: Refusal | None, now_ms: int) -> "SignsOfLife":
        """Record the seat's reply to the query: it accepts (None) or refuses."""
        refused = self.refused if refusal is None else {**self.refused, member: refusal}
        return replace(self.lives(member, now_ms), took=self.took | {member}, refused=refused)

    def lives(self, member: Key, now_ms: int) -> "SignsOfLife":
        """Record a sign of life of the seat, whatever it says about the query."""
        return replace(self, signs={**self.signs, member: now_ms}, silent=self.silent - {member})

    def awaited(self, expected: Collection[Key]) -> frozenset[Key]:
        """Return the expected seats that may still contribute."""
        return frozenset(expected) - self.silent - self.refused.keys()

    def listen(self, missing: Collection[Key], now_ms: int, silent_ms: int) -> tuple["SignsOfLife", list[Key]]:
        """Update which seats are silent by now. Returns also the seats to probe.

        `missing`: expected seats whose contribution is not in. `silent_ms`: time after which a seat is silent.
        """
        signs = {key: self._sign_ms(key) for key in missing}
        silent = {key for key, sign_ms in signs.items() if now_ms - sign_ms >= silent_ms and key != self.own}
        asked = dict(self.asked)
        due = []
        for key in sorted(signs.keys() - self.refused.keys() - silent - {self.own}):
            if now_ms >= self._due_ms(key, signs[key]):
                times = asked[key].times if key in asked else 0
                asked[key] = _Asked(times + 1, now_ms)
                due.append(key)
        return replace(self, silent=self.silent | silent, asked=asked), due

    def sends_query(self, member: Key) -> bool:
        """Whether the probe is the query itself, because it may never have arrived."""
        asked = self.asked.get(member)
        return member not in self.took and (asked is None or asked.times <= QUERIES_MAX)

    def wake_at_ms(self, missing: Collection[Key], silent_ms: int) -> int | None:
        """Return when `listen` has work; None if no seat is awaited."""
        times = []
        for key in missing:
            if key != self.own and key not in self.refused and key not in self.silent:
                sign_ms = self._sign_ms(key)
                times.append(min(self._due_ms(key, sign_ms), sign_ms + silent_ms))
        return min(times, default=None)

    def _sign_ms(self, key: Key) -> int:
        return max(self.signs.get(key, 0), self.began_ms)

    def _due_ms(self, key: Key, sign_ms: int) -> int:
        asked = self.asked.get(key)
        return max(sign_ms, asked.at_ms if asked is not None else 0) + PROBE_MS


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the expected weight is in."""

    more_than_half: bool
    quorum: bool
    silent_ms: int
    """Time without a sign of life after which the others are silent."""


def share_in(record: RoundRecord, expected: Collection[Key], received: Collection[Key]) -> Share:
    """Weigh the received contributions against the expected ones (R11)."""
    weights = _weights(record, expected)
    total = sum(weights.values())
    weight = sum(weights.get(key, 0) for key in received)
    heads = sum(bool(weights.get(key, 0)) for key in received)
    enough = heads >= min(_heads_min(record, weights), _heads(weights))
    return Share(
        more_than_half=2 * weight > total,
        quorum=3 * weight > 2 * total and enough,
        # Co-signatures come after the outcome.
        silent_ms=SILENT_MS if enough or record.phase is Phase.COSIGNING else SILENT_LONG_MS,
    )


def weighty(record: RoundRecord, expected: Collection[Key]) -> frozenset[Key]:
    """Return the expected seats that have weight in this phase, as R11 counts it."""
    return frozenset(key for key, weight in _weights(record, expected).items() if weight)


def _weights(record: RoundRecord, expected: Collection[Key]) -> dict[Key, int]:
    """Return votes, judges' weights or heads of the expected seats.

    Everyone counts as one if fewer have weight than R9 requires: they alone cannot decide, so closing without the
    others gains nothing.
    """
    match record.phase:
        case Phase.TESTING:
            weights = dict.fromkeys(expected, 1)
        case Phase.JUDGING:
            weights = {key: abs(record.seats[key].judge_weight) for key in expected}
        case Phase.COSIGNING:
            weights = {key: int(record.seats[key].vote_weight > 0) for key in expected}
        case _:
            weights = {key: record.seats[key].vote_weight for key in expected}
    enough = _heads(weights) >= max(1, min(_heads_min(record, weights), len(expected)))
    return weights if enough else dict.fromkeys(expected, 1)


def _heads(weights: Mapping[Key, int]) -> int:
    return sum(bool(weight) for weight in weights.values())


def _heads_min(record: RoundRecord, weights: Mapping[Key, int]) -> int:
    """Return the number of members with weight that R9 requires in this phase; when testing, that settle (R17)."""
    match record.phase:
        case Phase.TESTING:
            return min(TESTERS, len(weights))
        case Phase.JUDGING:
            return record.params.judges_min
        case Phase.COSIGNING:
            heads = _heads(weights)
            return heads if heads <= 3 else 2 * heads // 3 + 1
        case _:
            return record.params.answers_min
