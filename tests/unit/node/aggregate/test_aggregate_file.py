"""Rows of a judgement file: what is taken in, and what is refused with which reason."""

import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from consensus.learning.dataset import NO_AUTHOR, Dataset, PairwiseJudgement
from node.aggregate.file import ANSWERS_MAX, AUTHORS_MAX, IGNORED_MAX, JUDGES_MAX, BadRow, Pool, read_file
from node.aggregate.records import LINE_BYTES_MAX, STDIN, AggregateFileError
from protocol.types import ONE

JUDGEMENT = {"question": 1, "judge": "j", "first": "b", "second": "a", "outcome": "first"}


def read(tmp_path: Path, *rows: dict[str, Any] | bytes) -> tuple[Dataset, list[BadRow]]:
    path = tmp_path / "rows.jsonl"
    lines = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    contents = read_file(path)
    return contents.dataset, contents.bad


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
    assert one.judgements == (PairwiseJudgement(0, 1, 0, ONE), PairwiseJudgement(0, 1, 0, ONE // 2))
    assert one.truth == {0: True, 2: False}
    assert one.labels == {(0, 1): 1}
    assert (one.gold, two.gold) == (False, True)
    assert dataset.judges == ("j", "k")
    assert dataset.authors == ("ann",)
    assert dataset.clustered


def test_compressed_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.jsonl"
    path.write_bytes(gzip.compress(json.dumps(JUDGEMENT).encode()))
    assert len(read_file(path).dataset.questions) == 1


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
        ({**JUDGEMENT, "cluster": 1}, "'cluster' does not belong"),
        ({"model_a": "a", "model_b": "b", "winner": "a"}, "winner must be model_a, model_b, tie, tie (bothbad)"),
        ({"model_a": "a", "model_b": "b"}, "winner must be"),
        ({"model_a": "a", "winner": "tie"}, "model_b is missing"),
        ({"model_a": "a", "model_b": "a", "winner": "tie"}, "compared with itself"),
        ({**JUDGEMENT, "gold": 1}, "gold must be"),
        ({"question": 1, "first": "a", "second": "b", "outcome": "first"}, "neither a judgement"),
        ({"question": 1, "truth": {"a": "yes"}}, "truth must map"),
        ({"question": 1, "truth": {}}, "truth must map"),
        ({"question": 1, "truth": {"a": False}}, "said otherwise"),
        ({"question": 1, "answer": "a", "author": "bob"}, "another author"),
        ({"question": 1, "truth": {str(n): False for n in range(ANSWERS_MAX)}}, "more than 1024 answers"),
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
        read_file(tmp_path / "absent")
    with pytest.raises(AggregateFileError, match="no usable row; line 1: not JSON"):
        read(tmp_path, b"nonsense")
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(json.dumps(JUDGEMENT).encode() * 100)[:-20])
    with pytest.raises(AggregateFileError):
        read_file(torn)


ARENA = {"model_a": "x", "model_b": "y", "winner": "model_b"}


def test_columns_that_no_form_has_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    many = {f"column-{number}": number for number in range(IGNORED_MAX + 5)}
    rows = [{**JUDGEMENT, "confidence": 1}, {**JUDGEMENT, "confidence": None}, {**ARENA, "answer": "x"}, many]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**JUDGEMENT, **many}]))
    contents = read_file(path)
    assert [(row.line, row.reason) for row in contents.bad] == [(4, "question is missing")]
    assert contents.ignored["confidence"] == 2
    assert contents.ignored["answer"] == 1
    assert len(contents.ignored) == IGNORED_MAX
    assert contents.ignored_more == 7


def test_the_arena_form(tmp_path: Path) -> None:
    rows = [
        ARENA,
        {**ARENA, "winner": "model_a", "judge": "ann", "question_id": "7", "turn": 1},
        {**ARENA, "winner": "tie", "judge": None, "question": 1},
        {**ARENA, "winner": "tie (bothbad)"},
        {**ARENA, "winner": "both_bad", "conversation_a": [{"role": "user", "content": "x" * 200_000}]},
    ]
    dataset, bad = read(tmp_path, *rows)
    assert bad == []
    assert dataset.judges == ("unnamed", "ann")
    arena, one = dataset.questions
    assert (arena.name, one.name) == ("arena", "1")
    assert arena.answers == one.answers == ("x", "y")
    tie = PairwiseJudgement(0, 0, 1, ONE // 2)
    assert arena.judgements == (PairwiseJudgement(0, 0, 1, 0), PairwiseJudgement(1, 0, 1, ONE), tie, tie)
    assert one.judgements == (tie,)


def test_csv_says_what_json_lines_say(tmp_path: Path) -> None:
    path = tmp_path / "arena.csv"
    text = (
        "\r\n"
        ",model_a, winner,model_b,judge,prompt\r\n"
        '1,"x, the first",model_a,y,ann,"two\r\nlines"\r\n'
        "\r\n"
        "2,y,tie,x,,\r\n"
        "3,y,tie\r\n"
        '4,"two\r\nlines",win,x,,\r\n'
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"5,\xff,tie,x,,\n6,y\rz,tie,x,,\n7,x,tie,y,bob,")
    contents = read_file(path)
    assert [(row.line, row.reason.partition(":")[0]) for row in contents.bad] == [
        (7, "3 cells for 6 columns"),
        (8, "winner must be model_a, model_b, tie, tie (bothbad), both_bad"),
        (10, "not UTF-8"),
        (11, "not CSV"),
    ]
    (question,) = contents.dataset.questions
    assert question.answers == ("x", "x, the first", "y")
    assert contents.dataset.judges == ("ann", "unnamed", "bob")
    assert [each.judge for each in question.judgements] == [0, 1, 2]
    assert contents.ignored == {"": 3, "prompt": 1}


def test_csv_of_our_own_form(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question,judge,first,second,outcome\n1,j,b,a,first\n1,j,b,a,abstain\n")
    dataset, _ = read(tmp_path, JUDGEMENT, {**JUDGEMENT, "outcome": "abstain"})
    assert read_file(path).dataset == dataset


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model_a,model_b,winner,winner\nx,y,tie,tie\n", "line 1: a column is named twice"),
        ('model_a,model_b,winner\nx,y,"tie\n' + "x,y,tie\n" * 200_000, "line 2: a record of more than"),
        ("model_a,model_b,winner\n", "no usable row"),
        ("model_a;model_b;winner\nx;y;tie\n", "no usable row; line 1: not JSON"),
        ("", "no usable row"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(AggregateFileError, match=reason):
        read_file(path)


@pytest.mark.parametrize("packed", [False, True])
def test_pipes_are_read(tmp_path: Path, packed: bool) -> None:
    """Their writer may send a byte at a time."""
    content = b"".join(json.dumps({**JUDGEMENT, "question": number}).encode() + b"\n" for number in range(3))
    content = gzip.compress(content) if packed else content
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for byte in content:
                file.write(bytes((byte,)))

    writer = threading.Thread(target=write)
    writer.start()
    contents = read_file(pipe)
    writer.join()
    assert len(contents.dataset.questions) == 3


def test_a_hyphen_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(JUDGEMENT).encode())))
    assert len(read_file(STDIN).dataset.questions) == 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    with pytest.raises(AggregateFileError, match="standard input: no usable row"):
        read_file(STDIN)


def test_judges_beyond_the_weights_share_one(tmp_path: Path) -> None:
    once = [{**JUDGEMENT, "judge": number} for number in range(JUDGES_MAX)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in once))
    within = read_file(path)
    assert within.judges is None and within.dataset.weight_of == ()
    path.write_text("".join(json.dumps(row) + "\n" for row in [*once, *once[:10], {**JUDGEMENT, "judge": "late"}]))
    beyond = read_file(path)
    assert beyond.bad == []
    assert beyond.judges == Pool(count=JUDGES_MAX - 9, rows_max=1)
    assert beyond.dataset.weight_of == (*range(10), *(10,) * (JUDGES_MAX - 9))
    assert len(beyond.dataset.questions[0].judgements) == JUDGES_MAX + 11


def test_authors_beyond_the_records_have_none(tmp_path: Path) -> None:
    rows = [{"question": 1, "answer": number % 9, "author": number % 9} for number in range(9)]
    rows += [{"question": number // 2, "answer": number, "author": number} for number in range(100, 100 + AUTHORS_MAX)]
    rows += [{"question": 2, "answer": number, "author": number} for number in range(5)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    contents = read_file(path)
    assert contents.bad == []
    assert contents.authors == Pool(count=AUTHORS_MAX + 4, rows_max=1)
    assert contents.dataset.authors == ("0", "1", "2", "3", "4")
    assert contents.dataset.questions[0].authors == (0, 1, 2, 3, 4, *(NO_AUTHOR,) * 4)
