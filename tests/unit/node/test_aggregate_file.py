"""Rows of a judgement file: what is taken in, and what is refused with which reason."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from consensus.bradley_terry import ITEMS_MAX
from consensus.dataset import NO_AUTHOR, Dataset, Judgement
from node.aggregate_file import LINE_BYTES_MAX, AggregateFileError, BadRow, read_dataset
from protocol.types import ONE

JUDGEMENT = {"question": 1, "judge": "j", "first": "b", "second": "a", "outcome": "first"}


def read(tmp_path: Path, *rows: dict[str, Any] | bytes) -> tuple[Dataset, list[BadRow]]:
    path = tmp_path / "rows.jsonl"
    lines = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return read_dataset(path)


def test_every_kind_of_row(tmp_path: Path) -> None:
    dataset, bad = read(
        tmp_path,
        JUDGEMENT,
        {**JUDGEMENT, "outcome": "tie"},
        {**JUDGEMENT, "judge": "k", "outcome": "abstain"},
        {"question": 1, "answer": "a", "cluster": "one", "author": "ann"},
        {"question": 1, "truth": {"a": True, "c": False}},
        {"question": 1, "first": "b", "second": "a", "outcome": "second", "label": True},
        {"question": "two", "answer": "x"},
        {"question": "two", "gold": True},
    )
    assert bad == []
    one, two = dataset.questions
    assert one.answers == ("a", "b", "c")
    assert one.clusters == (0, 1, 2)
    assert one.authors == (0, NO_AUTHOR, NO_AUTHOR)
    assert one.judgements == (Judgement(0, 1, 0, ONE), Judgement(0, 1, 0, ONE // 2))
    assert one.truth == {0: True, 2: False}
    assert one.labels == {(0, 1): 1}
    assert (one.gold, two.gold) == (False, True)
    assert dataset.judges == ("j", "k")
    assert dataset.authors == ("ann",)
    assert dataset.clustered


def test_compressed_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.jsonl"
    path.write_bytes(gzip.compress(json.dumps(JUDGEMENT).encode()))
    assert len(read_dataset(path)[0].questions) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"question": 1, "question": 2, "gold": true}', "named twice"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"x" * (LINE_BYTES_MAX + 1), "longer than"),
        ({"judge": "j", "first": "a", "second": "b", "outcome": "tie"}, "question is missing"),
        ({**JUDGEMENT, "outcome": "draw"}, "outcome must be"),
        ({**JUDGEMENT, "outcome": ["first"]}, "outcome must be"),
        ({**JUDGEMENT, "second": "b"}, "compared with itself"),
        ({**JUDGEMENT, "judge": None}, "judge must be"),
        ({**JUDGEMENT, "judge": True}, "judge must be"),
        ({**JUDGEMENT, "first": ""}, "first must be"),
        ({**JUDGEMENT, "first": "x" * 257}, "first must be"),
        ({**JUDGEMENT, "confidence": 1}, "'confidence' does not belong"),
        ({**JUDGEMENT, "gold": 1}, "gold must be"),
        ({"question": 1, "first": "a", "second": "b", "outcome": "first"}, "neither a judgement"),
        ({"question": 1, "truth": {"a": "yes"}}, "truth must map"),
        ({"question": 1, "truth": {}}, "truth must map"),
        ({"question": 1, "truth": {"a": False}}, "said otherwise"),
        ({"question": 1, "answer": "a", "author": "bob"}, "another author"),
        ({"question": 1, "truth": {str(n): False for n in range(ITEMS_MAX)}}, "more than 128 answers"),
    ],
)
def test_a_bad_row_is_named_and_leaves_nothing_behind(tmp_path: Path, row: dict[str, Any] | bytes, reason: str) -> None:
    before = (
        JUDGEMENT,
        {"question": 1, "answer": "a", "author": "ann"},
        {"question": 1, "truth": {"a": True}},
    )
    good, _ = read(tmp_path, *before, {**JUDGEMENT, "question": 2})
    dataset, bad = read(tmp_path, *before, row, {**JUDGEMENT, "question": 2})
    assert [each.line for each in bad] == [4]
    assert reason in bad[0].reason
    assert dataset == good


def test_a_gold_mark_is_a_bad_row_where_its_question_has_no_answers(tmp_path: Path) -> None:
    reason = "gold mark for a question that has no answers"
    mark = {"question": "q4", "gold": True}
    dataset, bad = read(tmp_path, mark, {"question": 1, "gold": True}, b"{", mark, JUDGEMENT)
    assert [(each.line, each.reason.partition(":")[0]) for each in bad] == [(1, reason), (3, "not JSON"), (4, reason)]
    assert [(question.name, question.gold) for question in dataset.questions] == [("1", True)]
    with pytest.raises(AggregateFileError, match=f"no usable row; line 1: {reason}"):
        read(tmp_path, mark)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(AggregateFileError, match="No such file"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(AggregateFileError, match="no usable row; line 1: not JSON"):
        read(tmp_path, b"nonsense")
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(json.dumps(JUDGEMENT).encode() * 100)[:-20])
    with pytest.raises(AggregateFileError):
        read_dataset(torn)
