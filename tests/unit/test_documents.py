"""Documents in the plain checkout, as a forge or an editor shows them; `make docs` checks the built site."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("node/*/README.md"), *(ROOT / "docs").rglob("*.md")]
)

FOLDERS = ("node", "protocol", "consensus", "simnet", "tests")

CODE = [file for name in FOLDERS for file in (ROOT / name).rglob("*.py")]

LINE_MAX = 100
"""letters of a line of prose, not counting code and targets of links; tables are as wide as they are."""

UNBROKEN = ("|", "    ", "<!--")
"""beginnings of lines that are not prose: tables, code, marks for the site."""

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page outside of its fences."""
    is_fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith(("```", ":::")):
            is_fenced = not is_fenced
        elif not is_fenced:
            yield number, line


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Line and target of each relative link."""
    for number, line in prose(page):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if not re.match(r"[a-z]+:", target):
                yield number, target


def anchors(page: Path) -> set[str]:
    """The anchors that forges and the site give to the headings of a page."""
    headings = [line.lstrip("#").strip() for _, line in prose(page) if re.match(r"#{1,6} ", line)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for number, target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page}:{number}: there is no {target}"
        assert file.is_relative_to(ROOT), f"{page}:{number}: {target} is outside of the project"
        if anchor and "<!-- generated:" not in file.read_text(encoding="utf-8"):
            assert anchor in anchors(file), f"{page}:{number}: {target} names no heading"


@pages
def test_lines_are_short(page: Path) -> None:
    for number, line in prose(page):
        words = re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)
        assert len(words) <= LINE_MAX or line.startswith(UNBROKEN), f"{page}:{number}: {len(words)} letters"


def test_what_is_named_is_part_of_the_project() -> None:
    """The design that the project began with is not: what lasts of it stands in docs/explanation."""
    for file in {*PAGES, *CODE} - {Path(__file__)}:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\bDESIGN\b", text), file
        names = re.findall(r"\b(?:docs|protocol|consensus)/[\w/.-]+\.md\b", text) if file in CODE else []
        names += re.findall(rf"`((?:{'|'.join(FOLDERS)}|docs|configs)/[\w/.-]+\.\w+)`", text) if file in PAGES else []
        for name in names:
            assert (ROOT / name).is_file(), f"{file}: there is no {name}"


@pytest.mark.parametrize("package", ["consensus", "simnet"])
def test_every_module_is_named_by_its_readme(package: str) -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / package / "README.md").read_text(encoding="utf-8")))
    paths = [path for path in (ROOT / package).rglob("*.py") if not {"adversaries", "frozen"} & set(path.parts)]
    modules = {path.stem for path in paths}
    assert modules - named == {"__init__"}


def test_examples_of_libraries_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/reference/libraries.md").read_text(), re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        exec(compile(example, "docs/reference/libraries.md", "exec"), {})
        assert capsys.readouterr().out.strip(), example
