"""`strand sim`: flags and files to scenarios and back, and small worlds to output, reports and exit codes."""

import io
import json
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from node.cli.main import build_app, run
from node.cli.sim import SCENARIO_BYTES_MAX, Settings, _processes, judge, print_study, read_scenario, write_report
from simnet.results import NO_OUTCOME, Cell, Run, Study
from simnet.scenario import Scenario, cells, scenario_from
from simnet.study import FLAGS, repeat_command
from tests.support.home import home as home
from tests.support.processes import assert_refusal_line
from tests.support.studies import attack_study, single_study

SMALL = ["sim", "--layer", "aggregate", "--nodes", "5", "--rounds", "2"]
KEYS = {
    "seed", "nodes", "rounds", "decided", "degraded", "failed", "no_outcome", "full_certificates", "safety_violations",
    "accuracy", "ece", "comparisons_per_node", "tests_per_node", "messages", "bytes", "standing_messages",
    "standing_bytes",
    "trace_digest",
}  # fmt: skip


def told(command: str) -> Scenario:
    """The scenario that a command line asks for."""
    _, bound, *_ = build_app().parse_args(shlex.split(command)[1:])
    return read_scenario(bound.arguments.get("scenario"), bound.arguments.get("settings", Settings()))


def anonymous(scenario: Scenario) -> Scenario:
    """Without what a scenario says of itself, which changes no result."""
    return msgspec.structs.replace(scenario, name="custom", about="")


# Flags, files, and the way back.


def test_every_flag_of_its_own_is_an_option() -> None:
    assert {flag.removeprefix("--").replace("-", "_") for flag in FLAGS.values()} <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("flags", "table"),
    [
        ("", {}),
        ("--nodes 7 --rounds 3 --seed 4", {"nodes": 7, "rounds": 3, "seed": 4}),
        ("--loss .2 --latency 70", {"links": {"loss": 0.2, "latency_ms": 70}}),
        ("--byzantine lazy=.2 --byzantine sybil=.1", {"byzantine": {"lazy": 0.2, "sybil": 0.1}}),
        (
            "--partition 10-20:.3 --partition 30-40:.5 --crash .1",
            {
                "faults": {
                    "crash": 0.1,
                    "partitions": [
                        {"from_ms": 10, "until_ms": 20, "share": 0.3},
                        {"from_ms": 30, "until_ms": 40, "share": 0.5},
                    ],
                }
            },
        ),
        ("--set trust=known --set round.waves=[1,2]", {"trust": "known", "round": {"waves": [1, 2]}}),
        ("--set vary.links.loss=[0,.1]", {"vary": {"links.loss": [0, 0.1]}}),
        ("--set 'vary.\"links.loss\"=[0,.1]'", {"vary": {"links.loss": [0, 0.1]}}),
        ("--set 'vary . \"links.loss\" = [0,.1]'", {"vary": {"links.loss": [0, 0.1]}}),
        ("--set '\"links\".loss=0.1' --set byzantine.first-slot=0.1",
         {"links": {"loss": 0.1}, "byzantine": {"first-slot": 0.1}}),
        ("--layer aggregate --preset open-ended --shard-nodes 9",
         {"layer": "aggregate", "preset": "open-ended", "shard_nodes": 9}),
    ],
)  # fmt: skip
def test_flags_make_a_scenario(flags: str, table: dict[str, Any]) -> None:
    assert told(f"strand sim {flags.replace('[0,.1]', '[0,0.1]')}") == scenario_from(table)


def test_flags_override_a_file_and_fix_what_it_varies(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        "nodes = 9\nrounds = 8\n[byzantine]\nlazy = 0.1\n[links]\nloss = 0.1\n[vary]\nseed = [1, 2]\nnodes = [3, 4]"
    )
    found = told(f"strand sim --scenario {file} --rounds 2 --seed 5 --byzantine sybil=.2 --byzantine lazy=0")
    assert found == scenario_from(
        {"nodes": 9, "rounds": 2, "seed": 5, "links": {"loss": 0.1}, "byzantine": {"lazy": 0.0, "sybil": 0.2},
         "vary": {"nodes": [3, 4]}}
    )  # fmt: skip


@pytest.mark.parametrize("name", ["attack-matrix", "comparisons", "cold-start", "hostile", "loss"])
def test_the_repeating_command_of_a_study_and_of_its_worlds_makes_the_same(name: str) -> None:
    scenario = read_scenario(name, Settings())
    assert told(repeat_command(scenario)) == anonymous(scenario)
    for _, world in list(cells(scenario))[-3:]:
        assert told(repeat_command(world)) == anonymous(world)


shares = st.floats(0, 0.5)
tables = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.integers(1, 100),
        "seed": st.integers(0, 2**63),
        "trust": st.sampled_from(["equal", "known"]),
        "preset": st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(
            lambda text: not text.startswith("-")
        ),
        "byzantine": st.dictionaries(st.sampled_from(["lazy", "first-slot"]), shares, max_size=2),
        "links": st.fixed_dictionaries({}, optional={"loss": shares, "jitter_ms": st.integers(0, 9)}),
        "gossip": st.fixed_dictionaries({}, optional={"flood_publish": st.booleans()}),
        "round": st.fixed_dictionaries({}, optional={"waves": st.lists(st.integers(1, 8), min_size=1, max_size=4)}),
        "faults": st.fixed_dictionaries(
            {"partitions": st.lists(
                st.builds(lambda begins, share: {"from_ms": begins, "until_ms": begins + 1, "share": share},
                          st.integers(0, 1000), shares), max_size=2)}),
        "vary": st.fixed_dictionaries(
            {}, optional={"links.loss": st.lists(shares, min_size=1, max_size=3),
                          "round.waves": st.just([[1], [2, 3]]),
                          "byzantine": st.just([{}, {"lazy": 0.1}])}),
    },
)  # fmt: skip


@given(tables)
def test_the_repeating_command_makes_any_scenario(table: dict[str, Any]) -> None:
    scenario = scenario_from(table)
    assert told(repeat_command(scenario)) == scenario


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nodes", "0"], ["nodes"]),
        (["--loss", "2"], ["links.loss"]),
        (["--layer", "physical"], ["physical"]),
        (["--byzantine", "lazy"], ["--byzantine", "KIND=SHARE"]),
        (["--byzantine", "lazy=much"], ["--byzantine", "much"]),
        (["--byzantine", "lazy=2"], ["byzantine"]),
        (["--byzantine", "saint=.2"], ["saint", "lazy"]),
        (["--partition", "10:.2"], ["--partition", "FROM-UNTIL:SHARE"]),
        (["--partition", "a-b:.2"], ["--partition"]),
        (["--set", "nodes"], ["--set", "SETTING=VALUE"]),
        (["--set", "nodes=3", "--set", "nodes.more=3"], ["nodes.more"]),
        (["--set", "wind=3"], ["wind"]),
        (["--set", "the wind=3"], ["the wind"]),
        (["--set", '"links.loss"=.1'], ["links.loss"]),
        (["--set", 'vary."nodes=[3]'], ["nodes"]),
        (["--byzantine", "lazy.more=.2"], ["lazy.more", "lazy"]),
        (["--set", "vary.nodes=[]"], ["vary"]),
        (["--preset", "oracular"], ["oracular", "final-answer"]),
        (["--scenario", "absent"], ["absent", "attack-matrix"]),
        (["--scenario", "absent.toml"], ["absent.toml", "No such file"]),
        (["--scenario", "no-such-folder/x"], ["no-such-folder/x", "No such file"]),
        (["--jobs", "0"], ["--jobs"]),
        (["--real", "--nodes", "26"], ["--real", "nodes", "25", "26"]),
        (["--real", "--rounds", "101"], ["--real", "rounds", "100"]),
        (["--real", "--jobs", "2"], ["--jobs"]),
        (["--real", "--loss", ".1"], ["--real", "links.loss", "0.1"]),
        (["--real", "--set", "vary.links.loss=[0,0.1]"], ["--real", "links.loss"]),
        (["--real", "--layer", "aggregate"], ["--real", "layer"]),
        (["--real", "--byzantine", "lazy=.2"], ["--real", "byzantine", "lazy"]),
        (["--real", "--partition", "10-20:.2"], ["--real", "faults.partitions"]),
        (["--real", "--set", "faults.clock_skew_ms=5"], ["--real", "faults.clock_skew_ms"]),
        (["--real", "--set", "gossip.degree=3"], ["--real", "gossip.degree"]),
        (["--real", "--shard-nodes", "9"], ["--real", "shard_nodes"]),
        (["--report", "/dev/null/x"], ["--report", "/dev/null/x"]),
        (["--report", "/proc"], ["--report", "/proc"]),
        (["--set", "name=\udcff"], ["Unicode"]),
        (["--set", "round.waves=[9]"], ["refuses", "wave plan"]),
        (["--set", "vary.nodes.more=[1]"], ["nodes.more"]),
        (["--layer", "aggregate", "--loss", ".1"], ["aggregate", "links.loss"]),
        (["--set", "pairing=swiss"], ["pairing", "aggregate"]),
        (["--set", "reference=true"], ["reference", "aggregate"]),
        (["--layer", "aggregate", "--crash", ".1"], ["aggregate", "faults.crash"]),
        (["--layer", "aggregate", "--byzantine", "withholder=.2"], ["aggregate", "withholder"]),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    assert run(["sim", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nodes = ", ["is not TOML"]),
        (b"\xff", ["line 1", "is not UTF-8"]),
        (b"a = " + b"[" * 100_000, ["is not TOML"]),
        (b"#" * (SCENARIO_BYTES_MAX + 1), ["more than"]),
        (b"[links]\nlos = 1", ["los", "links"]),
        (b"[vary]\nnodes = 3", ["vary"]),
        (b"vary = 3", ["vary"]),
    ],
)
def test_a_bad_file_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, words: list[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    assert run(["sim", "--scenario", str(file)]) == 2
    assert_refusal_line(capsys.readouterr().err, "bad.toml", *words)


# Output.


def test_json_is_one_object_and_a_function_of_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    def summary(*more: str) -> dict[str, Any]:
        assert run([*SMALL, "--json", *more]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        found = json.loads(captured.out)
        assert set(found) == KEYS
        assert isinstance(found, dict)
        return found

    first = summary()
    assert (first["nodes"], first["rounds"], first["seed"]) == (5, 2, 1)
    assert first == summary()
    assert first["trace_digest"] != summary("--seed", "2")["trace_digest"]


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_progress_is_shown_to_whoever_looks_at_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """Where stdout goes, to a file or as JSON, has nothing to do with it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert run([*SMALL, *more]) == 0
    assert isinstance(sys.stderr, Terminal)
    assert "2/2" in sys.stderr.getvalue()
    assert "2/2" not in capsys.readouterr().out


def test_a_study_is_the_same_in_one_process_and_in_two(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for jobs in ("1", "2"):
        assert run([*SMALL, "--set", "vary.seed=[1,2,3]", "--jobs", jobs, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["name"] == "custom"
    assert [cell["point"] for cell in found[0]["cells"]] == [{"seed": seed} for seed in (1, 2, 3)]
    assert all(set(cell) == {"point", "learning_curve"} | KEYS for cell in found[0]["cells"])


def _run_after(seconds: int) -> Run:
    """A world that takes so long."""
    time.sleep(seconds)
    return Run(seed=1, nodes=1)


def test_who_is_interrupted_waits_for_no_world() -> None:
    with pytest.raises(KeyboardInterrupt), _processes(2, lambda _: None) as each:
        for _ in each(_run_after, [0, 100]):  # type: ignore[list-item, arg-type]
            raise KeyboardInterrupt
    assert not active_children()


def test_the_network_layer_tells_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "--nodes", "4", "--rounds", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for name in ("decided", "swarm (%)", "messages", "traffic (kB)", "median latency (s)", "safety violations"):
        assert name in captured.out


@pytest.mark.parametrize(("columns", "blocks"), [(80, True), (240, False)])
def test_a_narrow_terminal_gets_a_block_for_each_world(columns: int, blocks: bool) -> None:
    out = io.StringIO()
    print_study(attack_study(("lazy",)), Console(file=out, width=columns, force_terminal=True, color_system=None))
    rows = out.getvalue().splitlines()
    assert [row.split() for row in rows if row.startswith("share")] == (
        [["share", share] for share in ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5")] if blocks else []
    )
    assert any(row.startswith("attack share") for row in rows) is not blocks


def test_a_table_of_worlds_takes_no_orders_from_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    study = attack_study(("[red]lazy\x1b[2J",))
    print_study(Study("[bold]name", "[link=x]about", study.cells))
    out = capsys.readouterr().out
    assert "[bold]name: [link=x]about" in out
    assert out.count("[red]lazy") == 6
    assert "\x1b" not in out


def test_a_broken_rule_is_told_with_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    run_with, run_without = single_study(violations=2).cells[0].run, single_study().cells[0].run
    scenario = scenario_from({"nodes": 7, "vary": {"seed": [1, 2]}})
    assert judge(scenario, Study("", "", [Cell({"seed": 1}, run_without), Cell({"seed": 2}, run_with)])) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "strand: 2 safety violations, the first in round 0: R2: two <closings> of one slot",
        "strand: repeat it: strand sim --nodes 7 --seed 2",
    ]
    assert judge(Scenario(), single_study()) == 0


def test_a_round_without_outcome_is_told_with_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    """More than one in a hundred, and the aim is missed: the whole fails."""
    scenario = scenario_from({"nodes": 7, "vary": {"seed": [1, 2]}})

    def judged(late: int) -> int:
        whole, run = (single_study().cells[0].run for _ in range(2))
        run.rounds = [replace(each, outcome=NO_OUTCOME) if each.number < late else each for each in run.rounds]
        return judge(scenario, Study("", "", [Cell({"seed": 1}, whole), Cell({"seed": 2}, run)]))

    assert (judged(0), capsys.readouterr().err) == (0, "")
    repeat = "strand: repeat it: strand sim --nodes 7 --seed 2"
    assert judged(4) == 0
    assert capsys.readouterr().err.splitlines() == [
        "strand: 4 of 200 rounds have no outcome by their deadline, the first is round 0",
        repeat,
    ]
    assert judged(5) == 1
    assert capsys.readouterr().err.splitlines() == [
        "strand: 5 of 200 rounds have no outcome by their deadline, the first is round 0",
        repeat,
        "strand: 1.25 % of all rounds have no outcome; at most 1 % may",
    ]


def test_a_world_that_is_unsafe_and_late_is_repeated_by_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(Scenario(), single_study(violations=1, lost=0.4)) == 1
    err = capsys.readouterr().err
    assert [err.count(words) for words in ("safety violation", "no outcome by", "repeat it")] == [1, 1, 1]


def test_a_swarm_whose_requesters_stay_dead_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--nodes 4 --rounds 3 --crash 1.0 --set faults.down_ms=3600000"
    assert run(["sim", *flags.split(), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["no_outcome"] > 0
    assert f"strand: repeat it: strand sim {flags}" in captured.err


def test_a_report_is_a_page_its_pictures_and_the_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "report"
    assert run([*SMALL, "--set", "vary.nodes=[4,5]", "--set", "rounds=50", "--report", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {folder / 'index.html'}"
    assert sorted(path.name for path in folder.iterdir()) == ["accuracy-size.png", "index.html", "results.json"]
    found = json.loads((folder / "results.json").read_text())
    assert found["settings"]["vary.nodes"] == [4, 5]
    assert told(found["repeat"]) == told("strand sim --layer aggregate --nodes 5 --rounds 50 --set vary.nodes=[4,5]")
    assert [cell["nodes"] for cell in found["cells"]] == [4, 5]


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(Exception, match="cannot write the report"):
        write_report(tmp_path, Scenario(), single_study())


def test_results_are_told_before_the_report_can_fail(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    assert run([*SMALL, "--json", "--report", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rounds"] == 2
    assert_refusal_line(captured.err, "cannot write the report")


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    yield


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_only_reports_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run([*SMALL, "--report", str(tmp_path)]) == 2
    assert_refusal_line(capsys.readouterr().err, "pip install 'strand-swarm[sim]'")
    assert not list(tmp_path.iterdir())
    assert run([*SMALL, "--json"]) == 0
