"""Counts and times of this node's rounds since its start, for metrics."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from node.rounds.following.hub import RoundRole
from node.rounds.following.timeline import PHASES, PhaseEnded, PhaseResult, RoundBegan, RoundOver
from protocol.types import CompileStatus, DeclineReason, Outcome

BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the buckets of durations in seconds: from a scripted engine's phase to a slow model's whole round."""


_DECLINABLE: Final = ("answering", "testing", "judging")
"""Phases of a member's work."""


@dataclass(slots=True)
class Durations:
    """A histogram of durations with the buckets of BOUNDS_S."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """Durations in each bucket, not cumulated; the last one has no upper bound."""
    sum_s: float = 0.0

    def add(self, ms: int) -> None:
        """Count one duration."""
        duration_s = max(ms, 0) / 1000
        self.counts[sum(duration_s > bound for bound in BOUNDS_S)] += 1
        self.sum_s += duration_s


class RoundMeter:
    """Counts rounds, phases, comparisons and declines. A listener of `RoundTimeline`."""

    def __init__(self) -> None:
        self.over: Counter[tuple[RoundRole, str, str]] = Counter(
            {("requester", "finished", str(outcome)): 0 for outcome in Outcome}
        )
        """Rounds that are over, by role, ending and outcome ("none" if this role does not learn it)."""
        self.rounds: dict[RoundRole, Durations] = {"requester": Durations(), "member": Durations()}
        """Durations of rounds that are over."""
        self.answers = Durations()
        """Times from our query to its decided answer: what a user waits for."""
        self.phases = {kind: Durations() for kind in PHASES}
        """Durations of phases, by role and name."""
        self.comparisons: Counter[RoundRole] = Counter({"requester": 0, "member": 0})
        """Comparisons in the ballots that count in our rounds, and in our own ballots."""
        self.abstentions: Counter[RoundRole] = Counter({"requester": 0, "member": 0})
        """Abstentions among them."""
        self.declined = Counter({(phase, reason): 0 for phase in _DECLINABLE for reason in DeclineReason})
        """Phases that our member declined, by name and reason."""
        self.unfinished: Counter[str] = Counter(dict.fromkeys(_DECLINABLE, 0))
        """Phases that went on without our member, by name."""

        self.tested: Counter[CompileStatus] = Counter(dict.fromkeys(CompileStatus, 0))
        """Answers in our own reports, by what they say of compiling."""

    def round_began(self, began: RoundBegan) -> None:
        """Do nothing: open rounds are counted by the timeline."""

    def phase_ended(self, ended: PhaseEnded) -> None:
        """Count a phase."""
        if (durations := self.phases.get((ended.role, ended.phase))) is not None:
            durations.add(ended.ended_ms - ended.began_ms)
        self.comparisons[ended.role] += ended.comparisons
        self.abstentions[ended.role] += ended.abstentions
        self.tested.update(ended.tested)
        if ended.reason is not None:
            self.declined[ended.phase, ended.reason] += 1
        elif ended.role == "member" and ended.result is PhaseResult.UNFINISHED:
            self.unfinished[ended.phase] += 1

    def round_over(self, over: RoundOver) -> None:
        """Count a round."""
        outcome = "none" if over.outcome is None else str(over.outcome)
        self.over[over.role, str(over.ending), outcome] += 1
        self.rounds[over.role].add(over.ended_ms - over.began_ms)
        if over.answered_ms is not None:
            self.answers.add(over.answered_ms - over.began_ms)
