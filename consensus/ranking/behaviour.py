"""Answers that behave alike: the clusters that they form, and the vote weight that agrees with one (rule R18)."""

from collections.abc import Iterable, Sequence
from typing import Final

from consensus.ranking.settling import SettledFindings
from protocol.types import ONE

AGREEING_MAX: Final = 2 * ONE
"""Vote weight beyond the first answer's that counts as agreement: measured, two that agree are almost all the
information, and more must not let a crowd outweigh everything else."""


def behaviour_clusters(
    texts: Sequence[int], findings: Sequence[SettledFindings], vote_weights: Sequence[int]
) -> tuple[int, ...]:
    """Return each answer's cluster, shape (answers,): equal behaviour joins texts. Numbered by first appearance.

    Args:
        texts: each answer's cluster of equal text (rule R7).
        findings: what is settled about each answer.
        vote_weights: its author's vote weight.

    An answer without a behaviour of its own goes with the answers of equal text: with the behaviour that has most vote
    weight among them. So nobody separates others, or takes their behaviour from them, by what it writes.
    """
    names: list[tuple[bytes, int]] = []
    for index, text in enumerate(texts):
        behaviour = findings[index].behaviour
        if not behaviour:
            votes: dict[bytes, int] = {}
            for other, same in enumerate(texts):
                if same == text and (shown := findings[other].behaviour):
                    votes[shown] = votes.get(shown, 0) + vote_weights[other]
            behaviour = max(votes, key=votes.__getitem__, default=b"")
        names.append((behaviour, -1 if behaviour else text))
    numbers: dict[tuple[bytes, int], int] = {}
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


def agreement(members: Iterable[tuple[int, int, SettledFindings]]) -> int:
    """Return the vote weight, 2^-16, that agrees with a cluster's heaviest answer, at most AGREEING_MAX.

    `members`: text cluster, vote weight and findings of each answer of one cluster. Equal texts are not independent, so
    each text counts once, with its heaviest author. Without a settled behaviour there is no agreement.
    """
    heaviest: dict[int, int] = {}
    for text, weight, found in members:
        if found.behaviour:
            heaviest[text] = max(weight, heaviest.get(text, 0))
    return min(sum(heaviest.values()) - max(heaviest.values(), default=0), AGREEING_MAX)
