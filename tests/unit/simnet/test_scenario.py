"""What a scenario accepts, and the worlds of a study."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from simnet.adversaries import KINDS
from simnet.preset import presets_from
from simnet.scenario import CELLS_MAX, Scenario, ScenarioError, cells, scenario_from

SHIPPED = sorted(Path(str(files("configs"))).glob("scenarios/*.toml"))


def shipped(path: Path) -> Scenario:
    return scenario_from(tomllib.loads(path.read_text()))


def test_an_empty_table_is_the_default() -> None:
    assert scenario_from({}) == Scenario()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"node": 3}, "node"),
        ({"nodes": 0}, "nodes"),
        ({"nodes": "many"}, "nodes"),
        ({"nodes": 2.5}, "nodes"),
        ({"rounds": 10**9}, "rounds"),
        ({"seed": -1}, "seed"),
        ({"layer": "physical"}, "layer"),
        ({"links": 3}, "links"),
        ({"links": {"loss": 1.5}}, "links.loss"),
        ({"links": {"loss": float("nan")}}, "links.loss"),
        ({"links": {"losses": 0.1}}, "losses"),
        ({"round": {"waves": []}}, "round.waves"),
        ({"byzantine": {"lazy": -0.1}}, "byzantine"),
        ({"byzantine": {"lazy": 0.6, "inverse": 0.5}}, "exceed 1"),
        ({"faults": {"partitions": [{"from_ms": 5, "until_ms": 5, "share": 0.3}]}}, "later"),
        ({"faults": {"partitions": [{"from_ms": 5}]}}, "until_ms"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        scenario_from(table)


def test_a_scenario_without_vary_is_one_world() -> None:
    assert list(cells(Scenario(nodes=7))) == [({}, Scenario(nodes=7))]


def test_a_study_is_the_product_of_what_varies() -> None:
    scenario = scenario_from({"nodes": 7, "vary": {"links.loss": [0, 0.1], "seed": [1, 2, 3]}})
    found = list(cells(scenario))
    assert [(point["links.loss"], point["seed"]) for point, _ in found] == [
        (loss, seed) for loss in (0, 0.1) for seed in (1, 2, 3)
    ]
    for point, world in found:
        assert (world.links.loss, world.seed, world.nodes, world.vary) == (point["links.loss"], point["seed"], 7, {})


def test_attack_and_share_add_one_kind_to_the_dishonest_nodes() -> None:
    scenario = scenario_from({"byzantine": {"lazy": 0.1}, "vary": {"attack": ["sybil"], "share": [0.0, 0.2]}})
    assert [world.byzantine for _, world in cells(scenario)] == [{"lazy": 0.1}, {"lazy": 0.1, "sybil": 0.2}]


def test_what_means_nothing_under_a_pairing_does_not_vary_there() -> None:
    vary = {
        "pairing": ["swarm", "swiss", "client"],
        "round.waves": [[2], [1, 1]],
        "round.threshold": [0.5, 1.0],
    }
    found = list(cells(scenario_from({"round": {"threshold": 0.7}, "vary": vary})))
    assert [tuple(point.values()) for point, _ in found] == [
        ("swarm", [2], None),
        ("swarm", [1, 1], 0.5),
        ("swarm", [1, 1], 1.0),
        ("swiss", [2], None),
        ("swiss", [1, 1], None),
        ("client", None, None),
    ]
    assert [world.round.threshold for _, world in found] == [0.7, 0.5, 1.0, 0.7, 0.7, 0.7]
    assert found[-1][1].round.waves is None


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({"losses": [1]}, "losses"),
        ({"links.losses": [1]}, "losses"),
        ({"nodes.more": [1]}, "nodes.more"),
        ({"faults.partitions.0.share": [1]}, "faults.partitions.0.share"),
        ({"vary": [{}]}, "vary"),
        ({"attack": ["lazy"]}, "share"),
        ({"nodes": []}, "0 worlds"),
        ({"nodes": [0]}, "nodes"),
        ({"seed": list(range(CELLS_MAX + 1))}, str(CELLS_MAX)),
    ],
)
def test_what_cannot_vary_is_refused_by_name(vary: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        list(cells(scenario_from({"vary": vary})))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_can_be_simulated(path: Path) -> None:
    scenario = shipped(path)
    assert scenario.name == path.stem
    assert scenario.about
    assert path.read_text().startswith("# "), "a comment says what it shows"
    presets = presets_from(tomllib.loads((path.parents[1] / "presets.toml").read_text()))
    for _, world in cells(scenario):
        assert world.preset in presets
        assert set(world.byzantine) <= set(KINDS)


def test_the_studies_that_the_documentation_names_are_shipped() -> None:
    names = {path.stem for path in SHIPPED}
    assert names >= {
        "attack-matrix",
        "scaling",
        "cost",
        "loss",
        "cold-start",
        "comparisons",
        "hostile",
        "methods",
        "calibration",
    }
