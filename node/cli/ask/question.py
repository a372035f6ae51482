"""The text of a question, put together from an argument, stdin and files."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter, validators

from node.api.asking import FindingName, Question
from node.api.conversation import Audience, Turn
from node.api.rounds import RoundDetail
from node.cli.ask.continued import turns_of
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import any_case, read_query, read_stdin
from node.files import TooLargeError, read_text
from node.text import one_line
from protocol.limits import TESTS_BYTES_MAX, TEXT_BYTES_MAX
from protocol.types import TaskType, TurnRole

FILES_MAX: Final = 32
"""Files of one question: each is named in it, and a judge reads all of them."""

PATH_CHARS_MAX: Final = 200
"""Characters of a file's name in a question, counted from its end."""

_LANGUAGES: Final = {
    ".rs": "rust",
    ".toml": "toml",
    ".py": "python",
    ".c": "c",
    ".h": "c",
    ".sh": "sh",
    ".md": "markdown",
}
"""Languages of fenced blocks, by a file's suffix; other files have blocks without one."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """What is asked for beside the text; for options that are left out, the node's configuration holds."""

    task: Annotated[
        Literal["code", "final", "open"] | None,
        Parameter(
            converter=any_case, help="How equal answers are recognised; code, or as in the round that is continued."
        ),
    ] = None
    audience: Annotated[
        Literal["trusted", "members", "public"] | None,
        Parameter(converter=any_case, help="Nodes that may read the text; members and trusted are not gossiped."),
    ] = None
    allow_secrets: Annotated[
        bool, Parameter(negative="", help="Send the text even if it looks like it holds a secret.")
    ] = False
    confidence_min: Annotated[
        float | None,
        Parameter(
            name="--min-confidence",
            validator=validators.Number(gte=0, lte=1),
            help="Probability of being right below which the swarm abstains: outcome degraded, its best guess marked.",
        ),
    ] = None
    tests: Annotated[
        Path | None,
        Parameter(help="A Rust file of tests that the answer must pass; authors do not see it beforehand."),
    ] = None
    show_tests: Annotated[
        bool, Parameter(negative="", help="Send the tests with the question, so that the answers' authors see them.")
    ] = False
    findings: Annotated[
        tuple[FindingName, ...] | None,
        Parameter(
            negative="--no-findings",
            help="What testers find out about Rust answers beside the tests; may be given several times.",
        ),
    ] = None
    max_tokens: Annotated[int | None, Parameter(validator=validators.Number(gt=0), help="Length of one answer.")] = None

    def question(self, text: str, after: RoundDetail | None = None) -> Question:
        """Return the question with these options, as the next turn of the round `after` if there is one.

        Task and audience are then those of that round: who did not get its text must not get it with the next turn. Of
        another node's private round, the readers are not known here; then none but trusted nodes get it.
        """
        earlier = () if after is None else turns_of(after)
        task = TaskType.CODE if after is None else after.round.task
        audience = None if after is None else after.round.audience or Audience.TRUSTED
        return Question(
            (*earlier, Turn(TurnRole.USER, text)),
            task=task if self.task is None else TaskType(self.task),
            audience=audience if self.audience is None else Audience(self.audience),
            allow_secrets=self.allow_secrets,
            max_tokens=self.max_tokens,
            confidence_min=self.confidence_min,
            tests="" if self.tests is None else read_tests(self.tests),
            show_tests=self.show_tests,
            findings=self.findings,
        )


def read_tests(file: Path) -> str:
    """Return the asker's tests from a file. Raises CliError and FileError, one line with what to do."""
    # Imported late: help does not need it.
    from node.cli.parts.signals import ended_at_once

    if str(file) == "-":
        raise CliError("--tests takes a file: what comes through stdin is the question", Exit.USAGE)
    try:
        with ended_at_once():
            text = read_text(file, TESTS_BYTES_MAX)
    except TooLargeError as error:
        why = f"{file} is longer than the {TESTS_BYTES_MAX} bytes of tests that a query takes: leave some out"
        raise CliError(why, Exit.USAGE) from error
    if not text.strip():
        raise CliError(f"{file} is empty: write tests into it, such as assert_eq!(double(2), 4);", Exit.USAGE)
    return text


def compose(argument: str | None, files: Sequence[Path]) -> str:
    """Return the question: the argument, then the text on stdin, then each file as a fenced block under its path.

    Stdin is read where the argument is "-", and where it is no terminal. A question that comes from one place alone is
    that text, unchanged. Raises CliError and FileError.
    """
    if len(files) > FILES_MAX:
        raise CliError(f"a question has at most {FILES_MAX} files, not {len(files)}", Exit.USAGE)
    if any(str(file) == "-" for file in files):
        raise CliError("stdin is read by itself where it is no terminal: leave out --file -", Exit.USAGE)
    parts = [] if argument in (None, "-") else [read_query(argument, empty=True)]
    if argument == "-" or not sys.stdin.isatty():
        parts.append(read_stdin(empty=argument != "-" or bool(files)))
    texts = _texts(files)
    if not any(text.strip() for text in (*parts, *texts.values())):
        if argument is None and not files:
            raise CliError(
                "nothing is asked: give a question in quotes, files by --file, or a text through stdin", Exit.USAGE
            )
        raise CliError("the query is empty: write it in quotes, or send it through stdin", Exit.USAGE)
    return _joined([part for part in parts if part.strip()], [_block(file, text) for file, text in texts.items()])


def _texts(files: Sequence[Path]) -> dict[Path, str]:
    # Imported late: help does not need it.
    from node.cli.parts.signals import ended_at_once

    # A pipe among them may wait for its writer for ever.
    with ended_at_once():
        return {file: read_text(file, TEXT_BYTES_MAX) for file in files}


def _joined(parts: Sequence[str], blocks: Sequence[str]) -> str:
    together = [*parts, *blocks]
    question = together[0] if len(together) == 1 else "\n\n".join(part.strip("\n") for part in together) + "\n"
    if (size := len(question.encode())) > TEXT_BYTES_MAX:
        raise CliError(f"the query has {size} bytes with all that was given, more than {TEXT_BYTES_MAX}", Exit.USAGE)
    return question


def _block(file: Path, text: str) -> str:
    """Return a file's text as a fenced block; the fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    name = one_line(str(file), PATH_CHARS_MAX, keeps_end=True)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{name}:\n\n{fence}{_LANGUAGES.get(file.suffix, '')}\n{text}{end}{fence}\n"
