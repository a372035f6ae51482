"""The simulated models are calibrated, and every adversary of accuracy hurts plain Bradley-Terry.

All of it is deterministic: a failure means that something changed, and prints the command that repeats the world.
"""

from functools import cache

import pytest

from simnet.adversaries import ACCURACY
from simnet.adversaries.report_contradictor import ReportContradictor
from simnet.adversaries.report_liar import ReportLiar
from simnet.aggregate import run_aggregate
from simnet.results import Run
from simnet.study import repeat_command
from tests.support.simulated import plan_of

SHARE = 0.4
LOSS_MIN = 0.1
"""The least that any of them takes from plain Bradley-Terry here; over seeds they take .2 to .7."""

# Where judges can hardly err, what the dishonest ones do stands out: few questions suffice.
SETTINGS = {"preset": "easy-to-check", "nodes": 25, "rounds": 40, "seed": 1}


@cache
def run(**cast: float) -> Run:
    """The same questions, nodes and models with these shares of adversaries."""
    return run_aggregate(plan_of(**SETTINGS, byzantine={kind.replace("_", "-"): share for kind, share in cast.items()}))


def attacked(kind: str) -> Run:
    return run(**{kind.replace("-", "_"): SHARE})


@pytest.mark.parametrize("kind", [kind.KIND for kind in ACCURACY if kind not in (ReportLiar, ReportContradictor)])
def test_the_adversary_hurts_plain_bradley_terry(kind: str) -> None:
    before, after = (each.accuracy()["plain_bradley_terry"] for each in (run(), attacked(kind)))
    repeat = repeat_command(plan_of(**SETTINGS, byzantine={kind: SHARE}).scenario)
    assert after <= before - LOSS_MIN, f"{before:.3f} -> {after:.3f}; repeat: {repeat}"


def test_sleepers_are_honest_for_the_first_questions_and_colluders_then() -> None:
    # Who is best alone is asked among the honest only, and the three worlds differ in who they are.
    honest, sleepers, colluders = (
        [(each.verdicts.swarm, each.verdicts.majority, each.verdicts.oracle) for each in world.rounds]
        for world in (run(), attacked("sleeper"), attacked("collude-same-answer"))
    )
    assert sleepers[:10] == honest[:10] != colluders[:10]
    assert sleepers[10:] == colluders[10:] != honest[10:]


def test_final_answers_are_as_hard_as_the_design_measured() -> None:
    plan = plan_of(nodes=35, rounds=120, seed=3, round={"waves": [3]})
    found = run_aggregate(plan).accuracy()
    expected = {"majority": 0.69, "plain_bradley_terry": 0.79, "swarm": 0.855}
    # Standard error .04, and the skills of one seed's nodes move all of them together by as much.
    off = {name: found[name] for name, value in expected.items() if abs(found[name] - value) > 0.12}
    assert not off, f"{off}; repeat: {repeat_command(plan.scenario)}"
    assert found["majority"] < found["swarm"] < found["oracle"]


def test_where_judging_is_no_easier_than_answering_ranking_loses_to_the_majority() -> None:
    plan = plan_of(preset="hard-to-judge", nodes=35, rounds=120, seed=3)
    found = run_aggregate(plan).accuracy()
    assert found["swarm"] < found["majority"], f"{found}; repeat: {repeat_command(plan.scenario)}"
