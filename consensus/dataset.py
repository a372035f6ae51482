"""Pairwise judgements of many questions, in memory: what `learning` learns from and `scoring` scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NO_AUTHOR = -1
"""The author index of an answer whose author nobody named."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's verdict on two different answers, in the order in which it saw them."""

    judge: int
    first: int
    second: int
    preference: int
    """Probability mass on the first, 0 to ONE. Abstentions are no judgements."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One answer known to be better than another."""

    better: int
    worse: int
    weight: float
    """How much it counts as one independent observation."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with all that is known of it. Answers are indices, in order of their names."""

    name: str
    answers: tuple[str, ...]
    clusters: tuple[int, ...]
    """Per answer, 0 to C−1 without a gap."""
    authors: tuple[int, ...]
    """Per answer, an index into `Dataset.authors`, or NO_AUTHOR."""
    judgements: tuple[Judgement, ...]
    truth: Mapping[int, bool]
    """Answers known to be right or wrong. Read for gold questions and for scoring only, as are labels."""
    labels: Mapping[tuple[int, int], int]
    """Per pair (lower index first), the reference labels for the lower index less those against it."""
    gold: bool = False
    """Marked as gold in the file."""

    def references(self) -> Iterator[Reference]:
        """Every pair that differs in truth, and every pair whose labels do not balance.

        The pairs of one truth row are not independent: n answers carry at most n − 1 observations.
        """
        right = [answer for answer, true in self.truth.items() if true]
        wrong = [answer for answer, true in self.truth.items() if not true]
        if right and wrong:
            weight = (len(right) + len(wrong) - 1) / (len(right) * len(wrong))
            yield from (Reference(better, worse, weight) for better in right for worse in wrong)
        for (low, high), balance in self.labels.items():
            if balance:
                yield Reference(*((low, high) if balance > 0 else (high, low)), 1.0)


@dataclass(frozen=True, slots=True)
class Dataset:
    """All questions of a file."""

    questions: tuple[Question, ...]
    judges: tuple[str, ...]
    authors: tuple[str, ...]
    clustered: bool
    """Whether the file names clusters; without them each answer is its own."""
