"""Reads pairwise judgements from JSON lines, plain or compressed with gzip, into a `Dataset`."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from consensus.bradley_terry import COMPARISONS_MAX, ITEMS_MAX
from consensus.dataset import NO_AUTHOR, Dataset, Judgement, Question
from protocol.types import ONE

LINE_BYTES_MAX = 64 * 1024
"""bytes of a row: names only, no texts."""

ROWS_MAX = 2_000_000
"""rows of a file: about a gigabyte in memory. It bounds what a small compressed file can unfold to as well."""

NAME_LETTERS_MAX = 256
"""letters of a question's, judge's, answer's, cluster's or author's name."""

JUDGES_MAX = 1024
"""judges of a file: learning holds a matrix of judges by judges."""

AUTHORS_MAX = 1024
"""authors of a file, likewise."""

_PREFERENCES = {"first": ONE, "tie": ONE // 2, "second": 0}
_ABSTAIN = "abstain"
_GZIP = b"\x1f\x8b"


class AggregateFileError(Exception):
    """The file as a whole cannot be used: unreadable, broken compression, too long, or without a usable row."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that was left out."""

    line: int
    """From 1."""
    reason: str


class _Refused(Exception):
    """A row breaks the format; becomes a BadRow."""


@dataclass(slots=True)
class _Draft:
    """A question while its rows come in; answers by name."""

    answers: dict[str, None] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    authors: dict[str, str] = field(default_factory=dict)
    judgements: list[tuple[int, str, str, int]] = field(default_factory=list)
    truth: dict[str, bool] = field(default_factory=dict)
    labels: dict[tuple[str, str], int] = field(default_factory=dict)
    gold: bool = False
    marks: list[int] = field(default_factory=list)
    """Lines that only mark it as gold."""

    def check_room(self, *answers: str) -> None:
        if len(self.answers.keys() | set(answers)) > ITEMS_MAX:
            raise _Refused(f"the question has more than {ITEMS_MAX} answers")

    def add_answers(self, *answers: str) -> None:
        self.answers.update(dict.fromkeys(answers))


class _Reader:
    def __init__(self) -> None:
        self.drafts: dict[str, _Draft] = {}
        self.judges: dict[str, int] = {}
        self.authors: dict[str, int] = {}

    def add(self, line: bytes, number: int) -> None:
        """Take one row in, all of it or nothing. Raises _Refused."""
        row = _parse(line)
        question = _name(row, "question")
        draft = self.drafts.get(question) or _Draft()
        gold = _flag(row, "gold")
        if "truth" in row:
            _known(row, "question", "truth", "gold")
            _add_truth(draft, row["truth"])
        elif _flag(row, "label"):
            _known(row, "question", "first", "second", "outcome", "label", "gold", "judge")
            _add_label(draft, row)
        elif "answer" in row:
            _known(row, "question", "answer", "cluster", "author", "gold")
            self._add_answer(draft, row)
        elif "judge" in row:
            _known(row, "question", "judge", "first", "second", "outcome", "label", "gold")
            self._add_judgement(draft, row)
        elif gold:
            _known(row, "question", "gold")
            draft.marks.append(number)
        else:
            raise _Refused("neither a judgement (judge), a label, an answer, a truth nor a gold mark")
        draft.gold |= gold
        self.drafts[question] = draft

    def _add_answer(self, draft: _Draft, row: dict[str, Any]) -> None:
        answer = _name(row, "answer")
        said = {key: _name(row, key) for key in ("cluster", "author") if row.get(key) is not None}
        for key, known in (("cluster", draft.clusters), ("author", draft.authors)):
            if key in said and known.get(answer, said[key]) != said[key]:
                raise _Refused(f"the answer has another {key} already")
        draft.check_room(answer)
        if "author" in said:
            _number(self.authors, said["author"], AUTHORS_MAX, "authors")
            draft.authors[answer] = said["author"]
        if "cluster" in said:
            draft.clusters[answer] = said["cluster"]
        draft.add_answers(answer)

    def _add_judgement(self, draft: _Draft, row: dict[str, Any]) -> None:
        first, second, outcome = _pair(row)
        judge = _name(row, "judge")
        if len(draft.judgements) >= COMPARISONS_MAX:
            raise _Refused(f"the question has more than {COMPARISONS_MAX} judgements")
        draft.check_room(first, second)
        number = _number(self.judges, judge, JUDGES_MAX, "judges")
        draft.add_answers(first, second)
        if outcome != _ABSTAIN:
            draft.judgements.append((number, first, second, _PREFERENCES[outcome]))

    def bare_marks(self) -> list[BadRow]:
        """Gold marks that mark nothing: known only when all rows are in, for answers may come after them."""
        reason = "gold mark for a question that has no answers"
        return [BadRow(line, reason) for draft in self.drafts.values() if not draft.answers for line in draft.marks]

    def dataset(self) -> Dataset:
        """All that was taken in, without questions that have no answer."""
        drafts = {name: draft for name, draft in self.drafts.items() if draft.answers}
        return Dataset(
            questions=tuple(self._question(name, draft) for name, draft in drafts.items()),
            judges=tuple(self.judges),
            authors=tuple(self.authors),
            clustered=any(draft.clusters for draft in drafts.values()),
        )

    def _question(self, name: str, draft: _Draft) -> Question:
        answers = sorted(draft.answers)
        place = {answer: index for index, answer in enumerate(answers)}
        # An answer without a named cluster is its own.
        clusters = [(answer in draft.clusters, draft.clusters.get(answer, answer)) for answer in answers]
        numbers = {cluster: index for index, cluster in enumerate(dict.fromkeys(clusters))}
        return Question(
            name=name,
            answers=tuple(answers),
            clusters=tuple(numbers[cluster] for cluster in clusters),
            authors=tuple(
                self.authors[draft.authors[answer]] if answer in draft.authors else NO_AUTHOR for answer in answers
            ),
            judgements=tuple(
                Judgement(judge, place[first], place[second], preference)
                for judge, first, second, preference in draft.judgements
            ),
            truth={place[answer]: true for answer, true in draft.truth.items()},
            labels={(place[low], place[high]): balance for (low, high), balance in draft.labels.items()},
            gold=draft.gold,
        )


def read_dataset(path: Path) -> tuple[Dataset, list[BadRow]]:
    """All rows of a file, and those that were left out. Raises AggregateFileError."""
    reader, bad = _Reader(), []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if number > ROWS_MAX:
                    raise AggregateFileError(f"{path}: more than {ROWS_MAX} rows")
                try:
                    if line.strip():
                        reader.add(line, number)
                except _Refused as refused:
                    bad.append(BadRow(number, str(refused)))
    except (OSError, EOFError, zlib.error) as error:
        raise AggregateFileError(f"{path}: {error}") from error
    bad = sorted([*bad, *reader.bare_marks()], key=lambda row: row.line)
    dataset = reader.dataset()
    if not dataset.questions:
        first = f"; line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise AggregateFileError(f"{path}: no usable row{first}")
    return dataset, bad


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most LINE_BYTES_MAX bytes; of a longer one a beginning that is one byte too long."""
    magic = file.read(len(_GZIP))
    file.seek(0)
    stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if magic == _GZIP else file
    while line := stream.readline(LINE_BYTES_MAX + 1):
        yield line
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX + 1)


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES_MAX:
        raise _Refused(f"longer than {LINE_BYTES_MAX} bytes")
    try:
        row = json.loads(line, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise _Refused(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise _Refused("not a JSON object")
    return row


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise _Refused("a key is named twice")
    return table


def _known(row: dict[str, Any], *keys: str) -> None:
    for key in row:
        if key not in keys:
            raise _Refused(f"{key[:NAME_LETTERS_MAX]!r} does not belong into a row of this kind")


def _name(row: dict[str, Any], key: str) -> str:
    if key not in row:
        raise _Refused(f"{key} is missing")
    value = row[key]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LETTERS_MAX:
        raise _Refused(f"{key} must be a number or a text of 1 to {NAME_LETTERS_MAX} letters")
    return value


def _flag(row: dict[str, Any], key: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise _Refused(f"{key} must be true or false")
    return value


def _number(numbers: dict[str, int], name: str, most: int, what: str) -> int:
    if name not in numbers and len(numbers) >= most:
        raise _Refused(f"the file has more than {most} {what}")
    return numbers.setdefault(name, len(numbers))


def _pair(row: dict[str, Any]) -> tuple[str, str, str]:
    first, second = _name(row, "first"), _name(row, "second")
    if first == second:
        raise _Refused("an answer is compared with itself")
    outcome = row.get("outcome")
    if not isinstance(outcome, str) or outcome not in (*_PREFERENCES, _ABSTAIN):
        raise _Refused("outcome must be first, second, tie or abstain")
    return first, second, outcome


def _add_label(draft: _Draft, row: dict[str, Any]) -> None:
    first, second, outcome = _pair(row)
    draft.check_room(first, second)
    draft.add_answers(first, second)
    low, high = sorted((first, second))
    balance = {"first": 1, "second": -1}.get(outcome, 0)
    draft.labels[low, high] = draft.labels.get((low, high), 0) + (balance if first == low else -balance)


def _add_truth(draft: _Draft, truth: Any) -> None:
    if not isinstance(truth, dict) or not truth or not all(isinstance(true, bool) for true in truth.values()):
        raise _Refused("truth must map answers to true or false")
    said = {_name({"answer": answer}, "answer"): true for answer, true in truth.items()}
    if any(draft.truth.get(answer, true) != true for answer, true in said.items()):
        raise _Refused("the truth of an answer is said otherwise already")
    draft.check_room(*said)
    draft.add_answers(*said)
    draft.truth.update(said)
