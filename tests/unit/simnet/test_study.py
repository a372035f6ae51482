"""Studies: which worlds run, what tables say, and figures against plain or foreign reckoning."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from consensus.learning.scoring import calibration_error
from node.config import load_params
from simnet.preset import Preset, presets_from
from simnet.results import NO_OUTCOME, Cell, Run, Study
from simnet.scenario import Scenario, ScenarioError, scenario_from
from simnet.study import (
    NOTES,
    failing,
    largest_loss,
    late_share,
    measures,
    per_member,
    percentile,
    repeat_command,
    results,
    run_study,
    table,
    wilson,
)
from tests.support.studies import (
    attack_study,
    calibration_study,
    made_cell,
    pairing_study,
    single_study,
    size_study,
)

PARAMS = load_params("devnet")

BROKEN = single_study(violations=2).cells[0].run
"""A world that broke a rule."""


class Worlds:
    """Stands where `map` does: notes which worlds are to run, and runs none."""

    def __init__(self) -> None:
        self.asked: list[Scenario] = []

    def __call__(self, _run: Callable[[Scenario], Run], worlds: Iterable[Scenario]) -> Iterable[Run]:
        self.asked = list(worlds)
        return [Run(seed=world.seed, nodes=world.nodes, bytes=number) for number, world in enumerate(self.asked)]


def study_of(scenario: Scenario, presets: dict[str, Preset], worlds: Worlds) -> Study:
    return run_study(scenario, presets, PARAMS, each=worlds)


@pytest.fixture(scope="module")
def presets() -> dict[str, Preset]:
    return presets_from(tomllib.loads((files("configs") / "presets.toml").read_text()))


def test_equal_worlds_run_once(presets: dict[str, Preset]) -> None:
    scenario = scenario_from({"vary": {"attack": ["lazy", "inverse"], "share": [0.0, 0.2]}})
    worlds = Worlds()
    study = study_of(scenario, presets, worlds)
    assert [world.byzantine for world in worlds.asked] == [{}, {"lazy": 0.2}, {"inverse": 0.2}]
    # The number of the run stands in its bytes.
    assert [(cell.point["attack"], cell.point["share"], cell.run.bytes) for cell in study] == [
        ("lazy", 0.0, 0), ("lazy", 0.2, 1), ("inverse", 0.0, 0), ("inverse", 0.2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "words"),
    [({"preset": "oracular"}, "oracular.*final-answer"), ({"vary": {"attack": ["lazy", "x"], "share": [0.1]}}, "'x'")],
)
def test_wrong_names_are_refused_before_anything_runs(presets: dict[str, Preset], table: object, words: str) -> None:
    worlds = Worlds()
    with pytest.raises(ScenarioError, match=words):
        study_of(scenario_from(table), presets, worlds)  # type: ignore[arg-type]
    assert not worlds.asked


@given(st.integers(1, 2_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    successes, trials = counts
    found, theirs = wilson(*counts), binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert found.low <= found.value <= found.high


def test_nothing_is_known_of_no_trials() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=50), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_percentile_by_its_definition(values: list[int], share: float) -> None:
    enough = [each for each in values if sum(other <= each for other in values) >= share * len(values)]
    assert percentile(values, share) == min(enough)
    assert percentile([], share) is None


def test_costs_are_of_members_and_not_of_all_nodes() -> None:
    cell = made_cell({}, rounds=10, nodes=10_000)
    assert per_member(cell.run, 500) == 500 / (10 * 25)


def test_measures_leave_out_what_the_layer_does_not_know() -> None:
    without, whole = measures(made_cell({}, network=False).run), measures(made_cell({}).run)
    unknown = {"messages", "traffic (kB)", "offer packets", "median latency (s)", "p95 latency (s)"}
    unasked = {"judges' own rankings (%)", "win rate (%)", "record-weighted majority (%)"}
    unasked |= {"ECE of P(best)", "ECE of P(correct)", "tests", "largest behaviour cluster (%)"}
    assert {name for name, text in without.items() if not text} == unknown | unasked
    assert {name for name, text in whole.items() if not text} == unasked


def test_measures_of_calibration_and_rankings_are_said_where_they_were_asked_for() -> None:
    first = calibration_study().cells[0].run
    assert measures(first)["ECE of P(best)"] == f"{first.summary()['ece']['p_best']:.3f}"
    assert measures(pairing_study().cells[-1].run)["judges' own rankings (%)"]


def test_a_studys_calibration_error_is_that_of_all_its_rounds() -> None:
    study = calibration_study()
    together = [pair for cell in study for pair in cell.run.told("p_best")]
    assert results(study)["ece"]["p_best"] == calibration_error(together)
    twice = Study(study.name, study.about, [*study.cells, Cell({"seed": 3}, study.cells[0].run)])
    assert twice.told("p_best") == study.told("p_best")


def test_a_table_says_once_what_is_the_same_everywhere() -> None:
    study = attack_study(("lazy",))
    found = table(study)
    assert found.common["rounds"] == "200"
    assert list(found.head[:3]) == ["attack", "share", "swarm (%)"]
    assert [row[1] for row in found.rows] == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert not set(found.head) & set(found.common)
    assert "messages" not in found.head
    assert all(len(row) == len(found.head) for row in found.rows)


def test_a_single_world_has_everything_in_its_row() -> None:
    found = table(single_study())
    assert not found.common
    assert dict(zip(found.head, found.rows[0], strict=True)) == {
        name: text for name, text in measures(single_study().cells[0].run).items() if text
    }


def test_results_are_the_summaries_with_their_points() -> None:
    study = size_study()
    found = results(study)
    assert found["name"] == "size"
    assert found["ece"]["p_best"] is None
    run = study.cells[1].run
    assert found["cells"][1] == {"point": {"nodes": 100}, **run.summary(), "learning_curve": run.learning_curve()}
    assert [window["rounds"] for window in run.learning_curve()] == [10] * 20
    mean = sum(window["accuracy"]["swarm"] for window in run.learning_curve()) / 20
    assert mean == pytest.approx(run.accuracy()["swarm"])


def test_the_largest_loss_is_to_the_best_other_way() -> None:
    run = made_cell({}, 0.5, rounds=400).run
    method, loss = largest_loss(run)
    assert method == "best_single", "right in six of ten rounds, the swarm in five"
    assert loss.value == pytest.approx(run.accuracy()[method] - run.accuracy()["swarm"])
    assert loss.low < loss.value < loss.high


def test_the_notes_explain_the_column_of_losses() -> None:
    """Its sign, and whose interval stands beside it: neither can be guessed."""
    assert "loss to best other (points)" in measures(made_cell({}).run)
    said = NOTES[NOTES.index("Loss to best other (points)") :].partition("Comparisons")[0]
    for word in ("negative: the swarm wins", "≤", "95 % interval", "same questions"):
        assert word in said


def test_the_command_names_only_what_differs_from_the_defaults() -> None:
    assert repeat_command(Scenario(name="x", about="y")) == "strand sim"
    assert repeat_command(Scenario(nodes=7, seed=3)) == "strand sim --nodes 7 --seed 3"


def test_failing_worlds_are_named_with_their_own_settings_the_unsafe_ones_first() -> None:
    scenario = scenario_from({"vary": {"seed": [1, 2, 3]}})
    whole, late = (single_study(lost=lost).cells[0].run for lost in (0.0, 0.1))
    study = Study("", "", [Cell({"seed": n}, run) for n, run in ((1, late), (2, whole), (3, BROKEN))])
    assert [(world.seed, world.vary) for world, _ in failing(scenario, study)] == [(3, {}), (1, {})]


def test_a_failing_world_at_several_points_is_named_once() -> None:
    scenario = scenario_from({"vary": {"attack": ["lazy", "inverse"], "share": [0.0]}})
    points = [{"attack": attack, "share": 0.0} for attack in ("lazy", "inverse")]
    assert len(failing(scenario, Study("", "", [Cell(point, BROKEN) for point in points]))) == 1


def test_the_share_of_late_rounds_counts_each_world_once() -> None:
    late, whole = single_study(lost=0.4).cells[0].run, single_study().cells[0].run
    count = late.summary()["no_outcome"]
    assert count == len(late.late) > 0
    assert {each.outcome for each in late.late} == {NO_OUTCOME}
    study = Study("", "", [Cell({}, late), Cell({}, whole), Cell({}, late)])
    assert late_share(study) == count / 400
    assert late_share(Study("", "", [Cell({}, replace(whole, rounds=[]))])) == 0.0
