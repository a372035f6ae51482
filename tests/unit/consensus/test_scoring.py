"""Baselines by hand, intervals, calibration error."""

from random import Random

import numpy as np
import pytest

from consensus.learning.dataset import Dataset, JudgedQuestion, PairwiseJudgement
from consensus.learning.gold_fit import LearningContext
from consensus.learning.scoring import NAMES, AccuracyScores, author_records, calibration_error, score_picks
from protocol.types import ONE

A, B, C = 0, 1, 2


def hand_made() -> Dataset:
    """B and C say the same. Two judges prefer A to B in both orders; one prefers C to A, ten times."""
    judgements = [PairwiseJudgement(judge, *pair, p) for judge in (0, 1) for pair, p in (((A, B), ONE), ((B, A), 0))]
    judgements += [PairwiseJudgement(2, C, A, ONE)] * 10 + [PairwiseJudgement(0, B, C, ONE // 2)]
    question = JudgedQuestion(
        "q", ("a", "b", "c"), (0, 1, 1), (0, 1, 2), tuple(judgements), {A: True, B: False, C: False}, {}
    )
    return Dataset((question, question), ("0", "1", "2"), ("x", "y", "z"), clustered=True)


def test_baselines_by_hand() -> None:
    dataset = hand_made()
    evidence = LearningContext(dataset)
    records = author_records(dataset, [0])
    assert records is not None
    assert records.tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3, -1.0])
    scores = score_picks(dataset, {1: evidence.rank(1, evidence.default())}, {1: records})
    assert scores is not None
    found = scores.accuracy()
    assert tuple(found) == NAMES
    assert found["majority"] == 0.0
    assert found["judge_majority"] == 0.0  # C has 1.5 pairs, A 1, B .5
    assert found["win_rate"] == 0.0  # A won 4 of 14
    assert found["best_single"] == 1.0
    assert found["oracle"] == 1.0


def test_what_the_data_do_not_name_is_null() -> None:
    question = JudgedQuestion("q", ("a", "b"), (0, 1), (-1, -1), (), {A: True, B: False}, {})
    dataset = Dataset((question,), (), (), clustered=False)
    evidence = LearningContext(dataset)
    scores = score_picks(dataset, {0: evidence.rank(0, evidence.default())}, {0: author_records(dataset, [0])})
    assert scores is not None
    found = scores.accuracy()
    assert found["majority"] is None and found["best_single"] is None
    assert found["judge_majority"] == found["win_rate"] == found["plain_bradley_terry"] == 0.5
    assert scores.intervals(Random(1).randbytes)["swarm_less"]["majority"] is None


def test_intervals_cover_what_the_binomial_says_and_pairing_narrows_them() -> None:
    right = np.array([1.0] * 80 + [0.0] * 20)
    scores = AccuracyScores({"swarm": right, "oracle": right}, np.ones(100))
    intervals = scores.intervals(Random(1).randbytes)
    low, high = intervals["accuracy"]["swarm"] or [0.0, 0.0]
    assert low == pytest.approx(0.72, abs=0.015)
    assert high == pytest.approx(0.88, abs=0.015)
    assert intervals["swarm_less"]["oracle"] == [0.0, 0.0]


def test_calibration_error_by_hand() -> None:
    assert calibration_error([]) is None
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0.0)
    assert calibration_error([(1.0, False), (0.05, False)]) == pytest.approx((1.0 + 0.05) / 2)
