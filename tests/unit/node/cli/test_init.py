"""What `strand init` tells at its end."""

from pathlib import Path

import pytest

from node.cli.main import run


def test_the_next_step_finds_the_node(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    def next_step(*arguments: str) -> str:
        assert run(["init", "--yes", *arguments]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert next_step() == "start it: strand run"
    assert next_step("--profile", "work") == "start it: strand run --profile work"
    file, folder = str(home / "a b.toml"), str(home / "node")
    assert next_step("--config", file, "--data-dir", folder) == f"start it: strand run --config '{file}'"
    # A file that is kept may name another folder.
    assert next_step("--config", file, "--data-dir", folder).endswith(f"--data-dir {folder}")
