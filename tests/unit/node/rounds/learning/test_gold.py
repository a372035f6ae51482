"""A gold file: what is taken, what is refused by its line, and which answers it calls right."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from node.config import ConfigError
from node.gold.grading import AnswerGrader
from node.gold.ports import ProgramFindings
from node.rounds.learning import gold_book as gold
from node.rounds.learning.gold_book import (
    EARLIER_BYTES_MAX,
    EARLIER_MAX,
    GoldBook,
    GoldFileError,
    GoldQuestion,
    load_gold,
)
from protocol.conversation import digest_of, single
from protocol.limits import TESTS_BYTES_MAX
from protocol.messages import Turn
from protocol.types import TaskType, TurnRole
from tests.support.program_testers import ENDLESS, TableProgramTester
from tests.support.program_testers import RIGHT as RIGHT_PROGRAM
from tests.support.program_testers import WRONG as WRONG_PROGRAM
from tests.support.swarm import answer_text
from tests.support.updates import told

GOOD = b'{"query": "Six times seven?", "right": ["42"]}'


def written(folder: Path, *lines: bytes) -> Path:
    file = folder / "gold.jsonl"
    file.write_bytes(b"\n".join(lines))
    return file


def test_a_file_of_questions(tmp_path: Path) -> None:
    other = '{"query": "Größe?", "task": "open", "right": ["a  b", "c"]}'.encode()
    book = load_gold(written(tmp_path, GOOD, b"", b"  ", other, b""))
    assert book.questions == (
        GoldQuestion(single("Six times seven?"), ("42",), TaskType.FINAL),
        GoldQuestion(single("Größe?"), ("a  b", "c"), TaskType.OPEN),
    )


def test_a_code_question_may_have_tests(tmp_path: Path) -> None:
    line = {"query": "Write f.", "task": "code", "right": ["fn f() {}"], "tests": "mod tests {}"}
    (question,) = load_gold(written(tmp_path, json.dumps(line).encode())).questions
    assert question == GoldQuestion(single("Write f."), ("fn f() {}",), TaskType.CODE, "mod tests {}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "malformed|truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'{"query": "x"}', "right"),
        (b'{"right": ["1"]}', "query"),
        (b'{"query": "", "right": ["1"]}', "query"),
        (b'{"query": " \\n", "right": ["1"]}', "the query is empty"),
        (b'{"query": 7, "right": ["1"]}', "query"),
        (b'{"query": "x", "right": "1"}', "right"),
        (b'{"query": "x", "right": []}', "right"),
        (b'{"query": "x", "right": [""]}', "right"),
        (b'{"query": "x", "right": [7]}', "right"),
        (b'{"query": "x", "right": ["1"], "task": "poem"}', "task"),
        (b'{"query": "x", "right": ["1"], "wrong": ["2"]}', "wrong"),
        (b'{"query": "x", "right": ["1", " "]}', "no canonical form"),
        (b'{"query": "x", "task": "code", "right": ["// nothing"]}', "no canonical form"),
        (b'{"query": "' + b"x" * 65_537 + b'", "right": ["1"]}', "query"),
        (b'{"query": "x", "right": [' + b",".join([b'"1"'] * 65) + b"]}", "right"),
        (b'{"query": ' + b"[" * 100_000, "query"),
        (GOOD, "stands above already"),
        (b'{"query": "x", "right": ["1"], "tests": "mod tests {}"}', "only questions of the task code have tests"),
        (b'{"query": "x", "task": "code", "right": ["f"], "tests": ""}', "tests"),
        (b'{"query": "x", "task": "code", "tests": "mod tests {}"}', "right"),
        (
            b'{"query": "x", "task": "code", "right": ["f"], "tests": "' + b"x" * (TESTS_BYTES_MAX + 1) + b'"}',
            f"more than {TESTS_BYTES_MAX} bytes",
        ),
        (b'{"turns": [{"role": "user", "text": "Six times seven?"}], "right": ["42"]}', "stands above already"),
        (b'{"query": "x", "turns": [{"role": "user", "text": "x"}], "right": ["1"]}', "one of query and turns"),
        (b'{"turns": [], "right": ["1"]}', "turns"),
        (b'{"turns": [{"role": "judge", "text": "x"}], "right": ["1"]}', "role"),
        (
            b'{"turns": [{"role": "user", "text": "x"}, {"role": "user", "text": " "}], "right": ["1"]}',
            "empty in a turn",
        ),
        (b'{"turns": [{"role": "assistant", "text": "x"}], "right": ["1"]}', "the last turn must be the user's"),
        (b'{"turns": [' + b",".join([b'{"role": "user", "text": "x"}'] * 33) + b'], "right": ["1"]}', "turns"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    file = written(tmp_path, GOOD, b"", line)
    with pytest.raises(GoldFileError, match=words) as refused:
        load_gold(file)
    assert str(refused.value).startswith(f"{file}, line 3: ")
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, ConfigError)


def test_one_question_has_one_task(tmp_path: Path) -> None:
    """A file that asks the same twice would hold two truths of it."""
    again = b'{"query": "Six times seven?", "task": "open", "right": ["forty-two"]}'
    with pytest.raises(GoldFileError, match=r"line 2.*above already"):
        load_gold(written(tmp_path, GOOD, again))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for file, words in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(GoldFileError, match=f"cannot read {file}: {words}"):
            load_gold(file)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, GOOD)
    monkeypatch.setattr(gold, "FILE_BYTES_MAX", len(GOOD))
    assert len(load_gold(file).questions) == 1
    monkeypatch.setattr(gold, "FILE_BYTES_MAX", len(GOOD) - 1)
    with pytest.raises(GoldFileError, match=f"has more than {len(GOOD) - 1} bytes"):
        load_gold(file)


ROUND = {"a": "A", "b": "B", "c": "A", "d": "C"}
RIGHT = "Some words.\n\n" + answer_text("A").replace("{ ", "{\n\n  /* as good */ ")
"""The answer A, written otherwise."""


async def test_answers_are_compared_in_canonical_form() -> None:
    round_ = told(ROUND)
    book = GoldBook((GoldQuestion(single("Which?"), (RIGHT, answer_text("Z")), TaskType.CODE),))
    assert await book.truth(round_.record) == {id: letter == "A" for id, letter in round_.letters.items()}
    assert sorted(round_.letters.values()) == list("AABC")


async def test_several_answers_can_be_right() -> None:
    round_ = told(ROUND)
    book = GoldBook((GoldQuestion(single("Which?"), (answer_text("B"), answer_text("C")), TaskType.CODE),))
    assert await book.truth(round_.record) == {id: letter in "BC" for id, letter in round_.letters.items()}


async def test_a_private_query_can_be_gold() -> None:
    """Its text stands nowhere in the round; its digest does."""
    round_ = told(ROUND, turns=(), content_digest=digest_of(single("Which?")))
    assert round_.record.query.turns == ()
    truth = await GoldBook((GoldQuestion(single("Which?"), (answer_text("A"),), TaskType.CODE),)).truth(round_.record)
    assert truth == {id: letter == "A" for id, letter in round_.letters.items()}


async def test_what_is_not_gold_has_no_truth() -> None:
    """Another question, and the same one asked as another task."""
    record = told(ROUND).record
    assert await GoldBook().truth(record) is None
    assert await GoldBook((GoldQuestion(single("Which ?"), (answer_text("A"),), TaskType.CODE),)).truth(record) is None
    assert await GoldBook((GoldQuestion(single("Which?"), (answer_text("A"),), TaskType.OPEN),)).truth(record) is None


# -- conversations -----------------------------------------------------------------------------------------------------

USER, ASSISTANT, SYSTEM = TurnRole.USER, TurnRole.ASSISTANT, TurnRole.SYSTEM
FOLLOW_UP = (USER, ASSISTANT, USER)


def asks(text: str, *right: str) -> GoldQuestion:
    return GoldQuestion(single(text), right, TaskType.CODE)


def test_a_line_may_hold_a_conversation(tmp_path: Path) -> None:
    turns = [("system", "Be brief."), ("user", "A number?"), ("assistant", "7"), ("user", "Times six?")]
    line = {"turns": [{"role": role, "text": text} for role, text in turns], "right": ["42"]}
    (question,) = load_gold(written(tmp_path, json.dumps(line).encode())).questions
    assert [(turn.role, turn.text) for turn in question.turns] == turns
    assert question.roles == (SYSTEM, USER, ASSISTANT, USER)


def test_gold_looks_like_a_users_conversation() -> None:
    alone, follows = (
        asks("One?", "1"),
        GoldQuestion((*single("A?"), Turn(role=ASSISTANT, text="b"), *single("C?")), ("1",)),
    )
    longer = replace(follows, turns=(*follows.turns[:2], *follows.turns))
    book, random = GoldBook((alone, follows, longer)), Random(1)
    for roles, chosen in (
        ((USER,), {alone}),
        (FOLLOW_UP, {follows}),
        ((USER, ASSISTANT) * 2 + (USER,), {longer}),
        ((SYSTEM, USER), {follows, longer}),
    ):
        assert {book.choose(roles, random) for _ in range(50)} == chosen


@pytest.mark.parametrize("answered", [1, 2, 9])
def test_a_book_without_follow_ups_builds_one(answered: int) -> None:
    questions = [asks(f"Question {number}?", "x", f"fn right() {{ {number} }}") for number in range(8)]
    built = GoldBook(tuple(questions)).choose((USER, ASSISTANT) * answered + (USER,), Random(2))
    assert built is not None
    assert built.roles == (USER, ASSISTANT) * min(answered, EARLIER_MAX) + (USER,)
    (asked,) = [each for each in questions if each.turns == built.turns[-1:]]
    assert (built.right, built.task) == (asked.right, asked.task)
    texts = [turn.text for turn in built.turns]
    assert len(set(texts)) == len(texts), "no question twice"
    for question, answer in zip(built.turns[:-1:2], built.turns[1::2], strict=True):
        (other,) = [each for each in questions if each.turns == (question,)]
        assert answer.text == other.right[1], "the fullest of its right answers"


async def test_the_truth_of_a_follow_up_that_was_built_is_known() -> None:
    book = GoldBook((asks("Which?", answer_text("A")), asks("Other?", answer_text("A"))))
    built = book.choose(FOLLOW_UP, Random(3))
    assert built is not None
    record = told(ROUND, turns=built.turns, content_digest=digest_of(built.turns)).record
    truth = await book.truth(record)
    assert truth is not None and set(truth.values()) == {True, False}
    assert await GoldBook(book.questions).truth(record) is None, "another book has never built it"


def test_without_anything_short_enough_the_question_is_asked_alone() -> None:
    lone, long = asks("Which?", "1"), asks("x" * EARLIER_BYTES_MAX, "1")
    assert GoldBook((lone,)).choose(FOLLOW_UP, Random(4)) == lone
    assert {len(GoldBook((lone, long)).choose(FOLLOW_UP, Random(seed)).turns) for seed in range(20)} == {1, 3}


# -- graded by tests ---------------------------------------------------------------------------------------------------

GRADED = {"A": RIGHT_PROGRAM, "B": WRONG_PROGRAM, "C": ENDLESS}
TESTED = GoldQuestion(single("Which?"), (answer_text("Z"),), TaskType.CODE, "mod tests {}")


def table_tester(**tells: ProgramFindings) -> TableProgramTester:
    """Says of each letter's answer what the table says; the right program is Z."""
    texts = {answer_text(letter): each for letter, each in {**GRADED, "Z": RIGHT_PROGRAM, **tells}.items()}
    return TableProgramTester(lambda text: texts[text])


async def test_tests_grade_what_no_right_text_equals() -> None:
    round_, table = told(ROUND), table_tester()
    truth = await GoldBook((TESTED,)).truth(round_.record, AnswerGrader(table))
    assert truth == {id: letter == "A" for id, letter in round_.letters.items()}
    assert [len(programs) for _, programs in table.asked] == [4, 2], "equal texts once, and what does not end again"


async def test_what_equals_a_right_text_is_not_tested() -> None:
    round_, table = told(dict.fromkeys("abc", "Z")), table_tester()
    truth = await GoldBook((TESTED,)).truth(round_.record, AnswerGrader(table))
    assert truth is not None and set(truth.values()) == {True}
    assert [programs for _, programs in table.asked] == []


@pytest.mark.parametrize("grader", [None, AnswerGrader(table_tester(Z=WRONG_PROGRAM))])
async def test_a_round_that_cannot_be_graded_is_not_gold(grader: AnswerGrader | None) -> None:
    assert await GoldBook((TESTED,)).truth(told(ROUND).record, grader) is None


def test_where_nothing_can_be_tested_other_questions_are_asked() -> None:
    other, random = asks("Other?", "1"), Random(5)
    book = GoldBook((TESTED, other))
    assert {book.choose((USER,), random, can_test=False) for _ in range(20)} == {other}
    assert {book.choose((USER,), random) for _ in range(20)} == {TESTED, other}
    assert GoldBook((TESTED,)).choose((USER,), random, can_test=False) is None
    assert GoldBook((TESTED,)).choose(FOLLOW_UP, random, can_test=False) is None
