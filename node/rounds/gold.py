"""Questions whose answers this node knows: a file of JSON lines, `{"query", "task", "right": [...]}`.

A round is gold if its query is one of them. No other node can tell, and a user who asks one of them helps too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from consensus.certificates.record import RoundRecord, bodies, form_of
from node.config import ConfigError
from node.files import FileError, read_text
from protocol.conversation import digest_of, single
from protocol.messages import Answer
from protocol.types import Digest, TaskType

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Greatest size of a gold file in bytes: tens of thousands of questions, more than any node asks in a year."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]


class GoldFileError(ConfigError):
    """The gold file cannot be used. The message is one line for the user."""


class GoldQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question and all its right answers, compared in the task's canonical form (R7)."""

    query: Text
    right: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=64)]
    """Right answers; for final tasks as an answer would end, such as "Answer: 42" or just "42"."""
    task: TaskType = TaskType.FINAL


class GoldBook:
    """The node's gold questions."""

    def __init__(self, questions: tuple[GoldQuestion, ...] = ()) -> None:
        self.questions = questions
        # By digest, because a private query's record does not hold the text.
        self._by_digest = {digest_of(single(each.query)): each for each in questions}

    def truth(self, record: RoundRecord) -> Mapping[Digest, bool] | None:
        """Map the ids of a round's answers to whether each is right; None if the query and task are not gold."""
        known = self._by_digest.get(record.query.content_digest)
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
    questions: dict[str, GoldQuestion] = {}
    # Not splitlines(), which also splits at characters that a question may hold.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            question = msgspec.json.decode(line, type=GoldQuestion)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            raise GoldFileError(f"{file}, line {number}: {error}") from error
        if not question.query.strip():
            raise GoldFileError(f"{file}, line {number}: the query is empty")
        if question.query in questions:
            raise GoldFileError(f"{file}, line {number}: the same query stands above already")
        if not all(form_of(question.task, text) for text in question.right):
            raise GoldFileError(f"{file}, line {number}: a right answer has no canonical form")
        questions[question.query] = question
    return GoldBook(tuple(questions.values()))
