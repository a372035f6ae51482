"""What an asker holds of each node, from its own rounds: how it answers and how it judges.

Gold, a round whose truth the asker knows, counts much. Agreement with the consensus counts little, and only against a
node: a ring that wins a round agrees with itself. All counts are Beta or Dirichlet evidence beside a prior, and fade.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consensus.ranking.judges import FRESH, CharacterCounts
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE

GOLD = 2.0
"""What one gold question counts: as much as four rounds in which everybody is sure of the consensus."""

AGREEMENT = 0.5
"""What one round's agreement counts at most, where P(best) is 1; at P(best) ½ and below it counts nothing."""

DECAY = 0.97
"""What is left of older evidence after one more piece of its kind: half after 23, so that a sleeper's past fades."""

PRIOR = 4.0
"""What the accuracy of all nodes together counts in that of each (empirical Bayes): two gold questions."""

VOTE_MAX = 1.6
"""Weight of the best answerer's vote; an average one has 1, and who is right half as often as others has none."""

VOTE_MIN = 0.125
"""Weight of an honest judge's vote, however seldom it is right: where few know the answer most do not, and a round
without them would lack their judgements, and at times the only right answer."""

HONEST_SHARE = 0.6
"""Between an accomplice that judges honestly what is not its ring's (seen: half) and an honest judge (.7 and more)."""

ROUNDS_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Score:
    """Beta evidence."""

    good: float = 0.0
    bad: float = 0.0

    @property
    def total(self) -> float:
        """How much evidence there is."""
        return self.good + self.bad

    def after(self, good: float, bad: float) -> "Score":
        """With one more piece of evidence, the older ones faded."""
        return Score(DECAY * self.good + good, DECAY * self.bad + bad)

    def rate(self, typical: float) -> float:
        """The expected share of good ones, shrunk towards the typical one."""
        return (PRIOR * typical + self.good) / (PRIOR + self.total)


@dataclass(frozen=True, slots=True)
class NodeStats:
    """What one asker holds of one node in one specialty."""

    rounds: int = 0
    """Rounds of the asker in which it was a member who committed or judged."""
    gold_rounds: int = 0
    answers: Score = Score()
    """Answers to gold questions, right and wrong."""
    agreed: Score = Score()
    """Answers of the cluster that wins without this node's vote and judgements, and others."""
    judged: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Of its ballots on gold: honest, inverse, coin, partisan."""
    seemed: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Of its other ballots, as the consensus sees them."""
    equivocations: int = 0
    """Rounds with evidence that it signed two different messages for one slot."""

    @property
    def has_gold(self) -> bool:
        """Whether the asker has tested it: without, it has the weight of a stranger."""
        return self.gold_rounds > 0

    @property
    def judges_honestly(self) -> bool:
        """Whether HONEST_SHARE of its ballots on gold speak for honesty; False without any."""
        return self.judged[0] > HONEST_SHARE * sum(self.judged)

    @property
    def counts(self) -> CharacterCounts:
        """Dirichlet counts of its character for a roster, prior included, 2^-16.

        Agreement may not raise the share of honesty above what gold supports.
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
    """What one round showed of one member; None where it showed nothing."""

    right: bool | None = None
    """Gold: whether its answer is."""
    agreed: float | None = None
    """2 P(best) − 1 of the consensus without it, positive if that is its own answer, else negative."""
    character: Sequence[float] | None = None
    """Shares of honest, inverse, coin, partisan that its judgements leave."""
    equivocated: bool = False


def after(standing: NodeStats, conduct: RoundObservation, *, gold: bool) -> NodeStats:
    """The standing after one more round."""
    answers, agreed, judged, seemed = standing.answers, standing.agreed, standing.judged, standing.seemed
    if conduct.right is not None:
        answers = answers.after(GOLD * conduct.right, GOLD * (not conduct.right))
    elif conduct.agreed is not None:
        agreed = agreed.after(AGREEMENT * max(0.0, conduct.agreed), AGREEMENT * max(0.0, -conduct.agreed))
    if conduct.character is not None and gold:
        judged = _faded(judged, conduct.character, GOLD)
    elif conduct.character is not None:
        seemed = _faded(seemed, conduct.character, AGREEMENT)
    tested = gold and (conduct.right is not None or conduct.character is not None)
    return NodeStats(
        rounds=min(ROUNDS_MAX, standing.rounds + 1),
        gold_rounds=min(ROUNDS_MAX, standing.gold_rounds + tested),
        answers=answers,
        agreed=agreed,
        judged=judged,
        seemed=seemed,
        equivocations=min(ROUNDS_MAX, standing.equivocations + conduct.equivocated),
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
    """What a node's accuracy is measured against: tasks differ, and one right in three may be the best there is."""

    typical: float
    """Accuracy of all nodes together on gold."""
    reference: float
    """Expected accuracy of the author of a right answer (size-biased mean): attackers do not pull it down as they do
    the mean."""

    def vote(self, standing: NodeStats) -> float:
        """Weight of a node's vote, 0 to VOTE_MAX: 1 at the reference, 0 at half of it and below.

        Whoever judges honestly on gold has VOTE_MIN. Agreement can only lower a vote.
        """
        if standing.equivocations:
            return 0.0
        both = Score(standing.answers.good + standing.agreed.good, standing.answers.bad + standing.agreed.bad)
        rate = min(standing.answers.rate(self.typical), both.rate(self.typical))
        return max(VOTE_MIN * standing.judges_honestly, min(VOTE_MAX, 2.0 * rate / self.reference - 1.0))


def scale_of(standings: Iterable[NodeStats]) -> Scale:
    """From all standings with gold answers; of nobody's it is that of the prior, Beta(3, 1.2)."""
    scores = [each.answers for each in standings if each.answers.total]
    good, total = sum(score.good for score in scores), sum(score.total for score in scores)
    typical = (3.0 + good) / (4.2 + total)
    rates = [score.rate(typical) for score in scores] or [typical]
    return Scale(typical, sum(rate * rate for rate in rates) / sum(rates))


def shares_of(row: Sequence[int]) -> tuple[float, ...]:
    """Shares in 2^-16 as floats."""
    return tuple(each / ONE for each in row)
