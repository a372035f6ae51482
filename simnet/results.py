"""Results of a simulation: one for each round, violations, costs, and their summary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from consensus.certificates.record import RoundRecord, bodies
from consensus.certificates.tally import Ranking
from consensus.learning.scoring import calibration_error
from protocol.messages import Ballot, Report
from protocol.types import ABSTAIN, ONE
from simnet.plan import PlannedQuery

WINDOW = 10
"""Rounds of one point of a learning curve."""

NO_OUTCOME = "none"
"""The outcome of a round whose user got no answer by its deadline."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Whether each way to choose picked a right answer, from the same counted contributions of one round."""

    swarm: bool
    majority: bool
    plain_bradley_terry: bool
    best_single: bool
    """The most skilled honest node of the shard alone."""
    oracle: bool
    """Whether any counted answer was right: no choice among them can do better."""
    behaviour_majority: bool | None = None
    """The largest cluster of equal behaviour among the answers that compile, if answers are tested."""
    win_rate: bool | None = None
    """The answer that won the largest share of its comparisons. Like the next one, only if askers learn."""
    weighted_majority: bool | None = None
    """The largest cluster by its authors' votes in the roster, which they earned."""
    rankings: bool | None = None
    """The answer with the best mean place in the judges' own rankings, which the published client's judges report; None
    where judges compare too little for a ranking of their own."""


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One query's outcome. Times are virtual milliseconds after the query."""

    number: int
    shard: int
    requester: int
    """The asking node's number."""
    outcome: str
    """`decided`, `degraded`, `failed`, or NO_OUTCOME."""
    reason: str
    stop: str
    full: bool
    """Whether more than two thirds of the members with weight co-signed."""
    answered_ms: int | None
    """When the user got the answer."""
    phases_ms: Mapping[str, int]
    """Length of each closed phase."""
    members: int
    answers: int
    comparisons: int
    """Counted judgements, without abstentions."""
    tests: int
    """Counted findings: answers that testers reported on, in all reports."""
    ranking: bytes
    """The ranking's digest; empty without a ranking."""
    verdicts: Verdicts
    p_best: float | None = None
    """P(best) of the winner: the probability that its cluster is the best."""
    p_correct: float | None = None
    """P(correct) of the winner: calibrated on gold, without gold P(best)."""
    consensual: bool | None = None
    """Whether the winner's cluster is the honest judges' choice by all pairs, if the scenario asks for it."""


def round_result(
    asking: PlannedQuery, record: RoundRecord | None, ranking: Ranking | None, verdicts: Verdicts
) -> RoundResult:
    """Build the result of a record and its ranking: without a ranking no outcome, without a record nothing counted."""
    ballots = [] if record is None else bodies(record.ballots, Ballot)
    return RoundResult(
        number=asking.number,
        shard=asking.shard,
        requester=asking.requester,
        outcome=NO_OUTCOME if ranking is None else ranking.outcome.value,
        reason="" if ranking is None else ranking.reason.value,
        stop="" if ranking is None else ranking.stop.value,
        full=False,
        answered_ms=None,
        phases_ms={},
        members=0 if record is None else len(record.seats),
        answers=0 if record is None else len(record.answers),
        comparisons=sum(each.preference != ABSTAIN for ballot in ballots for each in ballot.judgements),
        tests=0 if record is None else sum(len(each.findings) for each in bodies(record.reports, Report)),
        ranking=b"" if ranking is None else ranking.digest,
        verdicts=verdicts,
        p_best=ranking.p_best / ONE if ranking is not None and ranking.ranked else None,
        p_correct=ranking.p_correct / ONE if ranking is not None and ranking.ranked else None,
    )


class Choice(StrEnum):
    """What the swarm has chosen in a round, in the order of interest."""

    WRONG = "wrong"
    """Decided, and wrong."""
    DEGRADED = "degraded"
    """Degraded: with an answer, right or wrong, of which the swarm itself says that it is not sure."""
    RIGHT = "right"
    """Decided, and right."""


@dataclass(frozen=True, slots=True)
class KeptRound:
    """A round that is kept whole."""

    result: RoundResult
    choice: Choice
    right: tuple[int, ...]
    """Positions on the slate of the right answers, which only the simulator knows."""
    dishonest: Mapping[str, Sequence[int]]
    """Positions of the answers by dishonest members, by their kind."""
    certificate: bytes
    unsigned: bool
    """Whether nobody was there to co-sign it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, found from outside of the system."""

    rule: str
    detail: str
    round: int


@dataclass(slots=True)
class Run:
    """All results of one world."""

    seed: int
    nodes: int
    rounds: list[RoundResult] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    messages: int = 0
    """Packets sent for rounds, forwarded and repeated ones included."""
    bytes: int = 0
    """Bytes of these packets, without the transport's own frames."""
    standing_messages: int = 0
    """Packets of offers, which nodes send without any query."""
    standing_bytes: int = 0
    virtual_ms: int = 0
    """Duration of the world."""
    events: int = 0
    trace_digest: str = ""
    """BLAKE2b-256 over all events, in order."""
    kept: list[KeptRound] = field(default_factory=list)
    """Rounds that a report opens: few, and none without a report."""

    @property
    def late(self) -> Sequence[RoundResult]:
        """Rounds without an outcome by their deadline."""
        return [each for each in self.rounds if each.outcome == NO_OUTCOME]

    def summary(self) -> dict[str, Any]:
        """Return the object that `strand sim --json` prints."""
        comparisons = sum(each.comparisons for each in self.rounds)
        members = sum(each.members for each in self.rounds)
        return {
            "seed": self.seed,
            "nodes": self.nodes,
            "rounds": len(self.rounds),
            "decided": self._count("decided"),
            "degraded": self._count("degraded"),
            "failed": self._count("failed"),
            "no_outcome": len(self.late),
            "full_certificates": sum(each.full for each in self.rounds),
            "safety_violations": len(self.violations),
            "accuracy": self.accuracy(),
            "ece": {name: calibration_error(self.told(name)) for name in ("p_best", "p_correct")},
            "comparisons_per_node": comparisons / members if members else 0.0,
            "tests_per_node": sum(each.tests for each in self.rounds) / members if members else 0.0,
            "messages": self.messages + self.standing_messages,
            "bytes": self.bytes + self.standing_bytes,
            "standing_messages": self.standing_messages,
            "standing_bytes": self.standing_bytes,
            "trace_digest": self.trace_digest,
        }

    def accuracy(self) -> dict[str, float]:
        """Return the share of rounds in which each way to choose was right."""
        total = max(1, len(self.rounds))
        found = {}
        for name in (each.name for each in fields(Verdicts)):
            right = [getattr(each.verdicts, name) for each in self.rounds]
            if None not in right:
                found[name] = sum(right) / total
        return found

    def learning_curve(self) -> list[dict[str, Any]]:
        """Return accuracy in each WINDOW of rounds: how fast askers learn, and how fast they notice a change."""
        windows = [self.rounds[start : start + WINDOW] for start in range(0, len(self.rounds), WINDOW)]
        return [
            {"rounds": len(rounds), "accuracy": Run(self.seed, self.nodes, rounds).accuracy()} for rounds in windows
        ]

    def told(self, probability: str) -> list[tuple[float, bool]]:
        """Return `p_best` or `p_correct` of the rounds' winners, each with its truth.

        Rounds without a probability, or without a known consensus, are left out.
        """
        pairs = (
            (each.p_best, each.consensual) if probability == "p_best" else (each.p_correct, each.verdicts.swarm)
            for each in self.rounds
        )
        return [(said, true) for said, true in pairs if said is not None and true is not None]

    def _count(self, outcome: str) -> int:
        return sum(each.outcome == outcome for each in self.rounds)


@dataclass(frozen=True, slots=True)
class Cell:
    """One world of a study."""

    point: Mapping[str, Any]
    """The settings in which it differs from the others."""
    run: Run


@dataclass(frozen=True, slots=True)
class Study:
    """All worlds of a scenario; one without `vary` has a single cell."""

    name: str
    about: str
    cells: Sequence[Cell]
    against: str = ""
    """The setting with whose first value each world is compared; empty: none."""
    real: bool = False
    """Whether real processes ran it: then a repetition differs in the last bits."""

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    @property
    def runs(self) -> Sequence[Run]:
        """Results of the worlds; one at several points (no attackers, of any kind) occurs once."""
        return list({id(cell.run): cell.run for cell in self.cells}.values())

    def told(self, probability: str) -> list[tuple[float, bool]]:
        """Return the probabilities of all worlds, as Run.told."""
        return [pair for run in self.runs for pair in run.told(probability)]
