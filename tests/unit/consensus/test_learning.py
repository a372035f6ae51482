"""Learning on gold, on small worlds whose truth is known."""

import math
from collections.abc import Collection, Sequence
from random import Random

import numpy as np
import pytest

from consensus.learning.calibration import calibrate
from consensus.learning.dataset import NO_AUTHOR, Dataset, JudgedQuestion, PairwiseJudgement
from consensus.learning.gold_fit import LearningContext, discount, learn, p_correct
from consensus.learning.scoring import author_records, calibration_error, score_pairs, score_picks
from consensus.ranking.certainty import UNCALIBRATED
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE


def world(questions: int, accuracies: list[float], *, authors: bool = False, seed: int = 1, clones: int = 0) -> Dataset:
    """Pairs with one right answer, judged in one order by judges of these accuracies; clones copy judge 0.

    Answer 0 is right in odd questions; with authors, author 0 gives the right one in four of five.
    """
    rng = Random(seed)
    rows = []
    for number in range(questions):
        right = number % 2
        better = right if not authors or rng.random() < 0.8 else 1 - right
        verdicts = [right if rng.random() < accuracy else 1 - right for accuracy in accuracies]
        verdicts += verdicts[:1] * clones
        rows.append(
            JudgedQuestion(
                str(number),
                ("x", "y"),
                (0, 1),
                ((0, 1) if better == 0 else (1, 0)) if authors else (NO_AUTHOR, NO_AUTHOR),
                tuple(
                    PairwiseJudgement(judge, 0, 1, ONE if verdict == 0 else 0) for judge, verdict in enumerate(verdicts)
                ),
                {right: True, 1 - right: False},
                {},
            )
        )
    judges = tuple(map(str, range(len(accuracies) + clones)))
    return Dataset(tuple(rows), judges, ("good", "bad") if authors else (), clustered=False)


def rest_of(dataset: Dataset, gold: Collection[int]) -> list[int]:
    return [index for index in range(len(dataset.questions)) if index not in gold]


def accuracy(dataset: Dataset, gold: Collection[int], *, scored: Sequence[int] | None = None) -> float:
    evidence = LearningContext(dataset)
    weights = learn(evidence, gold) if gold else evidence.default()
    rest = rest_of(dataset, gold) if scored is None else scored
    scores = score_picks(dataset, {index: evidence.rank(index, weights) for index in rest}, dict.fromkeys(rest))
    assert scores is not None
    found = scores.accuracy()["swarm"]
    assert found is not None
    return found


def test_without_gold_the_defaults_rule() -> None:
    evidence = LearningContext(world(10, [0.9, 0.9]))
    weights = evidence.default()
    assert weights.judges == (ONE, ONE)
    assert (weights.history, weights.beta, weights.calibration) == (ONE, round(0.7 * ONE), UNCALIBRATED)
    assert learn(evidence, []) == weights


def test_an_inverse_judge_is_turned_round() -> None:
    evidence = LearningContext(world(100, [0.05, 0.6, 0.6]))
    weights = learn(evidence, range(60))
    assert weights.judges[0] < 0
    assert abs(weights.judges[0]) > weights.judges[1]


def contradicting(dataset: Dataset, count: int) -> list[int]:
    """The first questions in which most judges are wrong."""
    wrong = [
        index
        for index, question in enumerate(dataset.questions)
        if sum((each.preference == ONE) == question.truth[0] for each in question.judgements)
        < len(question.judgements) / 2
    ]
    return wrong[:count]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_few_gold_items_that_contradict_the_judges_do_not_turn_them_round(count: int) -> None:
    dataset = world(300, [0.7, 0.7, 0.6, 0.6, 0.6, 0.55, 0.55])
    gold = contradicting(dataset, count)
    assert len(gold) == count
    assert accuracy(dataset, gold) >= accuracy(dataset, [], scored=rest_of(dataset, gold)) - 0.03


def test_much_gold_that_contradicts_the_judges_turns_them_round() -> None:
    dataset = world(200, [0.2, 0.3, 0.3])
    assert accuracy(dataset, range(0)) < 0.3
    assert accuracy(dataset, range(40)) > 0.75


def test_gold_finds_the_one_good_judge_among_many_that_toss_a_coin() -> None:
    dataset = world(250, [0.95] + [0.5] * 14)
    assert accuracy(dataset, range(0)) < 0.8
    assert accuracy(dataset, range(60)) > 0.87


def test_clones_of_a_judge_add_nothing() -> None:
    """Ten clones of a judge of .6 outvote two of .9 until gold has shown what they are."""
    dataset = world(250, [0.6, 0.9, 0.9], clones=9)
    assert accuracy(dataset, range(0)) < 0.75
    assert accuracy(dataset, range(60)) > 0.85


def test_an_authors_record_is_learned_where_judges_know_nothing() -> None:
    """No judge is better than a coin: only the record tells answers apart, and the pick follows it."""
    dataset = world(300, [0.5, 0.5], authors=True)
    weights = learn(LearningContext(dataset), range(100))
    assert weights.authors[0] > 0 > weights.authors[1]
    assert accuracy(dataset, range(100)) > 0.75


def test_learned_weights_are_integers_within_the_wires_limits() -> None:
    weights = learn(LearningContext(world(200, [1.0, 0.5, 0.0], authors=True)), range(200))
    for value in (*weights.judges, *weights.authors):
        assert isinstance(value, int) and abs(value) <= WEIGHT_MAX


def test_nothing_but_gold_truth_is_read() -> None:
    """Turning round the truth of every other question changes nothing."""
    dataset = world(60, [0.9, 0.6, 0.3])
    turned = Dataset(
        tuple(
            question
            if index < 20
            else JudgedQuestion(
                question.name,
                question.answers,
                question.clusters,
                question.authors,
                question.judgements,
                {answer: not true for answer, true in question.truth.items()},
                {(0, 1): 1},
            )
            for index, question in enumerate(dataset.questions)
        ),
        dataset.judges,
        dataset.authors,
        clustered=False,
    )
    assert learn(LearningContext(dataset), range(20)) == learn(LearningContext(turned), range(20))


def test_p_correct_is_calibrated_on_gold() -> None:
    dataset = world(600, [0.8, 0.7, 0.6])
    evidence = LearningContext(dataset)
    weights = learn(evidence, range(300))
    claims = []
    for index in range(300, 600):
        ranked = evidence.rank(index, weights)
        claims.append(
            (p_correct(float(ranked.p_best[ranked.pick]), weights), dataset.questions[index].truth[ranked.pick])
        )
    error = calibration_error(claims)
    assert error is not None and error < 0.08


def test_repeated_verdicts_on_one_pair_count_as_two_at_most() -> None:
    one = world(1, [0.5] * 50).questions[0]
    assert 1.9 < 50 * discount(one, dict.fromkeys(range(50), 1.0)) < 2.0
    assert discount(world(1, [0.5]).questions[0], {0: 1.0}) == 1.0


def test_questions_without_judgements_or_truth_are_ranked() -> None:
    bare = JudgedQuestion("q", ("x", "y", "z"), (0, 0, 1), (NO_AUTHOR,) * 3, (), {}, {})
    dataset = Dataset((bare,), (), (), clustered=True)
    evidence = LearningContext(dataset)
    ranked = evidence.rank(0, evidence.default())
    assert ranked.order == (0, 1, 2)
    assert ranked.p_best[0] == ranked.p_best[1] > ranked.p_best[2]
    assert learn(evidence, [0]) == evidence.default()


def test_labels_teach_and_are_scored_as_pairs() -> None:
    rows = tuple(
        JudgedQuestion(
            str(number),
            ("x", "y", "z"),
            (0, 1, 2),
            (NO_AUTHOR,) * 3,
            (PairwiseJudgement(0, 0, 1, 0), PairwiseJudgement(0, 1, 2, 0), PairwiseJudgement(1, 0, 2, ONE)),
            {},
            {(0, 1): 2, (1, 2): 1, (0, 2): 0},
        )
        for number in range(20)
    )
    dataset = Dataset(rows, ("inverse", "honest"), (), clustered=False)
    evidence = LearningContext(dataset)
    weights = learn(evidence, range(10))
    assert weights.judges[0] < 0 < weights.judges[1]
    scores = score_pairs(dataset, {10: evidence.rank(10, weights)}, {10: author_records(dataset, range(10))})
    assert scores is not None
    assert scores.asked.tolist() == [2.0]
    assert scores.accuracy()["swarm"] == 1.0
    assert scores.accuracy()["judge_majority"] == 0.0


def test_truth_of_many_answers_counts_as_one_less_than_there_are() -> None:
    truth = {0: True, 1: True, 2: False, 3: False, 4: False}
    question = JudgedQuestion("q", tuple("abcde"), tuple(range(5)), (NO_AUTHOR,) * 5, (), truth, {})
    references = list(question.references())
    assert len(references) == 6
    assert np.sum([each.weight for each in references]) == pytest.approx(4.0)


def test_claims_that_never_came_true_are_not_believed() -> None:
    """However sure they were: a slope that would turn certainty round is none, and the rest is fitted without it."""
    intercept, slope, worth = calibrate([(0.99, False)] * 20)
    assert slope == worth == 0
    assert 1.0 / (1.0 + math.exp(-intercept / ONE)) < 0.15
