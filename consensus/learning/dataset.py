"""Pairwise judgements of many questions, in memory: input of `gold_fit` and `scoring`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

NO_AUTHOR = -1
"""The author index of an answer without a named author."""


@dataclass(frozen=True, slots=True)
class PairwiseJudgement:
    """One judge's verdict on two different answers, in the order in which it saw them."""

    judge: int
    first: int
    second: int
    preference: int
    """Probability that the first is better, 0 to ONE. Abstentions are no judgements."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Equal answers that are known to be better than other equal answers. Never empty."""

    better: tuple[int, ...]
    worse: tuple[int, ...]
    weight: float
    """Weight in independent observations."""


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """One question with all its data. Answers are indices, in order of their names."""

    name: str
    answers: tuple[str, ...]
    clusters: tuple[int, ...]
    """Cluster of each answer, 0 to C−1 without a gap."""
    authors: tuple[int, ...]
    """Author of each answer: an index into `Dataset.authors`, or NO_AUTHOR."""
    judgements: tuple[PairwiseJudgement, ...]
    truth: Mapping[int, bool]
    """Answers known to be right or wrong. Like labels, read only for gold questions and for scoring."""
    labels: Mapping[tuple[int, int], int]
    """Per pair (lower index first), the number of reference labels for the lower index minus the number against it."""
    gold: bool = False
    """Whether the file marks the question as gold."""
    votes: tuple[int, ...] = ()
    """Weight of each answer's vote, 2^-16; empty: all are equal."""

    def references(self) -> Iterator[Reference]:
        """Yield every pair of clusters that differ in truth, and every pair of answers whose labels do not balance.

        A cluster is one observation, however many answers it has, and the pairs of one truth row are not independent: n
        clusters carry at most n − 1 observations.
        """
        right, wrong = self._said(true=True), self._said(true=False)
        if right and wrong:
            weight = (len(right) + len(wrong) - 1) / (len(right) * len(wrong))
            yield from (Reference(better, worse, weight) for better in right for worse in wrong)
        for (low, high), balance in self.labels.items():
            if balance:
                yield Reference(*(((low,), (high,)) if balance > 0 else ((high,), (low,))), 1.0)

    def _said(self, *, true: bool) -> list[tuple[int, ...]]:
        """Return the answers of this truth, grouped by cluster."""
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
    """Whether the file names clusters; without them each answer is its own cluster."""
    weight_of: tuple[int, ...] = ()
    """Per judge the index of its weight, 0 to W−1 without a gap; judges with one index share it. Empty: each has its
    own."""


def few(rows: Sequence[int], most: int) -> int | None:
    """Return the row count up to which judges (or authors) must be pooled so that at most `most` weights remain.

    `rows` holds the number of rows of each judge; the pool's weight counts. None if no pooling is needed.
    """
    return None if len(rows) <= most else sorted(rows, reverse=True)[most - 1]


def pooled(rows: Sequence[int], most: int) -> tuple[int, ...]:
    """Return `Dataset.weight_of` for judges with these numbers of rows: those with few share the last weight.

    The order of the judges has no effect on who is pooled.
    """
    limit = few(rows, most)
    if limit is None:
        return ()
    own = [judge for judge, count in enumerate(rows) if count > limit]
    index = {judge: weight for weight, judge in enumerate(own)}
    return tuple(index.get(judge, len(own)) for judge in range(len(rows)))
