"""Questions whose answers this node knows: a file of JSON lines, `{"query" or "turns", "task", "right": [...]}`.

A round is gold if its query is one of them. No other node can tell, and a user who asks one of them helps too.
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
from protocol.conversation import bytes_of, digest_of, single
from protocol.limits import TURNS_MAX
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

    def choose(self, roles: Sequence[TurnRole], random: Random) -> GoldQuestion:
        """Choose a question to ask where a user's conversation had these roles, so that it looks like one of them.

        The book must hold a question. Best is a conversation of the same roles. For one of several turns, any of
        several turns comes next; a follow-up is built if the book holds none.
        """
        alike = [each for each in self.questions if each.roles == tuple(roles)]
        if not alike and len(roles) > 1:
            alike = [each for each in self.questions if len(each.turns) > 1]
        if alike:
            return random.choice(alike)
        gold = random.choice(self.questions)
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

    def truth(self, record: RoundRecord) -> Mapping[Digest, bool] | None:
        """Map the ids of a round's answers to whether each is right; None if the query and task are not gold."""
        digest = record.query.content_digest
        known = self._by_digest.get(digest) or self._built.get(digest)
        if known is None or known.task is not record.query.task:
            return None
        right = {form_of(known.task, text) for text in known.right}
        return {
            message.id: form_of(known.task, answer.content.text) in right
            for message, answer in zip(record.answers, bodies(record.answers, Answer), strict=True)
        }


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
        questions[digest] = GoldQuestion(turns, told.right, told.task)
    return GoldBook(tuple(questions.values()))
