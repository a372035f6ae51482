"""Reads pairwise judgements, rows of our own form or of the usual arena form, into a `Dataset`."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consensus.learning.dataset import NO_AUTHOR, Dataset, JudgedQuestion, PairwiseJudgement, few, pooled
from consensus.ranking.bradley_terry import LOCAL
from node.aggregate.records import STDIN, AggregateFileError, Record, RefusedRecord, records
from protocol.types import ONE

ROWS_MAX = LOCAL.comparisons
"""Rows of a file: about a gigabyte in memory. It also bounds the unpacked size of a small compressed file."""

ANSWERS_MAX = LOCAL.items
"""Answers of a question: the fit's time grows with the cube."""

NAME_LETTERS_MAX = 256
"""Letters of a question's, judge's, answer's, cluster's or author's name."""

JUDGES_MAX = 1024
"""Weights of judges: learning holds a square matrix of them. Of more judges, those with few rows share one."""

AUTHORS_MAX = 1024
"""Authors with a history, likewise. Of more, those with few answers have none."""

IGNORED_MAX = 100
"""Unknown columns whose rows are counted one by one."""

ARENA_QUESTION = "arena"
"""The question of rows of the arena form that name none: its answers are the models."""

ARENA_JUDGE = "unnamed"
"""The judge of rows of the arena form that name none."""

_PREFERENCES = {"first": ONE, "tie": ONE // 2, "second": 0}
_ABSTAIN = "abstain"
_WINNERS = {"model_a": "first", "model_b": "second", "tie": "tie", "tie (bothbad)": "tie", "both_bad": "tie"}

_ARENA_COLUMNS = frozenset({"question", "judge", "model_a", "model_b", "winner"})
_COLUMNS = frozenset(
    {"question", "judge", "first", "second", "outcome", "label", "gold", "truth", "answer", "cluster", "author"}
)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that was left out."""

    line: int
    """Line number, from 1."""
    reason: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Judges or authors without individual weights, because there are too many."""

    count: int
    rows_max: int
    """The most rows (an author: answers) that one of them has; everybody with more has an individual weight."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of a file."""

    dataset: Dataset
    bad: list[BadRow]
    ignored: dict[str, int]
    """Rows per unknown column; the first IGNORED_MAX columns."""
    ignored_more: int
    """Cells in further such columns."""
    judges: Pool | None
    """Judges that share one weight."""
    authors: Pool | None
    """Authors that count as unnamed."""


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
        if len(self.answers) + sum(answer not in self.answers for answer in set(answers)) > ANSWERS_MAX:
            raise RefusedRecord(f"the question has more than {ANSWERS_MAX} answers")

    def add_answers(self, *answers: str) -> None:
        self.answers.update(dict.fromkeys(answers))


class _Reader:
    def __init__(self) -> None:
        self.drafts: dict[str, _Draft] = {}
        self.judges: dict[str, int] = {}
        self.authors: dict[str, int] = {}
        self.ignored: Counter[str] = Counter()
        self.ignored_more = 0

    def add(self, row: Record, number: int) -> None:
        """Add one row, completely or not at all. Raises RefusedRecord."""
        if "model_a" in row:
            self._add_row(_from_arena(row), number)
            self._ignore(row.keys() - _ARENA_COLUMNS)
        else:
            self._add_row({key: row[key] for key in row if key in _COLUMNS}, number)
            self._ignore(row.keys() - _COLUMNS)

    def _ignore(self, columns: Set[str]) -> None:
        for column in sorted(columns):
            name = column[:NAME_LETTERS_MAX]
            if name in self.ignored or len(self.ignored) < IGNORED_MAX:
                self.ignored[name] += 1
            else:
                self.ignored_more += 1

    def _add_row(self, row: Record, number: int) -> None:
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
            raise RefusedRecord("neither a judgement (judge), a label, an answer, a truth nor a gold mark")
        draft.gold |= gold
        self.drafts[question] = draft

    def _add_answer(self, draft: _Draft, row: dict[str, Any]) -> None:
        answer = _name(row, "answer")
        said = {key: _name(row, key) for key in ("cluster", "author") if row.get(key) is not None}
        for key, known in (("cluster", draft.clusters), ("author", draft.authors)):
            if key in said and known.get(answer, said[key]) != said[key]:
                raise RefusedRecord(f"the answer has another {key} already")
        draft.check_room(answer)
        if "author" in said:
            _number(self.authors, said["author"])
            draft.authors[answer] = said["author"]
        if "cluster" in said:
            draft.clusters[answer] = said["cluster"]
        draft.add_answers(answer)

    def _add_judgement(self, draft: _Draft, row: dict[str, Any]) -> None:
        first, second, outcome = _pair(row)
        judge = _name(row, "judge")
        draft.check_room(first, second)
        number = _number(self.judges, judge)
        draft.add_answers(first, second)
        if outcome != _ABSTAIN:
            draft.judgements.append((number, first, second, _PREFERENCES[outcome]))

    def bare_marks(self) -> list[BadRow]:
        """Return gold marks of questions without answers, after all rows: answers may come later than marks."""
        reason = "gold mark for a question that has no answers"
        return [BadRow(line, reason) for draft in self.drafts.values() if not draft.answers for line in draft.marks]

    def contents(self, bad: list[BadRow]) -> Contents:
        """Return everything that was added, without questions that have no answer."""
        drafts = {name: draft for name, draft in self.drafts.items() if draft.answers}
        rows, answers = [0] * len(self.judges), [0] * len(self.authors)
        for draft in drafts.values():
            for judge, *_ in draft.judgements:
                rows[judge] += 1
            for author in draft.authors.values():
                answers[self.authors[author]] += 1
        rare = few(answers, AUTHORS_MAX)
        named = [name for name, number in self.authors.items() if rare is None or answers[number] > rare]
        authors = {name: number for number, name in enumerate(named)}
        dataset = Dataset(
            questions=tuple(_question(name, draft, authors) for name, draft in drafts.items()),
            judges=tuple(self.judges),
            authors=tuple(named),
            clustered=any(draft.clusters for draft in drafts.values()),
            weight_of=pooled(rows, JUDGES_MAX),
        )
        return Contents(
            dataset=dataset,
            bad=bad,
            ignored=dict(self.ignored),
            ignored_more=self.ignored_more,
            judges=_pool(rows, JUDGES_MAX),
            authors=_pool(answers, AUTHORS_MAX),
        )


def _pool(rows: list[int], most: int) -> Pool | None:
    limit = few(rows, most)
    return None if limit is None else Pool(sum(count <= limit for count in rows), limit)


def _question(name: str, draft: _Draft, authors: Mapping[str, int]) -> JudgedQuestion:
    """Build a question from all its rows; `authors`: those with a history, by name."""
    answers = sorted(draft.answers)
    place = {answer: index for index, answer in enumerate(answers)}
    # An answer without a named cluster is its own.
    clusters = [(answer in draft.clusters, draft.clusters.get(answer, answer)) for answer in answers]
    numbers = {cluster: index for index, cluster in enumerate(dict.fromkeys(clusters))}
    return JudgedQuestion(
        name=name,
        answers=tuple(answers),
        clusters=tuple(numbers[cluster] for cluster in clusters),
        authors=tuple(authors.get(draft.authors.get(answer, ""), NO_AUTHOR) for answer in answers),
        judgements=tuple(
            PairwiseJudgement(judge, place[first], place[second], preference)
            for judge, first, second, preference in draft.judgements
        ),
        truth={place[answer]: true for answer, true in draft.truth.items()},
        labels={(place[low], place[high]): balance for (low, high), balance in draft.labels.items()},
        gold=draft.gold,
    )


def read_file(path: Path) -> Contents:
    """Return all rows of a file or a pipe, of standard input if the path is "-". Raises AggregateFileError."""
    name = "standard input" if path == STDIN else path
    reader, bad = _Reader(), []
    try:
        for rows, (number, row) in enumerate(records(path), start=1):
            if rows > ROWS_MAX:
                raise AggregateFileError(f"more than {ROWS_MAX} rows")
            try:
                if isinstance(row, RefusedRecord):
                    raise row
                reader.add(row, number)
            except RefusedRecord as refused:
                bad.append(BadRow(number, str(refused)))
    except AggregateFileError as error:
        raise AggregateFileError(f"{name}: {error}") from error
    bad = sorted([*bad, *reader.bare_marks()], key=lambda row: row.line)
    contents = reader.contents(bad)
    if not contents.dataset.questions:
        first = f"; line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise AggregateFileError(f"{name}: no usable row{first} (strand aggregate --help shows the forms of rows)")
    return contents


def _from_arena(row: Record) -> Record:
    """Convert a row of the arena form to our own form; other columns are ignored."""
    winner = row.get("winner")
    if not isinstance(winner, str) or winner not in _WINNERS:
        raise RefusedRecord(f"winner must be {', '.join(_WINNERS)}")
    named = {key: row[key] for key in ("question", "judge") if row.get(key) is not None}
    sides = {"first": _name(row, "model_a"), "second": _name(row, "model_b")}
    return {"question": ARENA_QUESTION, "judge": ARENA_JUDGE, **named, **sides, "outcome": _WINNERS[winner]}


def _known(row: dict[str, Any], *keys: str) -> None:
    for key in row:
        if key not in keys:
            raise RefusedRecord(f"{key[:NAME_LETTERS_MAX]!r} does not belong into a row of this kind")


def _name(row: dict[str, Any], key: str) -> str:
    if key not in row:
        raise RefusedRecord(f"{key} is missing")
    value = row[key]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LETTERS_MAX:
        raise RefusedRecord(f"{key} must be a number or a text of 1 to {NAME_LETTERS_MAX} letters")
    return value


def _flag(row: dict[str, Any], key: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise RefusedRecord(f"{key} must be true or false")
    return value


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers))


def _pair(row: dict[str, Any]) -> tuple[str, str, str]:
    first, second = _name(row, "first"), _name(row, "second")
    if first == second:
        raise RefusedRecord("an answer is compared with itself")
    outcome = row.get("outcome")
    if not isinstance(outcome, str) or outcome not in (*_PREFERENCES, _ABSTAIN):
        raise RefusedRecord("outcome must be first, second, tie or abstain")
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
        raise RefusedRecord("truth must map answers to true or false")
    said = {_name({"answer": answer}, "answer"): true for answer, true in truth.items()}
    if any(draft.truth.get(answer, true) != true for answer, true in said.items()):
        raise RefusedRecord("the truth of an answer is said otherwise already")
    draft.check_room(*said)
    draft.add_answers(*said)
    draft.truth.update(said)
