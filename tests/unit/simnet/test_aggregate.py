"""Rounds without a network: the requester's own machine decides, whoever is silent."""

import pytest

from protocol.types import Outcome, OutcomeReason, StopReason
from simnet.aggregate import run_aggregate
from simnet.results import RoundResult
from simnet.scenario import ScenarioError
from tests.support.simulated import plan_of


def test_honest_nodes_decide_every_round() -> None:
    told: list[RoundResult] = []
    run = run_aggregate(plan_of(nodes=9, rounds=5, round={"waves": [3]}), told.append)
    assert told == run.rounds
    assert [each.number for each in told] == list(range(5))
    assert {each.outcome for each in told} == {Outcome.DECIDED}
    assert {(each.members, each.answers) for each in told} == {(9, 9)}
    assert {each.stop for each in told} <= {StopReason.CERTAIN, StopReason.UNANIMOUS, StopReason.SPENT}
    assert all(each.comparisons == 27 for each in told if each.stop == StopReason.SPENT)
    assert max(each.comparisons for each in told) == 27
    assert len({each.ranking for each in told}) == 5
    assert all(not each.full and each.answered_ms is None and each.phases_ms == {} for each in told)


def test_shards_take_turns_with_their_own_members() -> None:
    run = run_aggregate(plan_of(nodes=20, shard_nodes=10, rounds=4))
    assert [each.shard for each in run.rounds] == [0, 1, 0, 1]
    assert {each.members for each in run.rounds} == {10}


def test_each_wave_of_the_plan_is_judged() -> None:
    run = run_aggregate(plan_of(nodes=9, rounds=3, preset="open-ended", round={"waves": [2, 1]}))
    assert [(each.stop, each.comparisons) for each in run.rounds] == [(StopReason.SPENT, 27)] * 3


def test_a_sure_winner_saves_waves() -> None:
    run = run_aggregate(plan_of(nodes=15, rounds=10, round={"waves": [1, 1, 1, 1], "threshold": 0.6}))
    saved = [each for each in run.rounds if each.stop == StopReason.CERTAIN]
    assert saved and all(each.comparisons < 60 for each in saved)


def test_the_swarm_abstains_where_it_would_often_be_wrong() -> None:
    run = run_aggregate(plan_of(nodes=15, rounds=60, seed=2, round={"confidence_min": 0.95, "futility": 0.0}))
    decided = [each.verdicts.swarm for each in run.rounds if each.outcome == Outcome.DECIDED]
    guessed = [each.verdicts.swarm for each in run.rounds if each.reason == OutcomeReason.LOW_CONFIDENCE]
    assert len(decided) > 30 and len(guessed) > 10
    # A difference of .41 with 100 rounds, three of its standard errors here.
    assert sum(decided) / len(decided) > 0.9 > 0.8 > sum(guessed) / len(guessed)


def test_a_round_goes_on_without_those_who_do_not_answer_or_judge() -> None:
    settings = {"nodes": 9, "rounds": 3, "preset": "open-ended", "mute": [1], "abstaining": [2, 3]}
    for waves, stop in (((3,), StopReason.BUDGET), ((1, 2), StopReason.SPENT)):
        run = run_aggregate(plan_of(**settings, round={"waves": waves}))
        assert {each.answers for each in run.rounds} == {8}
        assert {(each.comparisons, each.stop) for each in run.rounds} == {(21, stop)}


def test_no_answers_fail_the_round() -> None:
    run = run_aggregate(plan_of(nodes=4, rounds=1, mute=range(4)))
    assert [(each.outcome, each.ranking, each.answers) for each in run.rounds] == [(Outcome.FAILED, b"", 0)]


def test_sybils_without_weight_decide_nothing_where_trust_is_known() -> None:
    settings = {"nodes": 12, "rounds": 12, "byzantine": {"sybil": 0.5}}
    equal, known = (run_aggregate(plan_of(trust=trust, **settings)) for trust in ("equal", "known"))
    assert {each.members for each in equal.rounds} == {12}
    assert {each.members for each in known.rounds} == {9}
    assert known.accuracy()["swarm"] > equal.accuracy()["swarm"] + 0.3


def test_a_query_that_the_network_refuses_is_an_error_of_the_scenario() -> None:
    with pytest.raises(ScenarioError, match="wave plan"):
        run_aggregate(plan_of(nodes=4, rounds=1, round={"waves": [9]}))
