"""Scripts of completion: those of shells that are installed are read by them."""

import shutil
import subprocess

import pytest

from node.cli.main import run
from tests.support.processes import assert_refusal_line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "Bash"])
def test_a_script_names_commands_options_and_choices(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [word for word in ("reputation", "export", "allow-secrets", "members") if word not in script] == []


def test_bash_completes(capsys: pytest.CaptureFixture[str]) -> None:
    if (bash := shutil.which("bash")) is None:
        pytest.skip("bash is not installed")
    assert run(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    asking = """
compgen_of() { COMP_WORDS=(strand "$@"); COMP_CWORD=$#; COMPREPLY=(); _strand; printf '%s ' "${COMPREPLY[@]}"; echo; }
compgen_of sta
compgen_of ask --au
compgen_of ask --audience p
"""
    ran = subprocess.run([bash, "--norc"], input=script + asking, capture_output=True, text=True, check=True)
    assert (ran.stderr, ran.stdout.split()) == ("", ["status", "--audience", "public"])


@pytest.mark.parametrize(("shell", "check"), [("zsh", "-n"), ("fish", "--no-execute")])
def test_other_shells_can_read_theirs(capsys: pytest.CaptureFixture[str], shell: str, check: str) -> None:
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    assert run(["completion", shell]) == 0
    ran = subprocess.run([program, check], input=capsys.readouterr().out, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "csh"]) == 2
    assert_refusal_line(capsys.readouterr().err, "there is no completion for csh", "bash, zsh, fish")
