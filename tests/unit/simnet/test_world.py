"""A world follows its programme, breaks what its scenario says, and finds what came of it."""

import json
from typing import Any

from simnet.aggregate import run_aggregate
from simnet.plan import START_MS
from simnet.results import RoundResult
from simnet.scenario import scenario_from
from simnet.world import CRASH_WINDOW_MS
from tests.simulation.worlds import Watched
from tests.support.simulated import plan_of


def simulate(**settings: Any) -> Watched:
    watched = Watched(scenario_from({"nodes": 8, "rounds": 2, **settings}))
    watched.simulate()
    return watched


def test_where_nothing_goes_wrong_every_round_is_decided_by_all() -> None:
    heard: list[RoundResult] = []
    watched = Watched(scenario_from({"nodes": 8, "rounds": 3, "round": {"waves": [1, 1]}}), heard.append)
    run = watched.simulate()
    assert run.rounds == heard
    assert [result.number for result in heard] == [0, 1, 2]
    for result in heard:
        assert (result.outcome, result.full, result.members, result.answers) == ("decided", True, 8, 8)
        assert list(result.phases_ms)[:2] == ["answering", "opening"]
        assert result.answered_ms is not None
        assert result.answered_ms <= sum(result.phases_ms.values())
    assert not watched.findings
    assert json.loads(json.dumps(run.summary()))["decided"] == 3


def test_offers_are_renewed_so_that_later_rounds_find_all_members() -> None:
    # Longer than an offer is valid.
    watched = simulate(rounds=4, round={"interval_ms": 60_000})
    assert [result.members for result in watched.run.rounds] == [8] * 4


def test_each_shard_has_its_own_rounds_and_its_own_traffic() -> None:
    watched = simulate(nodes=12, shard_nodes=6, rounds=2)
    assert [(result.shard, result.members) for result in watched.run.rounds] == [(0, 6), (1, 6)]
    for query in watched.notes("QUERY"):
        asked_by = next(each.node for each in watched.notes("publish") if each.about == query.about)
        assert watched.plan.shard_of(query.node) == watched.plan.shard_of(asked_by)


def test_a_lonely_node_has_an_outcome_too() -> None:
    (result,) = simulate(nodes=1, rounds=1).run.rounds
    assert (result.outcome, result.reason, result.members) == ("degraded", "too_few_answers", 1)


def test_each_round_kills_its_number_of_members_and_spares_who_asks() -> None:
    watched = simulate(rounds=3, faults={"crashes": 2, "down_ms": 500})
    killed, started = watched.notes("killed"), watched.notes("started")
    assert len(killed) == len(started) == 6
    for number in range(3):
        asking = watched.plan.asking(number)
        during = [each for each in killed if asking.at_ms <= each.at_ms < asking.at_ms + CRASH_WINDOW_MS + 5_000]
        assert len(during) == 2
        assert asking.requester not in {each.node for each in during}
    assert {result.outcome for result in watched.run.rounds} == {"decided"}


def test_crashes_by_chance_have_their_share() -> None:
    watched = simulate(nodes=20, rounds=10, faults={"crash": 0.3})
    # Of 19 members in each of 10 rounds; whoever is down already is not killed again.
    assert 40 <= len(watched.notes("killed")) <= 75


def test_a_partition_hides_some_members_until_it_heals() -> None:
    cut = {"from_ms": 0, "until_ms": 15_000, "share": 0.25}
    watched = simulate(rounds=1, faults={"partitions": [cut]})
    (note,) = watched.notes("cut")
    assert note.node == 2, "nodes on the smaller side"
    (result,) = watched.run.rounds
    assert result.answers == 6
    assert len(watched.notes("CLOSE_COMMITS")) == 5, "one of eight nodes asks, and two are cut off"


def test_rounds_whose_members_are_all_cut_off_end_in_time() -> None:
    watched = simulate(rounds=1, faults={"partitions": [{"from_ms": 0, "until_ms": 100_000, "share": 0.9}]})
    (result,) = watched.run.rounds
    assert (result.outcome, result.answers, result.full) == ("degraded", 1, False)
    assert not watched.findings


def test_the_best_single_node_needs_no_swarm() -> None:
    late = {"nodes": 8, "rounds": 12, "round": {"answer_ms": 1_000, "interval_ms": 10_000}}
    failed, decided = simulate(**late).run, run_aggregate(plan_of(**late))
    assert {result.outcome for result in failed.rounds} == {"failed"}
    best = [result.verdicts.best_single for result in failed.rounds]
    assert best == [result.verdicts.best_single for result in decided.rounds]
    assert any(best)


def test_a_query_that_finds_its_requester_down_has_no_outcome() -> None:
    watched = Watched(scenario_from({"nodes": 8, "rounds": 1}))
    requester = watched.machines[watched.plan.asking(0).requester]
    watched.clock.at(START_MS + 4_000, requester.kill)
    (result,) = watched.simulate().rounds
    assert (result.outcome, result.answered_ms) == ("none", None)
    assert [finding.rule for finding in watched.findings] == ["liveness"]


def test_costs_are_counted() -> None:
    few, many = simulate().run, simulate(nodes=16).run
    assert 0 < few.messages < many.messages
    assert few.bytes > 128 * few.messages
    assert few.events > 0


def test_a_world_has_one_trace() -> None:
    assert simulate().run.trace_digest == simulate().run.trace_digest != simulate(seed=2).run.trace_digest
