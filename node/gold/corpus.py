"""The node's own Rust tasks: one file for each in `node/gold/tasks`, with prompt, right program and tests.

A file is Rust that compiles as it stands. Its inner comment holds a header in TOML, a line `---`, and the prompt; the
right program follows, then perhaps a section `//~ driver`, and the section `//~ tests`. The driver is a function that
shows a program's behaviour where no generator makes its inputs; it belongs to no answer. CONTRIBUTING.md has a recipe.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from protocol.limits import TESTS_BYTES_MAX

TASKS_MAX: Final = 1_024
"""Tasks of a corpus: more than anybody writes by hand; each is read when the corpus is."""

TASK_BYTES_MAX: Final = 24 * 1024
"""Bytes of one task's file: ten times the longest. Its tests fit into a query (`TESTS_BYTES_MAX`)."""

_COMMENT: Final = "//!"
_DRIVER: Final = "\n//~ driver\n"
_TESTS: Final = "\n//~ tests\n"
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Identifier = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_]*\Z", max_length=64)]


class CorpusError(ValueError):
    """A task's file is not in the form of the corpus. The message is one line that names the task."""


class Domain(StrEnum):
    """Subject of a task."""

    STRINGS = "strings"
    NUMBERS = "numbers"
    COLLECTIONS = "collections"
    ITERATORS = "iterators"
    PARSING = "parsing"
    TYPES = "types"
    TRAITS = "traits"
    OWNERSHIP = "ownership"
    ERRORS = "errors"
    ALGORITHMS = "algorithms"
    STD = "std"


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of a task's file."""

    domain: Domain
    difficulty: Annotated[int, msgspec.Meta(ge=1, le=3)]
    names: dict[Identifier, Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=16)]]
    constants: dict[Identifier, Annotated[tuple[int, ...], msgspec.Meta(min_length=2, max_length=16)]] = {}


@dataclass(frozen=True, slots=True)
class CodeTask:
    """One task of the corpus, as it is written in its file."""

    name: str
    domain: Domain
    difficulty: int
    """Difficulty of writing a right program: 1 (easy) to 3."""
    prompt: str
    """The question. `{signature}` stands for the signature of the program's first public function, the name of a
    constant in braces for its value; what is in backquotes is code."""
    program: str
    """A right program."""
    driver: str
    """A public function `drive` that calls the program, for inputs by generator; empty: the program needs none."""
    tests: str
    """A module of test functions, which stands after a program in the same file."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Public names, each with names that may replace it everywhere."""
    constants: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Constants of the program and its tests, each with the values that it may have."""


@cache
def corpus() -> tuple[CodeTask, ...]:
    """Return the tasks that come with this package, in the order of their names."""
    found = [each for each in (files(__package__) / "tasks").iterdir() if each.name.endswith(".rs")]
    if len(found) > TASKS_MAX:
        raise CorpusError(f"the corpus has {len(found)} tasks: at most {TASKS_MAX} are read")
    return tuple(
        read_task(each.name.removesuffix(".rs"), each.read_bytes()) for each in sorted(found, key=lambda one: one.name)
    )


def read_task(name: str, content: bytes) -> CodeTask:
    """Read one task's file. Raises CorpusError."""
    if len(content) > TASK_BYTES_MAX:
        raise CorpusError(f"{name}: the file has more than {TASK_BYTES_MAX} bytes")
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: the file is not UTF-8") from error
    count = next((place for place, line in enumerate(lines) if not line.startswith(_COMMENT)), len(lines))
    comment = "\n".join(line.removeprefix(_COMMENT).removeprefix(" ") for line in lines[:count])
    head, divider, prompt = comment.partition("\n---\n")
    code, tests_mark, tests = "\n".join(lines[count:]).partition(_TESTS)
    program, _, driver = code.partition(_DRIVER)
    if not divider or not tests_mark or not prompt.strip() or not program.strip():
        raise CorpusError(f"{name}: the file has a header, a line ---, a prompt, a program, and the section //~ tests")
    try:
        header = msgspec.convert(tomllib.loads(head), _Header)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CorpusError(f"{name}: the header is wrong: {error}") from error
    if len(tests.encode()) > TESTS_BYTES_MAX:
        raise CorpusError(f"{name}: the tests have more than {TESTS_BYTES_MAX} bytes")
    if clash := {each for names in header.names.values() for each in names} & set(_WORD.findall(code + tests)):
        raise CorpusError(f"{name}: other names stand in the file for something else: {', '.join(sorted(clash))}")
    return CodeTask(
        name=name,
        domain=header.domain,
        difficulty=header.difficulty,
        prompt=prompt.strip(),
        program=program.strip() + "\n",
        driver=driver.strip() and driver.strip() + "\n",
        tests=tests.strip() + "\n",
        names=MappingProxyType(header.names),
        constants=MappingProxyType(header.constants),
    )
