"""A newcomer's record: who earns weight in at most 40 items, and who does not in a thousand attempts."""

from collections import Counter
from collections.abc import Callable, Mapping
from math import exp
from random import Random

import pytest

from consensus.learning.challenge_weight import ChallengeRecord
from node.gold.challenges import AnswerItem, ChallengeItem, ItemKind, ItemVerdict, JudgeItem
from node.gold.newcomer import (
    EARNED_AT,
    FALSE_ENTRY,
    GUESSED_ANSWERS,
    GUESSED_JUDGEMENTS,
    ITEMS_MAX,
    UNIT,
    NewcomerStatus,
    evidence_of,
    next_kind,
    status_of,
    with_item,
)
from node.gold.ports import Visibility
from tests.support.effort import cases

ANSWER = AnswerItem("", "", "")
JUDGED = {level: JudgeItem("", "", "", True, level) for level in Visibility}
ITEMS = (ANSWER, *JUDGED.values())
ROLES = ((True, True), (True, False), (False, True))
ATTEMPTS = 1_000

PASSED, FAILED, VOID = ItemVerdict.PASSED, ItemVerdict.FAILED, ItemVerdict.VOID
Engine = Callable[[ChallengeItem, Random], ItemVerdict]


def attempt(engine: Engine, random: Random, *, answers: bool = True, judges: bool = True) -> ChallengeRecord:
    """One newcomer, until its record is closed."""
    record = ChallengeRecord()
    while status_of(record) is NewcomerStatus.OPEN:
        kind = next_kind(record, answers=answers, judges=judges)
        item = ANSWER if kind is ItemKind.ANSWER else JUDGED[random.choice(list(Visibility))]
        record = with_item(record, item, engine(item, random))
    return record


def scripted_by_truth(_item: ChallengeItem, _random: Random) -> ItemVerdict:
    return PASSED


def guessing(item: ChallengeItem, random: Random) -> ItemVerdict:
    """Answers with any text, and judges by a coin."""
    return PASSED if isinstance(item, JudgeItem) and random.random() < GUESSED_JUDGEMENTS else FAILED


def lucky(item: ChallengeItem, random: Random) -> ItemVerdict:
    """As good as an engine may be that must not earn weight."""
    share = GUESSED_ANSWERS if isinstance(item, AnswerItem) else GUESSED_JUDGEMENTS
    return PASSED if random.random() < share else FAILED


def choosy(item: ChallengeItem, random: Random) -> ItemVerdict:
    """Guesses, but abstains on half of what it judges."""
    return VOID if isinstance(item, JudgeItem) and random.random() < 0.5 else lucky(item, random)


def able(item: ChallengeItem, random: Random) -> ItemVerdict:
    """Solves seven tasks in ten and judges three pairs in four rightly."""
    return PASSED if random.random() < (0.7 if isinstance(item, AnswerItem) else 0.75) else FAILED


def exact(shares: Mapping[ChallengeItem, float], item_at: Callable[[int], ChallengeItem]) -> Counter[NewcomerStatus]:
    """Probability of each end of an engine that passes these shares, by adding up all ways."""
    ends: Counter[NewcomerStatus] = Counter()
    open_: dict[ChallengeRecord, float] = {ChallengeRecord(): 1.0}
    for number in range(ITEMS_MAX):
        following: dict[ChallengeRecord, float] = {}
        item = item_at(number)
        for record, weight in open_.items():
            for verdict, share in ((PASSED, shares[item]), (FAILED, 1 - shares[item])):
                after = with_item(record, item, verdict)
                if status_of(after) is NewcomerStatus.OPEN:
                    following[after] = following.get(after, 0.0) + weight * share
                else:
                    ends[status_of(after)] += weight * share
        open_ = following
    return ends


def mixed(number: int) -> ChallengeItem:
    return JUDGED[list(Visibility)[number // 2 % 3]] if number % 2 else ANSWER


@pytest.mark.parametrize(("answers", "judges"), ROLES)
def test_an_engine_that_knows_the_truth_earns_weight_in_forty_items(answers: bool, judges: bool) -> None:
    records = [attempt(scripted_by_truth, Random(seed), answers=answers, judges=judges) for seed in range(ATTEMPTS)]
    assert {status_of(record) for record in records} == {NewcomerStatus.EARNED}
    assert max(record.items for record in records) <= ITEMS_MAX


@pytest.mark.parametrize("engine", [guessing, lucky, choosy])
@pytest.mark.parametrize(("answers", "judges"), ROLES)
def test_a_random_engine_never_does_in_a_thousand_attempts(engine: Engine, answers: bool, judges: bool) -> None:
    records = [attempt(engine, Random(seed), answers=answers, judges=judges) for seed in range(cases(ATTEMPTS))]
    assert Counter(status_of(record) for record in records)[NewcomerStatus.EARNED] == 0


def test_most_able_engines_earn_weight() -> None:
    """An exact simulation: of 1,000 engines that solve .7 and judge .75 rightly."""
    records = [attempt(able, Random(seed)) for seed in range(ATTEMPTS)]
    ends = Counter(status_of(record) for record in records)
    assert ends[NewcomerStatus.EARNED] >= 900
    assert ends[NewcomerStatus.REFUSED] <= 30


def test_the_exact_probabilities_of_a_guess() -> None:
    guess = dict.fromkeys(ITEMS, GUESSED_JUDGEMENTS) | {ANSWER: GUESSED_ANSWERS}
    assert 0 < exact(guess, mixed)[NewcomerStatus.EARNED] <= FALSE_ENTRY
    for level in Visibility:
        assert exact(guess, lambda _, item=JUDGED[level]: item)[NewcomerStatus.EARNED] <= FALSE_ENTRY
    assert exact(guess, lambda _: ANSWER)[NewcomerStatus.EARNED] <= FALSE_ENTRY


@pytest.mark.parametrize("item", ITEMS)
def test_evidence_is_a_supermartingale_under_guessing(item: ChallengeItem) -> None:
    """On which Ville's inequality rests: whatever is asked next, the likelihood ratio expects not to grow."""
    share = GUESSED_ANSWERS if isinstance(item, AnswerItem) else GUESSED_JUDGEMENTS
    grown = [exp(evidence_of(item, passed=passed) / UNIT) for passed in (True, False)]
    assert share * grown[0] + (1 - share) * grown[1] <= 1.0
    assert exp(-EARNED_AT / UNIT) <= FALSE_ENTRY


def test_the_rarer_a_fault_shows_the_less_a_judgement_says() -> None:
    gains = [evidence_of(JUDGED[level], passed=True) for level in Visibility]
    losses = [-evidence_of(JUDGED[level], passed=False) for level in Visibility]
    assert gains == sorted(gains, reverse=True) and losses == sorted(losses, reverse=True)
    assert evidence_of(ANSWER, passed=True) > gains[0]


def test_a_record_counts_what_it_was_told() -> None:
    record = ChallengeRecord()
    for item, verdict in ((ANSWER, PASSED), (JUDGED[Visibility.EASY], FAILED), (ANSWER, VOID), (ANSWER, FAILED)):
        record = with_item(record, item, verdict)
    judged = with_item(record, JUDGED[Visibility.HARD], PASSED)
    assert (record.answers_passed, record.answers_failed, record.judgements_wrong, record.void) == (1, 1, 1, 1)
    assert (judged.judgements_right, judged.items) == (1, 5)
    assert judged.evidence == sum(
        evidence_of(item, passed=passed)
        for item, passed in (
            (ANSWER, True), (JUDGED[Visibility.EASY], False), (ANSWER, False), (JUDGED[Visibility.HARD], True),
        )
    )  # fmt: skip


def test_whoever_says_nothing_is_exhausted() -> None:
    record = attempt(lambda _item, _random: VOID, Random(1))
    assert (status_of(record), record.items, record.evidence) == (NewcomerStatus.EXHAUSTED, ITEMS_MAX, 0)


def test_a_closed_record_takes_no_item() -> None:
    record = attempt(scripted_by_truth, Random(1))
    with pytest.raises(AssertionError, match="closed"):
        with_item(record, ANSWER, PASSED)


def test_both_roles_are_asked_in_turns() -> None:
    record = ChallengeRecord()
    assert next_kind(record, answers=True, judges=True) is ItemKind.ANSWER
    assert next_kind(with_item(record, ANSWER, FAILED), answers=True, judges=True) is ItemKind.JUDGE
    assert next_kind(record, answers=False, judges=True) is ItemKind.JUDGE
    with pytest.raises(AssertionError, match="without a role"):
        next_kind(record, answers=False, judges=False)
