"""What the node learned of others, as it is shown, and as one node exports it to another."""

from typing import Annotated, Final

import msgspec

from node.api.common import Count, DigestHex, KeyHex
from protocol.types import Outcome, TaskType

FORMAT: Final = "strand-reputation/1"
"""Name and version of an exported reputation."""

STANDINGS_MAX: Final = 4_096
"""standings of one body; as many as a node keeps (consensus.learning.experience)."""

BodyCount = Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]
EvidenceCount = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
"""Evidence fades, so that honest counts stay below GOLD / (1 − DECAY), some 70."""

Characters = tuple[EvidenceCount, EvidenceCount, EvidenceCount, EvidenceCount]
"""Evidence of honest, inverse, coin and partisan judging."""


class ExportedScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Beta evidence."""

    good: EvidenceCount = 0.0
    """Evidence for."""
    bad: EvidenceCount = 0.0
    """Evidence against."""


class ExportedStanding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one node holds of another in one specialty; bounded, for it comes from outside."""

    rounds: BodyCount = 0
    """Rounds in which it answered or judged."""
    gold_rounds: BodyCount = 0
    """Of these, rounds whose right answer the exporting node knew."""
    answers: ExportedScore = ExportedScore()
    """Answers to gold questions, right and wrong."""
    agreed: ExportedScore = ExportedScore()
    """Answers of the group that wins without it, and others."""
    judged: Characters = (0.0, 0.0, 0.0, 0.0)
    """Ballots on gold: honest, inverse, coin, partisan."""
    seemed: Characters = (0.0, 0.0, 0.0, 0.0)
    """Other ballots, as the consensus sees them."""
    equivocations: BodyCount = 0
    """Rounds with proof that it signed two different messages for one slot."""


class Exported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's standings as a file. Its gold stays at home: whoever knows it would answer nothing else well."""

    format: Annotated[str, msgspec.Meta(pattern=f"^{FORMAT}$")]
    """Name and version of the format."""
    specialty: str
    """The specialty in which they hold."""
    standings: Annotated[dict[KeyHex, ExportedStanding], msgspec.Meta(max_length=STANDINGS_MAX)]
    """By public key."""


class TakenOver(msgspec.Struct, frozen=True):
    """What came of an import."""

    taken: Count
    """Standings that were taken over."""
    known_already: Count
    """Standings of nodes that this one had met itself, or of too many."""


class Calibration(msgspec.Struct, frozen=True):
    """How P(correct) follows from P(best), in log-odds."""

    intercept: float
    """Log-odds of P(correct) at even odds of P(best)."""
    slope: float
    """How fast they grow with those of P(best)."""


class TaskPriors(msgspec.Struct, frozen=True):
    """What queries of one task say of votes and certainty now."""

    gold_rounds: Count
    """Gold rounds behind it."""
    nodes: Count
    """Nodes with a weight of their own."""
    beta: float
    """How much votes weigh beside judgements."""
    tau_u: float
    """Prior standard deviation of answer groups' strengths."""
    calibration: Calibration
    """How P(correct) follows from P(best)."""


class Answering(msgspec.Struct, frozen=True):
    """How a node answers gold questions."""

    right: float
    """Evidence for, faded."""
    wrong: float
    """Evidence against, faded."""
    accuracy: float | None
    """Expected share of right answers; null without evidence."""
    prior: float
    """How much evidence the typical accuracy counts for."""


class Judging(msgspec.Struct, frozen=True):
    """How a node judges gold questions, as shares."""

    honest: float
    """It prefers the better answer."""
    inverse: float
    """It prefers the worse answer."""
    coin: float
    """It prefers by chance."""
    partisan: float
    """It prefers its own party's answers."""


class Weights(msgspec.Struct, frozen=True):
    """What a roster would say of a node now."""

    vote: float
    """Weight of its vote."""
    judge: float
    """Weight of its judgements."""
    author: float
    """Prior of its answers."""


class NodeReputation(msgspec.Struct, frozen=True):
    """What is held of one node."""

    rounds: Count
    """Rounds in which it answered or judged."""
    gold_rounds: Count
    """Of these, rounds whose right answer this node knew."""
    answering: Answering
    """How it answers."""
    judging: Judging | None
    """How it judges; null without evidence."""
    equivocations: Count
    """Rounds with proof that it signed two different messages for one slot."""
    key: KeyHex
    """Its public key."""
    weights: dict[TaskType, Weights]
    """By task."""


class ReputationReport(msgspec.Struct, frozen=True):
    """Every node met, best known first, and what is in force."""

    specialty: str
    """The specialty in which it holds."""
    rounds: Count
    """Rounds of this node's own from which it learned."""
    renewal_rounds: Count
    """Rounds after which weights change."""
    gold_questions: Count
    """Questions whose right answers this node knows."""
    in_force: dict[TaskType, TaskPriors]
    """By task; empty before the first renewal."""
    nodes: tuple[NodeReputation, ...]
    """All nodes met."""


class Challenged(msgspec.Struct, frozen=True):
    """What came of one gold question."""

    query_id: DigestHex
    """The round's id."""
    outcome: Outcome | None
    """How the round ended; null if without an outcome."""
    correct: bool | None
    """Whether the swarm's answer was right; null if the round was not certified."""
