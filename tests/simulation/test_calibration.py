"""Expected calibration error, and the consensus against which P(best) is held."""

import pytest

from consensus.learning.scoring import calibration_error
from simnet.aggregate import run_aggregate
from simnet.calibration import Bin, bins
from tests.support.simulated import plan_of


def test_the_error_is_the_mean_distance_of_frequency_and_probability() -> None:
    told = [(0.9, True), (0.95, True), (0.94, False), (0.2, False), (1.0, True)]
    assert calibration_error(told) == pytest.approx((abs(3 - 3.79) + abs(0 - 0.2)) / 5)
    assert calibration_error([]) is None


def test_bins_are_tenths_and_the_last_holds_certainty() -> None:
    assert bins([(0.0, False), (0.1, True), (0.19, False), (1.0, True), (0.9, True)]) == [
        Bin(1, 0.0, 0),
        Bin(2, pytest.approx(0.145), 1),
        Bin(2, 0.95, 2),
    ]


def test_who_says_what_is_so_is_calibrated_and_who_boasts_is_not() -> None:
    fair = [(0.75, number % 4 != 0) for number in range(400)]
    assert calibration_error(fair) == pytest.approx(0.0)
    assert calibration_error([(1.0, true) for _, true in fair]) == pytest.approx(0.25)


def test_the_reference_is_found_only_if_asked_for_and_changes_nothing() -> None:
    settings = {"nodes": 9, "rounds": 12, "seed": 2}
    without, found = run_aggregate(plan_of(**settings)), run_aggregate(plan_of(**settings, reference=True))
    assert without.trace_digest == found.trace_digest
    assert {each.consensual for each in without.rounds} == {None}
    assert {each.consensual for each in found.rounds} == {True, False}
    assert without.summary()["ece"]["p_best"] is None
    assert found.summary()["ece"]["p_best"] == calibration_error(found.told("p_best"))
    # Without gold it is P(best), but never 0 or 1: half a draw of 256 is left.
    bounded = [min(max(each.p_best, 1 / 512), 1 - 1 / 512) for each in found.rounds if each.p_best is not None]
    assert [said for said, _ in found.told("p_correct")] == pytest.approx(bounded, abs=2**-15)


def test_more_judging_brings_the_winner_nearer_to_the_consensus() -> None:
    settings = {"nodes": 15, "rounds": 40, "seed": 2, "reference": True, "preset": "open-ended"}
    # Futility would end the waves before they are held.
    rounds = ({"waves": waves, "futility": 0.0} for waves in ([1], [8, 8, 8, 8]))
    few, many = (run_aggregate(plan_of(**settings, round=each)) for each in rounds)
    right = [sum(bool(each.consensual) for each in run.rounds) for run in (few, many)]
    assert right[0] < 20 < 25 < right[1]


def test_nobody_agrees_on_nothing() -> None:
    run = run_aggregate(plan_of(nodes=5, rounds=1, mute=range(5), reference=True))
    assert run.rounds[0].consensual is None
    assert run.rounds[0].p_best is None
