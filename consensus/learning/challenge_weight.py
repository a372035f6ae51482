"""The weight that a stranger earns by challenges (rule R20): small, for a time, and never that of a known node.

A challenge shows less than a gold round. It can be recognised as one, relayed to a better node, or passed by a sleeper
that answers otherwise once it has weight; and one good engine can pass for any number of keys. So the weight has a cap
below that of a node with an average record on gold, halves with every HALF_LIFE_ROUNDS of the asker's own rounds, and
ends where gold begins: a node with gold has the weight that gold gives it. Whoever has it stays a stranger
(`roster.Trust`), so that all strangers together have a tenth of the votes however many keys passed.
"""

from dataclasses import dataclass
from typing import Final

from consensus.learning.roster import SeatWeights
from protocol.types import ONE

CAP: Final = ONE // 2
"""Largest weight from challenges, 2^-16: half of that of a node with an average record on gold."""

HALF_LIFE_ROUNDS: Final = 40
"""Rounds of the asker that halve the weight. With gold after a tenth of its rounds, a node that has a seat in most of
them has been tested some four times by then."""

LEVEL: Final = ONE // 8
"""Step of these weights, as of earned ones (`experience.LEVEL`): they change rarely, and end at zero."""

PRIOR: Final = 2
"""Failed items that every node is taken to have had before its first one."""

COUNT_MAX: Final = 1 << 16
"""Largest count of items of one kind."""


@dataclass(frozen=True, slots=True)
class ChallengeRecord:
    """Counts of one node's challenges at one asker, and the end of the record."""

    evidence: int = 0
    """Evidence that it does better than by guessing, in 1/1000 of a natural logarithm (`node.gold.newcomer`)."""
    answers_passed: int = 0
    answers_failed: int = 0
    judgements_right: int = 0
    judgements_wrong: int = 0
    void: int = 0
    """Items that show nothing."""
    closed_ms: int = 0
    """Date of the last item, by the asker's clock in ms; 0: more items are needed."""
    earned_at: int | None = None
    """Number of rounds from which the asker had learned when the node passed; None: it has not passed."""

    @property
    def is_open(self) -> bool:
        """Whether more items are needed."""
        return self.closed_ms == 0

    @property
    def items(self) -> int:
        """Number of items, void ones included."""
        scored = self.answers_passed + self.answers_failed + self.judgements_right + self.judgements_wrong
        return scored + self.void


def challenge_weights(record: ChallengeRecord, rounds: int) -> SeatWeights | None:
    """Return the weights in a roster; None: none, because the node has not passed, or its weight has faded.

    Vote and judge are apart: a node that only answered is no judge. `rounds`: those from which the asker has learned.
    """
    if record.earned_at is None:
        return None
    faded = CAP * 0.5 ** (max(0, rounds - record.earned_at) / HALF_LIFE_ROUNDS)
    answers, judgements = (record.answers_passed, record.answers_failed), _above_chance(record)
    vote, judge = (_level(faded * _share(*counts)) for counts in (answers, judgements))
    return SeatWeights(vote, judge) if vote or judge else None


def _above_chance(record: ChallengeRecord) -> tuple[int, int]:
    """Return the judgements beyond those that a coin gets right, and the others."""
    right, wrong = record.judgements_right, record.judgements_wrong
    return max(0, right - wrong), 2 * min(right, wrong)


def _share(good: int, bad: int) -> float:
    """Return a cautious share of good outcomes: below 1, and rising with their number."""
    return good / (good + bad + PRIOR)


def _level(weight: float) -> int:
    """Round down to a level."""
    return int(weight) // LEVEL * LEVEL
