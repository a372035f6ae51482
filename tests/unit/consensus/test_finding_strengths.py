"""Strengths of findings from gold: what raises them, what lowers them, and what leaves them as they are."""

from dataclasses import replace

import numpy as np
import pytest

from consensus.learning.dataset import JudgedQuestion, PairwiseJudgement
from consensus.learning.finding_strengths import FACTORS, NAMES, CheckedQuestion, FindingStrengths, learn_strengths
from consensus.ranking.bradley_terry import PriorParameters
from consensus.ranking.finding_score import WARNINGS_MAX, FindingFeatures
from protocol.types import ONE

DEFAULT = FindingStrengths()
NOTHING = FindingFeatures(agreeing=0, compiles=False, checks=0, warnings=0)
MODEL = PriorParameters(beta=0.0)
FOR = {
    "agreement": replace(NOTHING, agreeing=ONE // 8),
    "compiles": replace(NOTHING, compiles=True),
    "tests": replace(NOTHING, checks=1),
    "lint": replace(NOTHING, warnings=WARNINGS_MAX),
}
"""Features that one strength alone weighs."""


def question(better: FindingFeatures, worse: FindingFeatures, preference: int = ONE // 2) -> CheckedQuestion:
    """Two answers, the first right, judged once."""
    judged = JudgedQuestion(
        name="q",
        answers=("0", "1"),
        clusters=(0, 1),
        authors=(0, 1),
        judgements=(PairwiseJudgement(0, 0, 1, preference),),
        truth={0: True, 1: False},
        labels={},
        votes=(ONE, ONE),
    )
    return CheckedQuestion(judged, (better, worse))


def learned(*tested: CheckedQuestion, judge: int = ONE) -> FindingStrengths:
    return learn_strengths(tested, [judge], [0, 0], MODEL)


def test_without_gold_the_defaults_apply() -> None:
    assert learned() == DEFAULT
    assert learned(*[question(NOTHING, NOTHING)] * 50) == DEFAULT, "findings that are alike say nothing"


@pytest.mark.parametrize("name", NAMES)
def test_each_strength_follows_its_own_feature(name: str) -> None:
    """Twice as strong where the right answer always has it, a quarter where the wrong one does; never more."""
    good, bad = (NOTHING, FOR[name]) if name == "lint" else (FOR[name], NOTHING)
    if name != "tests":
        assert learned(*[question(good, bad)] * 240) == replace(DEFAULT, **{name: FACTORS[-1] * getattr(DEFAULT, name)})
    assert learned(*[question(bad, good)] * 240) == replace(DEFAULT, **{name: FACTORS[0] * getattr(DEFAULT, name)})


def test_few_gold_rounds_change_nothing() -> None:
    for count in (1, 2):
        assert learned(*[question(NOTHING, FOR["compiles"])] * count) == DEFAULT


def test_what_judges_explain_is_not_put_down_to_findings() -> None:
    """If judges already see which answer is right, findings that agree gain nothing by being stronger."""
    seen = [question(FOR["compiles"], NOTHING, ONE)] * 8
    unseen = [question(FOR["compiles"], NOTHING)] * 8
    assert learned(*unseen).compiles > DEFAULT.compiles
    assert learned(*seen, judge=16 * ONE).compiles == DEFAULT.compiles


def test_an_inverted_judge_counts_as_one_that_says_the_opposite() -> None:
    straight = [question(FOR["compiles"], NOTHING, ONE)] * 8
    inverted = [question(FOR["compiles"], NOTHING, 0)] * 8
    assert learned(*straight, judge=2 * ONE) == learned(*inverted, judge=-2 * ONE)


def test_the_order_of_questions_has_no_effect() -> None:
    rng = np.random.default_rng(1)
    features = list(FOR.values())
    tested = [question(*(features[place] for place in rng.integers(0, 4, 2))) for _ in range(40)]
    assert learned(*tested) == learned(*reversed(tested))


def test_a_question_without_a_wrong_answer_says_nothing() -> None:
    plain = question(FOR["compiles"], NOTHING)
    right = CheckedQuestion(replace(plain.question, truth={0: True, 1: True}), plain.features)
    assert learned(*[right] * 60) == DEFAULT
