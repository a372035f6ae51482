"""What real processes are told of a scenario, and what is made of what they say."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.asking import Question
from node.inference.scripted import SLOPE, read_script
from node.local.programme import Heard, Programme
from protocol.types import TaskType
from simnet.page import page
from simnet.plan import Plan
from simnet.real import check_real, programme_of, qualities, run_of
from simnet.scenario import Scenario, ScenarioError, scenario_from
from simnet.study import repeat_command
from tests.support.simulated import plan_of
from tests.support.studies import single_study


def programme(plan: Plan) -> Programme:
    return msgspec.convert(programme_of(plan, SLOPE), Programme)


@pytest.mark.parametrize(
    ("table", "setting"),
    [
        ({"nodes": 26}, "nodes"),
        ({"rounds": 101}, "rounds"),
        ({"layer": "aggregate"}, "layer"),
        ({"nodes": 9, "shard_nodes": 8}, "shard_nodes"),
        ({"byzantine": {"lazy": 0.1}}, "byzantine"),
        ({"pairing": "swiss"}, "pairing"),
        ({"reference": True}, "reference"),
        ({"links": {"loss": 0.1}}, "links.loss"),
        ({"gossip": {"degree": 3}}, "gossip.degree"),
        ({"faults": {"clock_skew_ms": 5}}, "faults.clock_skew_ms"),
        ({"faults": {"partitions": [{"from_ms": 1, "until_ms": 2, "share": 0.1}]}}, "faults.partitions"),
    ],
)
def test_what_only_a_virtual_world_has_is_refused_by_name(table: dict[str, Any], setting: str) -> None:
    with pytest.raises(ScenarioError, match=f"^--real: {setting} "):
        check_real(scenario_from(table), 25)


def test_what_changes_nothing_is_not_refused() -> None:
    check_real(scenario_from({"nodes": 9, "shard_nodes": 10, "byzantine": {"lazy": 0.0}, "links": {"loss": 0.0}}), 25)


def test_what_can_be_asked_is_asked() -> None:
    table = {"waves": [2, 3], "answer_ms": 11, "open_ms": 12, "judge_ms": 13, "cosign_ms": 14, "patience_ms": 15}
    plan = plan_of(
        nodes=6, rounds=4, seed=3, round={**table, "threshold": 0.5, "confidence_min": 0.25}, engine={"judge_ms": 60}
    )
    told = programme(plan)
    assert told.latency_ms == 30
    assert told.round == {"open_ms": 12, "cosign_ms": 14, "threshold": 0.5, "confidence_min": 0.25}
    assert told.deadline_ms > 11 + 12 + 13 + 14
    assert [turn.requester for turn in told.turns] == [plan.asking(number).requester for number in range(4)]
    assert [turn.question.turns[0].text for turn in told.turns] == [plan.asking(n).question.text for n in range(4)]
    first = told.turns[0].question
    limits = {"max_tokens": 400, "pairs_per_judge": 5, "answer_ms": 11, "judge_ms": 13, "patience_ms": 15}
    assert first == Question.single(first.turns[0].text, TaskType.FINAL, **limits)
    assert not any(turn.kills for turn in told.turns)


def test_a_wave_has_no_more_pairs_than_the_network_allows() -> None:
    plan = plan_of(nodes=3, rounds=1, round={"waves": [8, 8]})
    assert programme(plan).turns[0].question.pairs_per_judge == plan.params.pairs_per_wave_max


def test_the_killed_are_never_the_requester_and_as_many_as_the_scenario_says() -> None:
    told = programme(plan_of(nodes=6, rounds=30, faults={"crashes": 2, "disk_lost": 0.5}))
    for turn in told.turns:
        victims = {kill.node for kill in turn.kills}
        assert len(victims) == len(turn.kills) == 2
        assert turn.requester not in victims
    assert {kill.disk_lost for turn in told.turns for kill in turn.kills} == {True, False}
    assert not any(turn.kills for turn in programme(plan_of(nodes=6, rounds=30, faults={"crash": 0.0})).turns)
    assert all(len(turn.kills) == 5 for turn in programme(plan_of(nodes=6, rounds=9, faults={"crash": 1.0})).turns)


def test_a_script_gives_the_nodes_own_answer_and_rates_everyones(tmp_path: Path) -> None:
    plan = plan_of(nodes=5, rounds=3, seed=8)
    for node, script in enumerate(programme(plan).scripts):
        path = tmp_path / f"{node}.json"
        path.write_text(json.dumps({"answers": script}))
        answers = read_script(str(path))
        rated = {answer.text: answer.quality for answer in answers}
        for number in range(3):
            question = plan.asking(number).question
            candidates = [plan.oracle.answer(question, author) for author in range(5)]
            (given_text,) = [answer.text for answer in answers if answer.query == question.text]
            assert given_text == candidates[node].text
            by_quality = sorted(candidates, key=lambda candidate: rated[candidate.text])
            assert by_quality == sorted(candidates, key=lambda each: plan.oracle.worth(question, node, each))
        assert len(rated) == len(answers) == 15


worths = st.lists(st.floats(-50, 50).map(lambda worth: round(worth, 3)), min_size=1, max_size=25)


@given(worths, st.floats(0.01, 100.0))
def test_qualities_keep_the_order_and_as_much_of_the_distance_as_fits(given_worths: list[float], sure: float) -> None:
    found = qualities(given_worths, sure, SLOPE)
    assert all(0.0 <= quality <= 1.0 for quality in found)
    fits = sure * (max(given_worths) - min(given_worths)) <= SLOPE
    for one, quality in zip(given_worths, found, strict=True):
        for other, other_quality in zip(given_worths, found, strict=True):
            assert (one > other) <= (quality > other_quality)
            if fits:
                assert SLOPE * (quality - other_quality) == pytest.approx(sure * (one - other), abs=1e-6)
    assert fits or math.isclose(max(found), 1.0)


def test_a_round_without_a_certificate_failed_or_has_no_outcome() -> None:
    plan = plan_of(nodes=3, rounds=2)
    run = run_of(plan, [bytes([node]) * 32 for node in range(3)], [Heard(why_not="too few answers"), Heard()])
    assert [(each.outcome, each.reason, each.answered_ms) for each in run.rounds] == [
        ("failed", "too few answers", None),
        ("none", "", None),
    ]
    assert run.violations == []


def test_a_certificate_that_does_not_hold_is_a_violation() -> None:
    plan = plan_of(nodes=3, rounds=1)
    run = run_of(plan, [bytes([node]) * 32 for node in range(3)], [Heard(certificate=b"no certificate")])
    assert run.violations
    assert run.rounds[0].outcome == "none"


def test_a_real_study_is_repeated_with_real_processes() -> None:
    assert repeat_command(Scenario(nodes=7), real=True) == "strand sim --real --nodes 7"
    study = single_study()
    assert "to the last bit" in page(Scenario(), study, [])
    real = page(Scenario(), replace(study, real=True), [])
    assert "strand sim --real" in real
    assert "to the last bit" not in real
