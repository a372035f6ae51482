"""Manual pages: complete, and in the few macros that every formatter knows."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from node.cli.main import build_app

EXTENSIONS = str(Path(__file__).parents[2] / "docs" / "_ext")
MACROS = frozenset({".TH", ".SH", ".TP", ".PP", ".IP"})


@pytest.fixture(scope="module")
def pages() -> Iterator[dict[str, str]]:
    """All pages; Sphinx need not be installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [EXTENSIONS, *sys.path])
        package = ModuleType("strand_reference")
        package.__path__ = [f"{EXTENSIONS}/strand_reference"]
        patch.setitem(sys.modules, "strand_reference", package)
        from strand_reference import man

        yield man.pages()
        for name in [name for name in sys.modules if name.startswith("strand_reference.")]:
            del sys.modules[name]


def test_there_is_a_page_of_each_command_with_each_option(pages: dict[str, str]) -> None:
    app = build_app()
    for name in ("ask", "sim", "config show", "reputation import", "model pull"):
        page = pages[f"strand-{name.replace(' ', '-')}.1"]
        command = app
        for word in name.split():
            command = command[word]
        labels = {
            each
            for argument in command.assemble_argument_collection()
            for each in argument.names
            if each.startswith("-")
        }
        assert [label for label in labels if label.replace("-", "\\-") not in page] == []
    assert all(name.removesuffix(".1").replace("-", "\\-") in pages["strand.1"] for name in pages)
    assert len(pages) > 20


def test_pages_are_made_of_known_macros_and_escapes(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        lines = page.splitlines()
        assert lines[0].startswith(".TH "), name
        assert {line.split()[0] for line in lines if line.startswith(".")} <= MACROS, name
        assert not [line for line in lines if line.startswith("'")], name
        assert set(re.findall(r"\\(f.|\(..|.)", page)) <= {"fB", "fI", "fR", "-", "e", "(bu", "(dq", "&"}, name
        headings = [line.removeprefix(".SH ") for line in lines if line.startswith(".SH ")]
        assert headings[:2] == ["NAME", "SYNOPSIS"] and "EXIT STATUS" in headings, name


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_no_complaint(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        ran = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-K", "utf8"], input=page, capture_output=True, text=True, check=True
        )
        assert ran.stderr == "", name
