"""Questions whose answers this node knows: JSON lines, `{"query" or "turns", "task", "right": [...], "tests"}`.

A round is gold if its query is one of them. No other node can tell, and a user who asks one of them helps too. Answers
to a task `code` with `tests` are graded by these; the right answers then show that the tests work on this machine.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec

from consensus.certificates.record import RoundRecord, bodies, form_of
from node.config import ConfigError
from node.files import FileError, read_text
from node.gold.grading import AnswerGrader
from protocol.conversation import bytes_of, digest_of, single
from protocol.limits import TESTS_BYTES_MAX, TURNS_MAX
from protocol.messages import Answer, Turn
from protocol.types import Digest, TaskType, TurnRole

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Greatest size of a gold file in bytes: tens of thousands of questions, more than any node asks in a year."""

EARLIER_MAX = 4
"""Earlier questions in a follow-up that is built: longer conversations are rare, and show more of the gold."""

EARLIER_BYTES_MAX = 2_048
"""Bytes of the earlier turns of a follow-up that is built, so that it fits where its question fits."""

BUILT_MAX = 256
"""Follow-ups whose truth is remembered: as many rounds as are kept for learning are far fewer."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]


class GoldFileError(ConfigError):
    """The gold file cannot be used. The message is one line for the user."""


class _Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a line's conversation."""

    role: TurnRole
    text: Text


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a gold file."""

    right: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=64)]
    query: Text | None = None
    tests: Text | None = None
    turns: Annotated[tuple[_Turn, ...], msgspec.Meta(min_length=1, max_length=TURNS_MAX)] | None = None
    task: TaskType = TaskType.FINAL

    def conversation(self) -> tuple[Turn, ...] | None:
        """Return the conversation; None if the line does not have exactly one of `query` and `turns`."""
        if self.query is not None and self.turns is None:
            return single(self.query)
        if self.turns is not None and self.query is None:
            return tuple(Turn(role=turn.role, text=turn.text) for turn in self.turns)
        return None


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A conversation whose last turn asks, and all right answers, compared in the task's canonical form (R7)."""

    turns: tuple[Turn, ...]
    right: tuple[str, ...]
    """Right answers; for final tasks as an answer would end, such as "Answer: 42" or just "42"."""
    task: TaskType = TaskType.FINAL
    tests: str = ""
    """Tests in Rust that decide which answers are right; empty: those that equal one of `right` are."""

    @property
    def roles(self) -> tuple[TurnRole, ...]:
        """Who speaks, turn by turn."""
        return tuple(turn.role for turn in self.turns)


class GoldBook:
    """The node's gold questions."""

    def __init__(self, questions: tuple[GoldQuestion, ...] = ()) -> None:
        self.questions = questions
        # By digest, because a private query's record does not hold the text.
        self._by_digest = {digest_of(each.turns): each for each in questions}
        self._built: OrderedDict[Digest, GoldQuestion] = OrderedDict()
        """Follow-ups that were built of two questions or more."""

    def choose(self, roles: Sequence[TurnRole], random: Random, *, can_test: bool = True) -> GoldQuestion | None:
        """Choose a question to ask where a user's conversation had these roles, so that it looks like one of them.

        Best is a conversation of the same roles. For one of several turns, any of several turns comes next; a follow-up
        is built if the book holds none. None: the book holds no question whose answers can be graded.

        `can_test`: whether answers can be graded by tests now.
        """
        askable = [each for each in self.questions if can_test or not each.tests]
        alike = [each for each in askable if each.roles == tuple(roles)]
        if not alike and len(roles) > 1:
            alike = [each for each in askable if len(each.turns) > 1]
        if alike or not askable:
            return random.choice(alike) if alike else None
        gold = random.choice(askable)
        answered = roles.count(TurnRole.ASSISTANT)
        return self._follow_up(gold, answered, random) if answered and len(gold.turns) == 1 else gold

    def _follow_up(self, gold: GoldQuestion, answered: int, random: Random) -> GoldQuestion:
        """Put other questions, each with its fullest right answer, before a question; as it is if none is short enough.

        Members see what a user's follow-up shows them: questions that were asked before, and good answers to them.
        """
        others = [each for each in self.questions if each is not gold and len(each.turns) == 1]
        before: list[Turn] = []
        for other in random.sample(others, len(others)):
            answer = Turn(role=TurnRole.ASSISTANT, text=max(other.right, key=len))
            pair = (*other.turns, answer)
            if bytes_of((*before, *pair)) <= EARLIER_BYTES_MAX:
                before += pair
            if len(before) == 2 * min(answered, EARLIER_MAX):
                break
        if not before:
            return gold
        built = replace(gold, turns=(*before, *gold.turns))
        self._built[digest_of(built.turns)] = built
        if len(self._built) > BUILT_MAX:
            self._built.popitem(last=False)
        return built

    async def truth(self, record: RoundRecord, grader: AnswerGrader | None = None) -> Mapping[Digest, bool] | None:
        """Map the ids of a round's answers to whether each is right.

        None if the query and task are not gold, or if the question has tests that cannot be run here now. Tests take
        up to `GRADING_S_MAX`; cancelling stops them.
        """
        digest = record.query.content_digest
        known = self._by_digest.get(digest) or self._built.get(digest)
        if known is None or known.task is not record.query.task:
            return None
        texts = [answer.content.text for answer in bodies(record.answers, Answer)]
        forms = [form_of(known.task, text) for text in texts]
        truth = {form_of(known.task, text): True for text in known.right}
        if known.tests:
            # Equal texts are tested once.
            unknown = {form: text for form, text in zip(forms, texts, strict=True) if form not in truth}
            graded = (
                None
                if grader is None
                else await grader.grade(known.turns[-1].text, known.tests, known.right[0], tuple(unknown.values()))
            )
            if graded is None:
                return None
            truth.update(zip(unknown, graded, strict=True))
        return {message.id: truth.get(form, False) for message, form in zip(record.answers, forms, strict=True)}


def load_gold(file: Path) -> GoldBook:
    """Read a gold file. Raises GoldFileError, which names the line."""
    try:
        text = read_text(file, FILE_BYTES_MAX)
    except FileError as error:
        raise GoldFileError(str(error)) from error
    questions: dict[Digest, GoldQuestion] = {}
    # Not splitlines(), which also splits at characters that a question may hold.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            told = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            raise GoldFileError(f"{file}, line {number}: {error}") from error
        turns = told.conversation()
        if turns is None:
            raise GoldFileError(f"{file}, line {number}: it takes one of query and turns")
        if not all(turn.text.strip() for turn in turns):
            raise GoldFileError(f"{file}, line {number}: the query is empty" + " in a turn" * (len(turns) > 1))
        if turns[-1].role is not TurnRole.USER:
            raise GoldFileError(f"{file}, line {number}: the last turn must be the user's, which asks")
        if (digest := digest_of(turns)) in questions:
            raise GoldFileError(f"{file}, line {number}: the same query stands above already")
        if not all(form_of(told.task, text) for text in told.right):
            raise GoldFileError(f"{file}, line {number}: a right answer has no canonical form")
        if told.tests is not None and told.task is not TaskType.CODE:
            raise GoldFileError(f"{file}, line {number}: only questions of the task code have tests")
        if told.tests is not None and len(told.tests.encode()) > TESTS_BYTES_MAX:
            raise GoldFileError(f"{file}, line {number}: the tests have more than {TESTS_BYTES_MAX} bytes")
        questions[digest] = GoldQuestion(turns, told.right, told.task, told.tests or "")
    return GoldBook(tuple(questions.values()))
