"""`strand sim --real`: a scenario played by real processes, and read once more without the simulator."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from node.inference.scripted import SLOPE
from node.local.programme import Kill, Programme, play
from simnet.real import programme_of, run_of
from simnet.results import Run
from tests.support.processes import Shell
from tests.support.simulated import plan_of

NODES = 5


def test_a_scenario_of_real_processes_ends_as_a_simulated_one_does(shell: Shell) -> None:
    quick = ("--set", "engine.judge_ms=20")
    ran = shell.strand("sim", "--real", "--nodes", str(NODES), "--rounds", "2", *quick, "--json")
    assert ran.code == 0, ran
    assert ran.stderr.startswith("strand: real nodes on loopback")
    assert ran.stderr.count("\n") == 1
    found = ran.json
    assert set(found) == set(Run(1, NODES).summary())
    assert (found["nodes"], found["rounds"], found["decided"], found["full_certificates"]) == (NODES, 2, 2, 2)
    assert (found["safety_violations"], found["trace_digest"]) == (0, "")
    # Real nodes draw their salts, so the pairs differ from run to run, and with them how soon no draw disagrees.
    assert 1.0 <= found["comparisons_per_node"] <= 3.0


@pytest.mark.long
async def test_the_winners_are_right_where_they_say_so_and_a_killed_node_is_back_in_the_next_round() -> None:
    plan = plan_of(nodes=NODES, rounds=3, seed=4, engine={"judge_ms": 20}, round={"patience_ms": 1_000})
    programme = msgspec.convert(programme_of(plan, SLOPE), Programme)
    first, *others = programme.turns
    victim = (first.requester + 1) % NODES
    # It is gone before the query comes, and back long after the others' patience (1 s).
    first = replace(first, kills=[Kill(victim, after_ms=0, down_ms=3_000, disk_lost=False)])
    ended: list[None] = []
    played = await play(replace(programme, turns=[first, *others]), lambda: ended.append(None))
    run = run_of(plan, played.keys, played.heard)

    assert len(ended) == len(run.rounds) == 3
    assert run.violations == []
    for number, (heard, result) in enumerate(zip(played.heard, run.rounds, strict=True)):
        assert heard.certificate is not None
        verified = verify_certificate(heard.certificate)
        assert isinstance(verified, VerifiedCertificate)
        texts = {id: content.text for id, content in verified.record.contents.items()}
        # Each says who wrote it, and to which question; option 0 is the right one.
        absent = {victim} if number == 0 else set()
        assert {text.partition(":")[0] for text in texts.values()} == {
            f"Node {node} on question {number}" for node in set(range(NODES)) - absent
        }
        winner = texts[verified.ranking.ranked[0].answer]
        assert result.verdicts.swarm == winner.endswith("\nAnswer: 0")
        assert result.verdicts.oracle == any(text.endswith("\nAnswer: 0") for text in texts.values())
        assert result.outcome == "decided"
        assert result.answered_ms is not None
        assert 0 < result.answered_ms <= sum(result.phases_ms.values())
