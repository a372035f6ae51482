"""Statistics of other nodes, as a node shows them, and as one node exports them to another."""

from typing import Annotated, Final, Literal

import msgspec

from node.api.common import Count, DigestHex, KeyHex
from protocol.types import DeclinedPhase, DeclineReason, Outcome, TaskType

FORMAT: Final = "strand-reputation/2"
"""Name and version of an exported reputation. Version 1, which is imported too, knows no reports."""

STANDINGS_MAX: Final = 4_096
"""Most nodes in one body; as many as a node keeps (consensus.learning.experience)."""

BodyCount = Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]
EvidenceCount = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
"""Amount of evidence. It fades, so that honest counts stay below GOLD / (1 − DECAY), about 70."""

Characters = tuple[EvidenceCount, EvidenceCount, EvidenceCount, EvidenceCount]
"""Evidence of honest, inverse, coin and partisan judging."""


class ExportedScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence for and against a node, as the counts of a Beta distribution."""

    good: EvidenceCount = 0.0
    """Evidence for the node."""
    bad: EvidenceCount = 0.0
    """Evidence against the node."""


class ExportedStanding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One node's statistics of another in one specialty; bounded, because they come from outside."""

    rounds: BodyCount = 0
    """Rounds in which it answered or judged."""
    gold_rounds: BodyCount = 0
    """Rounds of these whose right answer the exporting node knew."""
    answers: ExportedScore = ExportedScore()
    """Answers to gold questions, right and wrong."""
    agreed: ExportedScore = ExportedScore()
    """Answers in the group that wins without the node's own vote, and others."""
    judged: Characters = (0.0, 0.0, 0.0, 0.0)
    """Evidence from ballots on gold: honest, inverse, coin, partisan."""
    seemed: Characters = (0.0, 0.0, 0.0, 0.0)
    """Evidence from other ballots, judged by the consensus: the same four."""
    equivocations: BodyCount = 0
    """Rounds with proof that it signed two different messages for one slot."""
    reports: ExportedScore = ExportedScore()
    """Findings in its reports, confirmed and refuted by other testers."""


class Exported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's statistics as a file. Gold is not exported: with it a node could answer gold well, and nothing else."""

    format: Annotated[str, msgspec.Meta(pattern="^strand-reputation/[12]$")]
    """Name and version of the format."""
    specialty: str
    """The specialty to which they apply."""
    standings: Annotated[dict[KeyHex, ExportedStanding], msgspec.Meta(max_length=STANDINGS_MAX)]
    """Statistics by public key."""


class TakenOver(msgspec.Struct, frozen=True):
    """Result of importing another node's statistics."""

    taken: Count
    """Number of nodes whose statistics were imported."""
    known_already: Count
    """Number of nodes that were skipped: met by this node itself, or beyond its limit."""


class Calibration(msgspec.Struct, frozen=True):
    """Map from P(best) and findings to P(correct), linear in log-odds."""

    intercept: float
    """Log-odds of P(correct) at even odds of P(best)."""
    slope: float
    """Increase of the log-odds of P(correct) per log-odds of P(best)."""
    findings: float
    """Increase of the log-odds of P(correct) per log-odds that findings add to the winner's strength."""


class FindingStrengths(msgspec.Struct, frozen=True):
    """What findings add to an answer's strength, in log-odds."""

    agreement: float
    """For each unit of vote weight that behaves alike."""
    compiles: float
    """For an answer that compiles."""
    tests: float
    """For an answer that passes all tests and examples that were run; lost if one fails."""
    lint: float
    """Lost to eight warnings."""


class TaskPriors(msgspec.Struct, frozen=True):
    """Priors that queries of one task carry now."""

    gold_rounds: Count
    """Gold rounds on which they are based."""
    nodes: Count
    """Nodes with a weight of their own."""
    beta: float
    """Weight of votes relative to judgements."""
    tau_u: float
    """Prior standard deviation of answer groups' strengths."""
    calibration: Calibration
    """Map from P(best) to P(correct)."""
    findings: FindingStrengths
    """Strengths of findings."""


class Answering(msgspec.Struct, frozen=True):
    """A node's answers to gold questions."""

    right: float
    """Faded evidence for the node."""
    wrong: float
    """Faded evidence against the node."""
    accuracy: float | None
    """Expected share of right answers; null without evidence."""
    prior: float
    """Amount of evidence for which the typical accuracy counts."""


class Judging(msgspec.Struct, frozen=True):
    """A node's judging of gold questions, as shares."""

    honest: float
    """Share of preferring the better answer."""
    inverse: float
    """Share of preferring the worse answer."""
    coin: float
    """Share of preferring at random."""
    partisan: float
    """Share of preferring its own party's answers."""


class Testing(msgspec.Struct, frozen=True):
    """A node's reports of others' answers, measured against what all testers settled."""

    confirmed: float
    """Faded number of findings that were confirmed."""
    refuted: float
    """Faded number of findings that were refuted."""
    share_refuted: float
    """Share of refuted findings, shrunk towards 0."""
    tests: bool
    """Whether this node's rosters still let it test."""


class Weights(msgspec.Struct, frozen=True):
    """Weights that a roster would give a node now."""

    vote: float
    """Weight of its vote."""
    judge: float
    """Weight of its judgements."""
    author: float
    """Prior of its answers."""


class ChallengeRecord(msgspec.Struct, frozen=True):
    """What a node has shown in challenges, before or beside rounds."""

    state: Literal["open", "passed", "closed"]
    """`open` while more items are needed; `closed`: it is not challenged for some time, and has passed none."""
    items: Count
    """Items that it was given."""
    answers_passed: Count
    """Tasks that it solved."""
    answers_failed: Count
    """Tasks that it did not solve, or not in time."""
    judgements_right: Count
    """Comparisons in which it preferred the right program."""
    judgements_wrong: Count
    """Comparisons in which it preferred the wrong one."""
    void: Count
    """Items that show nothing, as when it was busy."""


class NodeReputation(msgspec.Struct, frozen=True):
    """Statistics of one node."""

    rounds: Count
    """Rounds in which it answered or judged."""
    gold_rounds: Count
    """Rounds of these whose right answer this node knew."""
    answering: Answering
    """Record of its answers."""
    judging: Judging | None
    """Record of its judging; null without evidence."""
    testing: Testing | None
    """Record of its reports; null without evidence."""
    equivocations: Count
    """Rounds with proof that it signed two different messages for one slot."""
    key: KeyHex
    """Public key of the node."""
    weights: dict[TaskType, Weights]
    """Weights by task."""
    challenges: ChallengeRecord | None
    """Record of its challenges; null if it was not challenged."""


class NodeRound(msgspec.Struct, frozen=True):
    """What a node did in one round, as the round's certificate shows."""

    query_id: DigestHex
    """The round's id."""
    asked_ms: Count
    """Time of the query, ms since the Unix epoch."""
    task: TaskType
    """Kind of task."""
    ours: bool
    """Whether this node asked the round, and still knows it; else it was a member."""
    outcome: Outcome
    """Outcome of the round."""
    answered: bool
    """Whether the node's answer is on the slate."""
    place: Count | None
    """Place of its answer in the ranking, from 1; null: it gave none, it was set aside, or the node was removed."""
    places: Count
    """Answers in the ranking."""
    in_winning_group: bool | None
    """Whether its answer equals the winner or behaves like it; null without a place."""
    right: bool | None
    """Whether its answer is right; null where this node does not know, or no longer."""
    unopened: bool
    """Whether it committed to an answer and did not open it."""
    comparisons: Count
    """Comparisons that it judged, without abstentions."""
    silent_judge: bool
    """Whether it had pairs to judge and neither declined nor has a ballot that counts."""
    reports: Count
    """Its reports that count."""
    declined: dict[DeclinedPhase, DeclineReason]
    """Phases to which it declined to contribute, with the reason, the last of several waves."""
    removed: bool
    """Whether it was removed: it signed two different messages for one slot."""


class NodeDetail(msgspec.Struct, frozen=True):
    """What this node knows of one node: of a key that it never met, no statistics and no rounds."""

    key: KeyHex
    """Public key of the node."""
    specialty: str
    """The specialty to which the statistics apply."""
    reputation: NodeReputation | None
    """Its statistics; null: this node neither met nor challenged it."""
    rounds: tuple[NodeRound, ...]
    """The last rounds in which it had a seat, those stored last first, at most 32."""
    complete: bool
    """Whether these are all that this node's certificates show; false: older ones were not looked at."""


class ReputationReport(msgspec.Struct, frozen=True):
    """All nodes met or challenged, those with most gold rounds first, and the priors in force."""

    specialty: str
    """The specialty to which it applies."""
    rounds: Count
    """Rounds of this node's own from which it learned."""
    renewal_rounds: Count
    """Rounds after which weights change."""
    gold_questions: Count
    """Gold questions that this node has."""
    in_force: dict[TaskType, TaskPriors]
    """Priors by task; empty before the first renewal."""
    nodes: tuple[NodeReputation, ...]
    """All nodes met or challenged."""


class GoldResult(msgspec.Struct, frozen=True):
    """Result of one gold question."""

    query_id: DigestHex
    """The round's id."""
    outcome: Outcome | None
    """Outcome of the round; null if it ended without one."""
    correct: bool | None
    """Whether the swarm's answer was right; null if the round was not certified."""
