"""What terminals show in the documentation comes from runs: the blocks, and how they are renewed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = """Before.

<!-- recording: alone, 3 lines -->
```text
$ echo one; echo two
old
$ seq 9
```

Between.

<!-- recording: swarm -->
```text
$ strand status
```
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recordings", ROOT / "docs" / "recordings.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules.setdefault("recordings", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def test_a_block_names_its_setting_its_commands_and_how_much_it_keeps(tool: ModuleType) -> None:
    first, second = tool.recordings(ROOT / "README.md", PAGE)
    assert (first.setting, first.lines_max, first.commands) == ("alone", 3, ("echo one; echo two", "seq 9"))
    assert (second.setting, second.commands) == ("swarm", ("strand status",))


def test_a_block_is_renewed_and_the_rest_of_its_page_stays(tool: ModuleType, tmp_path: Path) -> None:
    (first, _) = tool.recordings(ROOT / "README.md", PAGE)
    with tool.running("alone", tmp_path) as variables:
        body = "".join(
            f"$ {each}\n{tool.cut(tool.run(each, variables, tmp_path), first.lines_max)}" for each in first.commands
        )
    text = tool.renewed(PAGE, [(first.span, body)])
    assert text == PAGE.replace("old\n$ seq 9\n", "one\ntwo\n$ seq 9\n1\n2\n...\n")


def test_every_recording_of_the_documentation_has_commands(tool: ModuleType) -> None:
    for page in tool.pages():
        text = page.read_text(encoding="utf-8")
        found = tool.recordings(page, text)
        assert len(found) == text.count("<!-- recording:"), f"{page}: a block is not in the form"
        assert all(each.commands for each in found), page
