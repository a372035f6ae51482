"""Decides by a newcomer's record of challenges when it has shown that its engine is better than guessing.

A sequential probability ratio test (Wald 1945). Each scored item adds the logarithm of how much likelier its verdict is
for a good engine than for a guessing one. Under guessing, the exponential of the sum is a supermartingale: it expects
never to grow, whatever was asked or skipped before. So by Ville's inequality a guessing engine ever reaches the upper
bound with a probability of at most exp(-bound), no matter how often somebody looks: at most 1 in 100,000.
"""

from dataclasses import replace
from enum import StrEnum
from math import floor, log
from typing import Final

from consensus.learning.challenge_weight import ChallengeRecord
from node.gold.challenges import AnswerItem, ChallengeItem, ItemKind, ItemVerdict
from node.gold.ports import Visibility

ITEMS_MAX: Final = 40
"""Items of one newcomer, also void ones: an engine that has shown nothing in 40 would need hundreds."""

UNIT: Final = 1_000
"""Parts of one natural logarithm: evidence is a whole number, so that its bounds are exact."""

FALSE_ENTRY: Final = 1e-5
"""Greatest probability that a guessing engine ever earns weight: identities are free, so it tries a thousand times. A
tenth of it would cost a good engine that only judges two items more of forty."""

FALSE_REFUSAL: Final = 0.02
"""Greatest probability, about, that an engine as good as assumed is refused: it may try again, later."""

GOOD_ANSWERS, GUESSED_ANSWERS = 0.6, 0.1
"""Shares of answer items that a good engine passes, and one that is not worth a vote. A text that answers no task
passes none; a model that solves one easy task in ten is no better than noise beside others."""

GOOD_JUDGEMENTS: Final = {Visibility.EASY: 0.9, Visibility.MEDIUM: 0.8, Visibility.HARD: 0.65}
"""Shares of judge items that a good engine judges rightly."""

GUESSED_JUDGEMENTS: Final = 0.5
"""The order of the two programs is a fair coin, so that nobody who cannot tell them apart does better."""


def _weigh(good: float, guessed: float) -> int:
    """Return the evidence of an event. Rounded down, so that it stays a supermartingale under guessing."""
    return floor(UNIT * log(good / guessed))


EARNED_AT: Final = -floor(UNIT * log(FALSE_ENTRY))
"""Evidence from which weight is earned, in 1/UNIT."""

REFUSED_AT: Final = _weigh(FALSE_REFUSAL, 1.0)
"""Evidence from which the newcomer is refused."""


class NewcomerStatus(StrEnum):
    """Decision about a newcomer by its record."""

    OPEN = "open"
    """More items are needed."""
    EARNED = "earned"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    """All items were used, and show neither."""


def status_of(record: ChallengeRecord) -> NewcomerStatus:
    """Return what a record says by its items, whether or not it was closed before they decide."""
    if record.evidence >= EARNED_AT:
        return NewcomerStatus.EARNED
    if record.evidence <= REFUSED_AT:
        return NewcomerStatus.REFUSED
    return NewcomerStatus.OPEN if record.items < ITEMS_MAX else NewcomerStatus.EXHAUSTED


def with_item(record: ChallengeRecord, item: ChallengeItem, verdict: ItemVerdict) -> ChallengeRecord:
    """Return the record with one more item. Only an open record takes one."""
    assert status_of(record) is NewcomerStatus.OPEN, "the record is closed"
    if verdict is ItemVerdict.VOID:
        return replace(record, void=record.void + 1)
    passed = verdict is ItemVerdict.PASSED
    evidence = record.evidence + evidence_of(item, passed=passed)
    if isinstance(item, AnswerItem):
        if passed:
            return replace(record, evidence=evidence, answers_passed=record.answers_passed + 1)
        return replace(record, evidence=evidence, answers_failed=record.answers_failed + 1)
    if passed:
        return replace(record, evidence=evidence, judgements_right=record.judgements_right + 1)
    return replace(record, evidence=evidence, judgements_wrong=record.judgements_wrong + 1)


def next_kind(record: ChallengeRecord, *, answers: bool, judges: bool) -> ItemKind:
    """Return what to ask next of a node with these roles, of which it has at least one: both in turns."""
    assert answers or judges, "a node without a role is not challenged"
    if answers and judges:
        return ItemKind.JUDGE if record.items % 2 else ItemKind.ANSWER
    return ItemKind.ANSWER if answers else ItemKind.JUDGE


def evidence_of(item: ChallengeItem, *, passed: bool) -> int:
    """Return the evidence that one item's verdict adds, in 1/UNIT of a natural logarithm."""
    if isinstance(item, AnswerItem):
        good, guessed = GOOD_ANSWERS, GUESSED_ANSWERS
    else:
        good, guessed = GOOD_JUDGEMENTS[item.visibility], GUESSED_JUDGEMENTS
    return _weigh(good, guessed) if passed else _weigh(1 - good, 1 - guessed)
