"""Every `strand` line that people read is one that the program takes: commands, options, values of choices."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, CycloptsError
from hatchling.builders.wheel import WheelBuilder

from node.cli.main import build_app

ROOT = Path(__file__).parents[2]

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]

OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", "2>", "2>>", "<"})
"""Words of a shell that end a command or redirect it; what follows is not the command's."""

PLACEHOLDER = re.compile(r"<\w+>|\.\.\.|[A-Z]+")
"""Words that stand for a reader's own: nothing is said of their values."""

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(page: Path) -> Iterator[str]:
    """The lines of a page's blocks of code, without prompts and with continued lines joined."""
    is_fenced = False
    for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    "):
            yield line.strip().removeprefix("$ ")


def commands(line: str) -> Iterator[list[str]]:
    """The words after each `strand` that begins a command on a line of a shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return  # a quoted program, no line of a shell
    starts = [at for at, word in enumerate(words) if word == "strand" and (at == 0 or words[at - 1] in OPERATORS)]
    for at in starts:
        end = next((end for end in range(at, len(words)) if words[end] in OPERATORS), len(words))
        yield words[at + 1 : end]


def named(app: App, words: list[str]) -> None:
    """Assert that a command and all of its options exist, whatever their values."""
    command, _, rest = app.parse_commands(words)
    assert command, f"no command: {words}"
    at = app
    for name in command:
        at = at[name]
    if at.default_command is None:
        assert not rest, f"strand {' '.join(command)} has no {rest}"
        return
    known = {name for argument in at.assemble_argument_collection() for name in argument.names} | {"--help", "--debug"}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    assert not unknown, f"strand {' '.join(command)} has no {unknown}"


@pages
def test_lines_of_blocks_are_taken(page: Path) -> None:
    """Given a line with values of its own, then it parses; one with placeholders names what there is."""
    app = build_app()
    for line in blocks(page):
        for words in commands(line):
            if not words or words[0] == "COMMAND":
                continue
            named(app, words)
            if not any(PLACEHOLDER.fullmatch(word) for word in words):
                try:
                    app.parse_args(words, print_error=False, exit_on_error=False)
                except CycloptsError as error:
                    pytest.fail(f"{page}: strand {shlex.join(words)}: {error}")


@pages
def test_commands_in_sentences_exist(page: Path) -> None:
    app = build_app()
    text = page.read_text(encoding="utf-8")
    for code in re.findall(r"`strand ([^`\n]+)`", re.sub(r"^(    .*|```.*?```)$", "", text, flags=re.MULTILINE)):
        words = shlex.split(code)
        # `strand --version` has no command.
        if not PLACEHOLDER.fullmatch(words[0]) and not words[0].startswith("-"):
            named(app, words)


def test_there_is_something_to_check() -> None:
    found = [words for page in PAGES for line in blocks(page) for words in commands(line)]
    assert len(found) > 40


def test_the_wheel_says_that_it_has_types() -> None:
    """PEP 561: a marker in each package; without it the types count for nothing outside of the checkout."""
    shipped = {each.distribution_path for each in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"{package}/py.typed" for package in ("node", "protocol", "consensus", "simnet")} <= shipped


def test_the_wheel_has_the_rust_that_the_node_compiles() -> None:
    """The harness, the trial of the sandbox and the exercises, without which an installed node tests nothing."""
    shipped = {each.distribution_path for each in WheelBuilder(str(ROOT)).recurse_included_files()}
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "node").rglob("*.rs")}
    assert len(wanted) > 50
    assert wanted <= shipped
