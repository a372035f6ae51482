"""Rounds that test answers: whoever dies, lies or has no toolchain, no rule breaks, and both layers rank alike."""

from collections.abc import Mapping
from typing import Any

import pytest

from consensus.certificates.record import bodies
from protocol.messages import Report
from simnet.adversaries import TESTERS
from simnet.aggregate import run_aggregate
from simnet.results import Run
from simnet.scenario import scenario_from
from simnet.world import run_world
from tests.simulation.worlds import Watched, simulate
from tests.support.simulated import plan_of

WORLDS: dict[str, dict[str, Any]] = {
    "everybody can test": {},
    "some cannot, and some have another version": {"findings": {"toolchains": 0.8, "other_versions": 0.3}},
    "nobody can": {"findings": {"toolchains": 0.0}},
    "liars": {"byzantine": {"report-liar": 0.3, "report-contradictor": 0.1}},
    "colluders": {"byzantine": {"collude-program": 0.3}},
    "slow testers": {"engine": {"test_ms": 2_500}},
}

RESTARTS: Mapping[str, Any] = {
    "faults": {"crashes": 4, "down_ms": 500, "disk_lost": 0.2},
    "links": {"loss": 0.1, "duplicate": 0.1, "reorder": 0.1},
}


def world(seed: int = 1, **settings: Any) -> Watched:
    table = {"preset": "code-testable", "nodes": 10, "rounds": 2, "seed": seed}
    return simulate(scenario_from({**table, **settings}))


def stages(watched: Watched) -> set[int]:
    """The stages of which reports are counted."""
    return {report.stage for each in watched.certificates for report in bodies(each.record.reports, Report)}


@pytest.mark.parametrize("settings", WORLDS.values(), ids=WORLDS)
def test_no_rule_breaks_where_nodes_die_while_answers_are_tested(settings: dict[str, Any]) -> None:
    for seed in range(2):
        watched = world(seed, **RESTARTS, **settings)
        assert not watched.findings, watched.complaint


def of_testing(watched: Watched) -> float:
    rounds = watched.run.rounds
    return sum(each.tests for each in rounds) / sum(each.answers for each in rounds)


def test_disputes_go_to_further_testers() -> None:
    """Where all are honest, only tests that bring no information are repeated by others."""
    assert 3.0 <= of_testing(world()) < 3.5
    lied_about = world(**WORLDS["liars"])
    assert stages(lied_about) == {0, 1}
    assert 4.0 < of_testing(lied_about) <= 7.0
    assert stages(world(**WORLDS["nobody can"])) == set()


def test_a_round_does_not_wait_for_testers_that_are_too_slow() -> None:
    """They decline, and the round goes on with what there is."""
    watched = world(**WORLDS["slow testers"], round={"test_ms": 3_000})
    assert not watched.findings, watched.complaint
    assert len(watched.certificates) == 2
    assert all(each.record.declines for each in watched.certificates)


@pytest.mark.parametrize("name", ["everybody can test", "some cannot, and some have another version", "liars"])
def test_both_layers_rank_alike(name: str) -> None:
    settings = {"preset": "code-testable", "nodes": 9, "rounds": 3, "engine": {"spread": 0.1}, **WORLDS[name]}
    without = {key: value for key, value in settings.items() if key != "engine"}
    with_network = run_world(plan_of(**settings, layer="network"))
    rounds = run_aggregate(plan_of(**without)).rounds
    assert [each.ranking for each in with_network.rounds] == [each.ranking for each in rounds]
    assert [each.tests for each in with_network.rounds] == [each.tests for each in rounds]


# -- what it is worth ----------------------------------------------------------------------------------------------


def accuracy(**settings: Any) -> tuple[Run, Run]:
    """The same swarm with findings and without."""
    table = {"preset": "code-testable", "nodes": 9, "rounds": 60, "seed": 5, **settings}
    return run_aggregate(plan_of(**table)), run_aggregate(plan_of(**{**table, "findings": {"kinds": []}}))


def test_testing_finds_more_right_answers_with_fewer_comparisons() -> None:
    """By eight points with 300 rounds."""
    tested, judged = accuracy()
    assert tested.accuracy()["swarm"] > judged.accuracy()["swarm"] + 0.02
    assert tested.summary()["comparisons_per_node"] < judged.summary()["comparisons_per_node"] / 2
    assert judged.summary()["tests_per_node"] == 0.0 and "behaviour_majority" not in judged.accuracy()


@pytest.mark.parametrize("kind", [kind.KIND for kind in TESTERS])
def test_every_liar_leaves_its_mark(kind: str) -> None:
    """Or nothing would be shown by worlds with it."""
    peaceful, attacked = (
        run_aggregate(plan_of(preset="code-testable", nodes=9, rounds=6, byzantine=byzantine))
        for byzantine in ({}, {kind: 0.34})
    )
    assert [each.ranking for each in peaceful.rounds] != [each.ranking for each in attacked.rounds]


# -- futility ------------------------------------------------------------------------------------------------------


def favourites(watched: Watched) -> int:
    """Full certificates in which the asker's own answer, or an equal one, wins."""
    won = 0
    for each in watched.certificates:
        asker = each.record.query.author
        authors = [answer.author for answer in each.record.answers]
        best = authors.index(each.ranking.ranked[0].author)
        own = authors.index(asker) if asker in authors else None
        won += each.full and own is not None and each.record.clusters[own] == each.record.clusters[best]
    return won


def test_who_stops_while_its_favourite_leads_gains_nothing_by_futility() -> None:
    table = {"nodes": 8, "rounds": 8, "round": {"futility": 0.2}}
    honest = simulate(scenario_from(table))
    stopping = simulate(scenario_from({**table, "byzantine": {"favourite-stopper": 1.0}}))
    assert not honest.findings and not stopping.findings, stopping.complaint
    assert favourites(stopping) <= favourites(honest)
