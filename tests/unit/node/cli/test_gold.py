"""`strand gold make`: what it writes, and what it leaves alone."""

import json
from pathlib import Path

import pytest

from node.cli.main import run
from node.errors import Exit


def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gold.jsonl"
    command = ["gold", "make", str(file), "--count", "1", "--seed", "7"]
    assert run(command) == 0
    made = file.read_bytes()
    assert "tests" in json.loads(made)
    file.write_text("what somebody wrote by hand")
    capsys.readouterr()

    assert run([*command, "--json"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"strand: {file} exists already: ") and "--force" in err
    assert file.read_text() == "what somebody wrote by hand"

    assert run([*command, "--force"]) == 0
    assert file.read_bytes() == made
