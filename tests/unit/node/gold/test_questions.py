"""Gold files made of the corpus: whole, without repetitions, and read by the node that made them."""

import json
from pathlib import Path
from random import Random

import pytest

from node.cli.main import run
from node.gold.corpus import corpus
from node.gold.questions import QUESTIONS_MAX, gold_lines
from node.rounds.learning.gold_book import FILE_BYTES_MAX, load_gold
from protocol.types import TaskType


def test_each_task_comes_once_before_any_comes_again() -> None:
    lines = list(gold_lines(len(corpus()), Random(1)))
    assert len(set(lines)) == len(corpus())
    tests = {json.loads(line)["tests"].count("#[test]") for line in lines}
    assert min(tests) >= 3
    assert lines == list(gold_lines(len(corpus()), Random(1))) != list(gold_lines(len(corpus()), Random(2)))


def test_many_questions_are_all_different() -> None:
    prompts = [json.loads(line)["query"] for line in gold_lines(300, Random(1))]
    assert len(set(prompts)) == 300


def test_the_largest_file_can_be_read() -> None:
    longest = max(len(line) for line in gold_lines(len(corpus()), Random(1)))
    assert QUESTIONS_MAX * longest < FILE_BYTES_MAX


def test_the_command_writes_a_file_that_the_node_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gold.jsonl"
    assert run(["gold", "make", str(file), "--seed", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(file), "questions": len(corpus()), "seed": 7}
    questions = load_gold(file).questions
    assert len(questions) == len(corpus())
    assert all(
        each.task is TaskType.CODE and each.tests and each.right[0].startswith("```rust\n") for each in questions
    )
    assert file.stat().st_mode & 0o077 == 0, "it is private"


@pytest.mark.parametrize("count", ["0", "-1", str(QUESTIONS_MAX + 1)])
def test_a_number_out_of_range_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: str) -> None:
    assert run(["gold", "make", str(tmp_path / "gold.jsonl"), "--count", count]) == 2
    assert capsys.readouterr().err == "strand: --count takes 1 to 2,000\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_seed_each_file_is_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(["gold", "make", str(tmp_path / name), "--count", "5"]) == 0
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
