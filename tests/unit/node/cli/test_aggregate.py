"""`strand aggregate`: parts, report, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run

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
    assert report(capsys, file).keys() == {"questions", "learned", "bad_rows"}


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
