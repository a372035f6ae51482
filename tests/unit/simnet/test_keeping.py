"""Which rounds a report gets to open, and what their certificates say."""

import pickle
from collections import Counter
from dataclasses import replace

import pytest

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.config import load_params
from simnet import keeping
from simnet.aggregate import run_aggregate
from simnet.keeping import CERTIFICATE_BYTES_MAX, WORLD_ROUNDS_MAX, choice_of, share_of
from simnet.results import NO_OUTCOME, Choice
from simnet.scenario import scenario_from
from simnet.study import run_study
from simnet.world import run_world
from tests.support.simulated import plan_of, presets

COLLUDERS = {"nodes": 10, "rounds": 12, "byzantine": {"collude-same-answer": 0.4}}


def verified(certificate: bytes) -> VerifiedCertificate:
    found = verify_certificate(certificate)
    assert isinstance(found, VerifiedCertificate)
    return found


def test_nothing_is_kept_unless_somebody_asks() -> None:
    assert run_aggregate(plan_of(**COLLUDERS)).kept == []
    assert run_world(plan_of(nodes=5, rounds=1, layer="network")).kept == []


def test_keeping_changes_no_result() -> None:
    plain, keeping_some = run_aggregate(plan_of(**COLLUDERS)), run_aggregate(plan_of(**COLLUDERS), keep=4)
    assert keeping_some.kept
    assert replace(keeping_some, kept=[]) == plain


def test_the_first_of_each_choice_are_kept_in_the_order_of_rounds() -> None:
    run = run_aggregate(plan_of(**COLLUDERS), keep=4)
    choices = {choice: [each.number for each in run.rounds if choice_of(each) is choice] for choice in Choice}
    assert len(choices[Choice.WRONG]) >= 2 and len(choices[Choice.RIGHT]) >= 2, "the world has both"
    numbers = [each.result.number for each in run.kept]
    assert numbers == sorted({*choices[Choice.WRONG][:2], *choices[Choice.RIGHT][:2]})
    assert Counter(each.choice for each in run.kept) == {Choice.WRONG: 2, Choice.RIGHT: 2}


def test_a_choice_without_rounds_leaves_its_room_to_the_others() -> None:
    run = run_aggregate(plan_of(nodes=9, rounds=6, preset="final-answer"), keep=6)
    assert [each.result.number for each in run.kept] == list(range(6))


def test_a_certificate_of_the_aggregate_layer_holds_without_a_co_signature() -> None:
    run = run_aggregate(plan_of(**COLLUDERS), keep=3)
    for each in run.kept:
        found = verified(each.certificate)
        assert found.ranking.digest == each.result.ranking
        assert not found.cosigners and not found.full and each.unsigned


def test_a_round_of_the_network_layer_keeps_its_own_certificate() -> None:
    run = run_world(plan_of(nodes=6, rounds=2, layer="network"), keep=2)
    assert len(run.kept) == 2
    for each in run.kept:
        found = verified(each.certificate)
        assert found.full and not each.unsigned
        assert found.ranking.digest == each.result.ranking
    assert pickle.loads(pickle.dumps(run)) == run, "worlds run in processes of their own"


def test_what_the_simulator_alone_knows_is_told_of_each_answer() -> None:
    plan = plan_of(**COLLUDERS)
    run = run_aggregate(plan, keep=WORLD_ROUNDS_MAX)
    for each in run.kept:
        record = verified(each.certificate).record
        liars = [
            place for place, answer in enumerate(record.answers) if plan.number_of[answer.author] not in plan.honest
        ]
        assert each.dishonest == {"collude-same-answer": liars}
        winner = next(
            place
            for place, answer in enumerate(record.answers)
            if answer.id == verified(each.certificate).ranking.winner
        )
        assert (winner in each.right) == each.result.verdicts.swarm


@pytest.mark.parametrize("pairing", ["swiss", "client"])
def test_a_round_of_another_pairing_has_no_certificate(pairing: str) -> None:
    assert run_aggregate(plan_of(nodes=7, rounds=2, pairing=pairing), keep=2).kept == []


def test_a_large_certificate_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "CERTIFICATE_BYTES_MAX", 1_000)
    assert CERTIFICATE_BYTES_MAX > 1_000
    assert run_aggregate(plan_of(nodes=5, rounds=2), keep=2).kept == []


def test_a_round_without_an_answer_is_of_no_choice() -> None:
    (result,) = run_aggregate(plan_of(nodes=5, rounds=1)).rounds
    assert choice_of(replace(result, outcome=NO_OUTCOME)) is None
    assert choice_of(replace(result, outcome="failed")) is None
    assert choice_of(replace(result, outcome="degraded")) is Choice.DEGRADED


@pytest.mark.parametrize(
    ("worlds", "rounds", "share"), [(1, 48, WORLD_ROUNDS_MAX), (1, 2, 2), (10, 48, 4), (100, 48, 1), (3, 0, 0)]
)
def test_the_worlds_share_the_room_of_a_report(worlds: int, rounds: int, share: int) -> None:
    assert share_of(worlds, rounds) == share


def test_a_study_keeps_no_more_than_its_report_has_room_for() -> None:
    scenario = scenario_from({"layer": "aggregate", "nodes": 5, "rounds": 3, "vary": {"seed": [1, 2, 3, 4]}})
    study = run_study(scenario, presets(), load_params("devnet"), keep=3)
    assert [len(run.kept) for run in study.runs] == [1, 1, 1, 0]
