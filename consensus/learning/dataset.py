"""Pairwise judgements of many questions, in memory: what `learning` learns from and `scoring` scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

NO_AUTHOR = -1
"""The author index of an answer whose author nobody named."""


@dataclass(frozen=True, slots=True)
class PairwiseJudgement:
    """One judge's verdict on two different answers, in the order in which it saw them."""

    judge: int
    first: int
    second: int
    preference: int
    """Probability mass on the first, 0 to ONE. Abstentions are no judgements."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers that say the same, known to be better than others that say the same. Never empty."""

    better: tuple[int, ...]
    worse: tuple[int, ...]
    weight: float
    """How much it counts as one independent observation."""


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """One question with all that is known of it. Answers are indices, in order of their names."""

    name: str
    answers: tuple[str, ...]
    clusters: tuple[int, ...]
    """Per answer, 0 to C−1 without a gap."""
    authors: tuple[int, ...]
    """Per answer, an index into `Dataset.authors`, or NO_AUTHOR."""
    judgements: tuple[PairwiseJudgement, ...]
    truth: Mapping[int, bool]
    """Answers known to be right or wrong. Read for gold questions and for scoring only, as are labels."""
    labels: Mapping[tuple[int, int], int]
    """Per pair (lower index first), the reference labels for the lower index less those against it."""
    gold: bool = False
    """Marked as gold in the file."""
    votes: tuple[int, ...] = ()
    """Weight of each answer's vote, 2^-16; empty: all are equal."""

    def references(self) -> Iterator[Reference]:
        """Every pair of things said that differ in truth, and every pair of answers whose labels do not balance.

        What is said by many is one observation, and the pairs of one truth row are not independent: n things said
        carry at most n − 1 observations.
        """
        right, wrong = self._said(true=True), self._said(true=False)
        if right and wrong:
            weight = (len(right) + len(wrong) - 1) / (len(right) * len(wrong))
            yield from (Reference(better, worse, weight) for better in right for worse in wrong)
        for (low, high), balance in self.labels.items():
            if balance:
                yield Reference(*(((low,), (high,)) if balance > 0 else ((high,), (low,))), 1.0)

    def _said(self, *, true: bool) -> list[tuple[int, ...]]:
        """The answers of this truth, those of one cluster together."""
        groups: dict[int, list[int]] = {}
        for answer, is_true in self.truth.items():
            if is_true == true:
                groups.setdefault(self.clusters[answer], []).append(answer)
        return [tuple(group) for group in groups.values()]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All questions of a file."""

    questions: tuple[JudgedQuestion, ...]
    judges: tuple[str, ...]
    authors: tuple[str, ...]
    clustered: bool
    """Whether the file names clusters; without them each answer is its own."""
    weight_of: tuple[int, ...] = ()
    """Per judge the index of its weight, 0 to W−1 without a gap; judges of one index share it. Empty: each has its
    own."""


def few(rows: Sequence[int], most: int) -> int | None:
    """The number of rows up to which judges (authors), each with that many rows, must be pooled for at most `most`
    weights to be left, the pool's among them. None if nobody needs to be."""
    return None if len(rows) <= most else sorted(rows, reverse=True)[most - 1]


def pooled(rows: Sequence[int], most: int) -> tuple[int, ...]:
    """`Dataset.weight_of` for judges with that many rows: those with few share the last weight, whoever came first."""
    limit = few(rows, most)
    if limit is None:
        return ()
    own = [judge for judge, count in enumerate(rows) if count > limit]
    index = {judge: weight for weight, judge in enumerate(own)}
    return tuple(index.get(judge, len(own)) for judge in range(len(rows)))
