"""Statistics of each node from the asker's own rounds: the quality of its answers and of its judgements.

Gold, a round whose truth the asker knows, counts much. Agreement with the consensus counts little, and only against a
node, because a ring that wins a round agrees with itself; so do reports that other testers refute. All counts are Beta
or Dirichlet evidence that fades, added to a prior.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consensus.ranking.judges import FRESH, CharacterCounts
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

GOLD = 2.0
"""Weight of one gold question: as much as four rounds with a fully certain consensus."""

AGREEMENT = 0.5
"""Largest weight of one round's agreement, at P(best) 1; at P(best) ½ and below it is 0."""

DECAY = 0.97
"""Factor on older evidence for each new piece of its kind: half remains after 23, so that a sleeper's past fades."""

PRIOR = 4.0
"""Weight of the accuracy of all nodes together in that of each (empirical Bayes): two gold questions."""

VOTE_MAX = 1.6
"""Weight of the best answerer's vote; an average one has 1, and one that is right half as often as others has 0."""

VOTE_MIN = 0.125
"""Weight of an honest judge's vote, however seldom its answers are right. If few nodes know the answer, most do not;
without them a round would lack their judgements, and at times the only right answer."""

HONEST_SHARE = 0.6
"""Threshold between an accomplice that judges honestly outside its ring (seen: half) and an honest judge (.7 and more).
"""

REFUTED_COST = 0.5
"""Share of its vote that a node loses if all of its reports are refuted. Never more: findings are settled by several
testers, which may themselves be wrong, and lying about others' answers is not proof against its own."""

REFUTED_MAX = 0.25
"""Share of refuted findings, shrunk towards 0, above which a node tests nothing for this asker. Honest machines of
equal versions hardly differ; one refuted finding is below it, two of two are above."""

ROUNDS_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Score:
    """Beta evidence: weights of good and of bad outcomes."""

    good: float = 0.0
    bad: float = 0.0

    @property
    def total(self) -> float:
        """Total weight of the evidence."""
        return self.good + self.bad

    def after(self, good: float, bad: float) -> "Score":
        """Return the score with one more piece of evidence, after older ones fade."""
        return Score(DECAY * self.good + good, DECAY * self.bad + bad)

    def rate(self, typical: float) -> float:
        """Return the expected share of good outcomes, shrunk towards the typical one."""
        return (PRIOR * typical + self.good) / (PRIOR + self.total)


@dataclass(frozen=True, slots=True)
class NodeStats:
    """One asker's statistics of one node in one specialty."""

    rounds: int = 0
    """Rounds of the asker in which it was a member that committed or judged."""
    gold_rounds: int = 0
    answers: Score = Score()
    """Right and wrong answers to gold questions."""
    agreed: Score = Score()
    """Answers in the cluster that wins without this node's vote and judgements (good), and other answers (bad)."""
    judged: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Character of its ballots on gold: honest, inverse, coin, partisan."""
    seemed: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Character of its other ballots, measured against the consensus."""
    equivocations: int = 0
    """Rounds with evidence that it signed two different messages for one slot."""
    reports: Score = Score()
    """Findings in its reports that what was settled confirms (good) or refutes (bad)."""

    @property
    def refuted(self) -> float:
        """Share of its findings that were refuted, shrunk towards 0."""
        return self.reports.bad / (PRIOR + self.reports.total)

    @property
    def is_refuted(self) -> bool:
        """Whether its reports were refuted too often for it to test."""
        return self.refuted > REFUTED_MAX

    @property
    def has_gold(self) -> bool:
        """Whether the asker has tested it; otherwise it has the weight of a stranger."""
        return self.gold_rounds > 0

    @property
    def judges_honestly(self) -> bool:
        """Whether more than HONEST_SHARE of its ballots on gold are honest; False without any."""
        return self.judged[0] > HONEST_SHARE * sum(self.judged)

    @property
    def counts(self) -> CharacterCounts:
        """Dirichlet counts of its character for a roster, prior included, 2^-16.

        Agreement must not raise the share of honesty above the level that gold supports.
        """
        known = [fresh / ONE + gold for fresh, gold in zip(FRESH, self.judged, strict=True)]
        honest_max = known[0] / sum(known)
        honest, *others = self.seemed
        honest = min(honest, sum(others) * honest_max / (1.0 - honest_max))
        total = [one + more for one, more in zip(known, (honest, *others), strict=True)]
        scale = min(1.0, WEIGHT_MAX / ONE / max(total))
        inside = [max(1, min(WEIGHT_MAX, round(each * scale * ONE))) for each in total]
        return inside[0], inside[1], inside[2], inside[3]


@dataclass(frozen=True, slots=True)
class RoundObservation:
    """The observations of one member in one round; None where there are none."""

    right: bool | None = None
    """Gold: whether its answer is right."""
    agreed: float | None = None
    """2 P(best) − 1 of the consensus without it, positive if that is its own answer, else negative."""
    character: Sequence[float] | None = None
    """Shares of honest, inverse, coin and partisan given its judgements."""
    equivocated: bool = False
    confirmed: int = 0
    """Findings about answers in its report that what was settled confirms."""
    refuted: int = 0
    """Findings about answers in its report that contradict what was settled. Never taken for equivocation."""


def after(standing: NodeStats, observation: RoundObservation, *, gold: bool) -> NodeStats:
    """Return the statistics after one more round."""
    answers, agreed, judged, seemed = standing.answers, standing.agreed, standing.judged, standing.seemed
    if observation.right is not None:
        answers = answers.after(GOLD * observation.right, GOLD * (not observation.right))
    elif observation.agreed is not None:
        agreed = agreed.after(AGREEMENT * max(0.0, observation.agreed), AGREEMENT * max(0.0, -observation.agreed))
    if observation.character is not None and gold:
        judged = _faded(judged, observation.character, GOLD)
    elif observation.character is not None:
        seemed = _faded(seemed, observation.character, AGREEMENT)
    tested = gold and (observation.right is not None or observation.character is not None)
    return NodeStats(
        rounds=min(ROUNDS_MAX, standing.rounds + 1),
        gold_rounds=min(ROUNDS_MAX, standing.gold_rounds + tested),
        answers=answers,
        agreed=agreed,
        judged=judged,
        seemed=seemed,
        equivocations=min(ROUNDS_MAX, standing.equivocations + observation.equivocated),
        reports=standing.reports.after(observation.confirmed, observation.refuted),
    )


def _faded(
    counts: tuple[float, float, float, float], shares: Sequence[float], weight: float
) -> tuple[float, float, float, float]:
    honest, inverse, coin, partisan = (
        DECAY * count + weight * share for count, share in zip(counts, shares, strict=True)
    )
    return honest, inverse, coin, partisan


@dataclass(frozen=True, slots=True)
class Scale:
    """The reference for a node's accuracy: tasks differ, and one right answer in three may be the best possible."""

    typical: float
    """Accuracy of all nodes together on gold."""
    reference: float
    """Expected accuracy of the author of a right answer (size-biased mean), which attackers lower less than the mean.
    """

    def vote(self, standing: NodeStats) -> float:
        """Return the weight of a node's vote, 0 to VOTE_MAX: 1 at the reference, 0 at half of it and below.

        A node that judges honestly on gold has at least VOTE_MIN. Agreement and refuted reports can only lower a vote,
        the latter by at most REFUTED_COST of it.
        """
        if standing.equivocations:
            return 0.0
        both = Score(standing.answers.good + standing.agreed.good, standing.answers.bad + standing.agreed.bad)
        rate = min(standing.answers.rate(self.typical), both.rate(self.typical))
        vote = max(VOTE_MIN * standing.judges_honestly, min(VOTE_MAX, 2.0 * rate / self.reference - 1.0))
        return vote * (1.0 - REFUTED_COST * standing.refuted)


def scale_of(standings: Iterable[NodeStats]) -> Scale:
    """Compute the scale from all statistics with gold answers; without any, from the prior Beta(3, 1.2)."""
    scores = [each.answers for each in standings if each.answers.total]
    good, total = sum(score.good for score in scores), sum(score.total for score in scores)
    typical = (3.0 + good) / (4.2 + total)
    rates = [score.rate(typical) for score in scores] or [typical]
    return Scale(typical, sum(rate * rate for rate in rates) / sum(rates))


def shares_of(row: Sequence[int]) -> tuple[float, ...]:
    """Return shares in 2^-16 as floats."""
    return tuple(each / ONE for each in row)
