"""`strand aggregate`: parts, report, exit codes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from node.aggregate.file import JUDGES_MAX
from node.cli.main import run
from tests.support.frozen_judgements import frozen_rows

RIGHT, WRONG = "right", "\x1b[31mwrong"


def rows(questions: int) -> list[dict[str, Any]]:
    """One judge that is always right and one that is always wrong; truth of all."""
    table: list[dict[str, Any]] = []
    for question in range(questions):
        table += [
            {"question": question, "judge": "good", "first": RIGHT, "second": WRONG, "outcome": "first"},
            {"question": question, "judge": "bad", "first": WRONG, "second": RIGHT, "outcome": "first"},
            {"question": question, "truth": {RIGHT: True, WRONG: False}},
        ]
    return table


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(30)))
    return path


def report(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert run(["aggregate", *map(str, arguments), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_gold_is_learned_from_and_not_scored(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, file, "--gold", 10, "--score")
    assert sum(question["gold"] for question in found["questions"]) == 10
    assert found["scored"] == {"questions": 20, "pairs": 0}
    assert found["accuracy"]["swarm"] == 1.0
    assert found["accuracy"]["judge_majority"] == 0.5
    assert found["accuracy"]["majority"] is None and found["accuracy"]["best_single"] is None
    assert found["intervals"]["accuracy"]["swarm"] == [1.0, 1.0]
    assert found["pair_accuracy"] is None
    (learned,) = found["learned"]
    assert learned["judges"]["good"] > 0 > learned["judges"]["bad"]
    one = found["questions"][0]
    assert one["pick"] == one["ranking"][0]["answer"] == RIGHT
    assert one["p_correct"] > one["p_best"] > 0.5


def test_folds_rank_every_question_once_with_weights_that_never_saw_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(capsys, file, "--folds", 3, "--score")
    assert [each["gold"] for each in found["learned"]] == [20, 20, 20]
    assert [question["question"] for question in found["questions"]] == [str(number) for number in range(30)]
    assert found["scored"]["questions"] == 30


def test_questions_marked_as_gold(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as lines:
        lines.writelines(json.dumps({"question": number, "gold": True}) + "\n" for number in range(12))
    found = report(capsys, file, "--score")
    assert [question["gold"] for question in found["questions"]] == [True] * 12 + [False] * 18
    assert found["scored"]["questions"] == 18


def test_the_same_seed_chooses_the_same_gold(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again, other = (report(capsys, file, "--gold", 10, "--seed", seed) for seed in (1, 1, 2))
    assert first == again
    assert [each["gold"] for each in first["questions"]] != [each["gold"] for each in other["questions"]]


def test_without_score_nothing_is_said_of_truth(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(capsys, file).keys() == {"questions", "learned", "bad_rows", "ignored_columns", "pooled"}


def test_bad_rows_are_named_and_the_rest_is_used(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as lines:
        lines.write("nonsense\n")
    found = report(capsys, file, code=1)
    assert [row["line"] for row in found["bad_rows"]] == [91]
    assert run(["aggregate", str(file)]) == 1
    shown = capsys.readouterr()
    assert "line 91: not JSON" in shown.err
    assert "29: " in shown.out


def test_the_terminal_shows_names_as_text(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aggregate", str(file), "--gold", "10", "--score"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "judge_majority" in shown and "P(correct)" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--gold", "5", "--folds", "2"], 2, "exclude"),
        (["--gold", "31"], 1, "only 30 questions"),
        (["--folds", "31"], 1, "only 30 questions"),
        (["--gold", "0"], 2, ""),
        (["--folds", "1"], 2, ""),
        (["--fold", "2"], 2, "--fold"),
    ],
)
def test_what_cannot_be_done(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert run(["aggregate", str(file), *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aggregate", str(tmp_path / "absent")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_mistyped_option_is_not_taken_for_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aggregate", "-x"]) == 2
    assert "unknown option -x" in capsys.readouterr().err


def written(path: Path, table: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in table))
    return path


def test_a_file_within_the_limits_of_a_round_keeps_its_digits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frozen at 044b2f0, before files had limits of their own."""
    path = written(tmp_path / "rows.jsonl", frozen_rows())
    found = report(capsys, path, "--score")
    assert list(found["learned"][0]["judges"].values()) == [92542, 81080, 138064, 101462, 10672, 4420, 30512]
    first = found["questions"][0]["ranking"]
    assert [each["answer"] for each in first] == [f"answer-{number}" for number in (2, 1, 0, 3, 4)]
    assert [each["strength"] for each in first] == [0.963269, 0.213561, -0.324994, -0.134141, -0.654924]
    assert [each["p_best"] for each in first] == [0.8125, 0.1015625, 0.1015625, 0.06640625, 0.01953125]
    assert found["calibration_error"] == 0.23193359375
    assert found["accuracy"]["swarm"] == 0.5 and found["accuracy"]["judge_majority"] == 0.6875
    assert found["ignored_columns"] == {} and found["pooled"] == {"judges": None, "authors": None}


def test_nor_does_what_is_learned_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NumPy's linear algebra may differ in a last bit between machines."""
    path = written(tmp_path / "rows.jsonl", frozen_rows())
    (learned,) = report(capsys, path, "--gold", 5, "--seed", 2)["learned"]
    judges, authors = learned["judges"].values(), learned["authors"].values()
    assert list(judges) == pytest.approx([79728, 57726, 194098, 104760, 4624, 4301, 13514], abs=2)
    assert list(authors) == pytest.approx([-4454, 560, 4063, 6828, -6997], abs=2)
    assert (learned["history"], learned["beta"]) == pytest.approx((55852, 41624), abs=2)
    assert learned["calibration"] == pytest.approx([-37836, 100275, 0], abs=2)


def test_the_likeliest_best_is_shown_where_it_is_not_the_strongest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hub beats 20 of 30 rivals, whom nobody compares with each other: any of the ten may be far above it."""
    rivals = [f"rival-{number}" for number in range(30)]
    table = [
        {"question": "q", "judge": "j", "first": "hub", "second": rival, "outcome": "first" if place < 20 else "second"}
        for place, rival in enumerate(rivals)
    ]
    path = written(tmp_path / "rows.jsonl", table)
    (question,) = report(capsys, path)["questions"]
    assert question["pick"] == "hub"
    likeliest = question["likeliest"]
    assert likeliest["answer"] in rivals[20:]
    assert likeliest["p_best"] > question["p_best"] + 0.05
    assert likeliest["spread"] > 1.5 * likeliest["spread_of_pick"]
    assert (likeliest["judgements"], likeliest["judgements_of_pick"]) == (1, 30)
    assert run(["aggregate", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"likeliest best: {likeliest['answer']}" in shown and "less is known of it" in shown


def test_what_was_pooled_and_what_was_ignored_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rare = [{"model_a": "x", "model_b": "y", "winner": "tie", "judge": number} for number in range(JUDGES_MAX)]
    often = {"model_a": "x", "model_b": "z", "winner": "model_b", "judge": "often", "tstamp\x1b": 1}
    path = written(tmp_path / "rows.jsonl", [*rare, often, often])
    found = report(capsys, path)
    assert found["pooled"] == {"judges": {"count": JUDGES_MAX, "rows_max": 1}, "authors": None}
    assert found["ignored_columns"] == {"tstamp\x1b": 2}
    weights = found["learned"][0]["judges"]
    assert len(weights) == JUDGES_MAX + 1
    assert len({weights[str(number)] for number in range(JUDGES_MAX)}) == 1
    assert run(["aggregate", str(path)]) == 0
    told = capsys.readouterr().err
    assert f"{JUDGES_MAX} judges with at most 1 rows each share one weight" in told
    assert "ignored columns: 'tstamp" in told and "\x1b" not in told


def test_the_help_names_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aggregate", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for word in ("judge", "first", "outcome", "abstain", "author", "cluster", "truth", "label", "gold"):
        assert word in shown
    assert "tie (bothbad)" in shown and "model_a,model_b,winner" in shown and "question,judge,first" in shown
