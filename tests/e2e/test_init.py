"""`strand init` at a terminal and in scripts, and the profiles that it makes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_server import StandIn
from tests.support.model_server import model_server, stand_in
from tests.support.processes import STRAND, Shell, assert_refused
from tests.support.terminal import Terminal, at_a_terminal

PEER = "/ip4/127.0.0.1/tcp/4211/p2p/12D3KooWF9yiJoUvbHydupM75yPVYNHdRLxg7F2iJqYQ8wXd9XHW"
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A user who has nothing yet."""
    return Shell(tmp_path)


def configuration(home: Path, name: str = "node.toml") -> dict[str, Any]:
    return tomllib.loads((home / ".config" / "strand" / name).read_text())


def left_behind(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if "strand" in str(path.relative_to(home))]


def choose_server(terminal: Terminal, words: str) -> None:
    """Choose by the words of an option: the machine of the test may have servers of its own."""
    options = terminal.expect("What answers and judges")
    (number,) = re.findall(rf"(\d+)  {words}", options)
    terminal.expect(": ")
    terminal.type(number)


def test_a_node_is_made_by_answers(shell: Shell, tmp_path: Path) -> None:
    with (
        model_server(stand_in()) as url,
        at_a_terminal([STRAND, "init"], shell.environment(), tmp_path) as terminal,
    ):
        terminal.answer("A name for this node", "alice")
        terminal.answer("good at", "")
        choose_server(terminal, "another server")
        terminal.answer("Its URL", "nonsense")
        terminal.answer("it must start with http:// or https://\nIts URL", url)
        terminal.answer("The server wants an API key", StandIn.KEY)
        assert "embed" not in terminal.answer("Which of its models", "2")
        terminal.expect("two answered in ")
        terminal.expect(" and judged in ")
        terminal.answer("What network it joins", "")
        terminal.answer("Keys of nodes", "no key")
        terminal.answer("Keys of nodes", KEY)
        terminal.answer("Address of a node", "/ip4/127.0.0.1/tcp/1")
        terminal.answer("must end in the peer's id", PEER)
        terminal.answer("Who may read", "2")
        terminal.expect("Really members instead of trusted? [y/n] (n): ")
        terminal.type("y")
        assert left_behind(tmp_path) == []
        terminal.answer("Do it?", "")
        assert terminal.end() == 0
    assert StandIn.KEY not in terminal.shown
    file = tmp_path / ".config" / "strand" / "node.toml"
    assert file.stat().st_mode & 0o077 == 0
    assert configuration(tmp_path) == {
        "node": {"name": "alice", "specialty": "rust"},
        "overlay": {"bootstrap": [PEER]},
        "api": {"audience": "members"},
        "engine": {"kind": "openai", "url": url, "model": "two", "api_key": StandIn.KEY},
        "trust": {"trusted": {KEY: 1.0}},
        "serve": {"keys": [KEY]},
    }
    assert "# Who may read what the OpenAI and MCP faces are asked" in file.read_text()
    assert shell.strand("config", "show").code == 0


def test_flags_answer_questions(shell: Shell, tmp_path: Path) -> None:
    flags = ("--name", "b", "--specialty", "go", "--friends", "--trust", "", "--bootstrap", "", "--audience", "trusted")
    with at_a_terminal([STRAND, "init", *flags, "--engine", "embedded"], shell.environment(), tmp_path) as terminal:
        terminal.answer("Do it?", "y")
        assert terminal.end() == 0
    assert configuration(tmp_path) == {
        "node": {"name": "b", "specialty": "go"},
        "api": {"audience": "trusted"},
        "engine": {"kind": "embedded"},
        "trust": {"default_weight": 1.0, "friends": True},
    }


@pytest.mark.parametrize("leaving", ["no", "end", "interrupt"])
def test_a_half_finished_wizard_leaves_nothing_behind(shell: Shell, tmp_path: Path, leaving: str) -> None:
    command = [STRAND, "init", "--engine", "embedded", "--open", "--audience", "trusted"]
    with at_a_terminal(command, shell.environment(), tmp_path) as terminal:
        terminal.answer("A name", "a")
        terminal.answer("good at", "rust")
        terminal.expect("Keys of nodes")
        terminal.expect(": ")
        match leaving:
            case "interrupt":
                terminal.interrupt()
            case "end":
                terminal.type("\x04")
            case "no":
                terminal.type("")
                terminal.answer("Address of a node", "")
                terminal.answer("Do it?", "n")
        code = terminal.end()
    assert (code, left_behind(tmp_path)) == (130 if leaving == "interrupt" else 1, [])
    if leaving != "interrupt":
        assert terminal.shown.splitlines()[-1].startswith("strand: nothing was written")


def test_an_engine_that_does_not_work_is_told_and_asked_for_again(
    shell: Shell, tmp_path: Path, closed_url: str
) -> None:
    flags = ("--name", "b", "--specialty", "go", "--open", "--trust", "", "--bootstrap", "", "--audience", "trusted")
    command = [STRAND, "init", *flags, "--engine-url", closed_url]
    with at_a_terminal(command, shell.environment(), tmp_path) as terminal:
        terminal.expect(f"engine at {closed_url} is not reachable")
        terminal.answer("Use it all the same?", "n")
        choose_server(terminal, "another server")
        terminal.answer("Its URL", closed_url)
        terminal.answer("Use it all the same?", "y")
        terminal.answer("Do it?", "y")
        assert terminal.end() == 0
    assert configuration(tmp_path)["engine"] == {"kind": "openai", "url": closed_url}


def test_a_script_is_asked_nothing(shell: Shell, tmp_path: Path) -> None:
    with model_server(stand_in()) as url:
        key = {"KEY_OF_MINE": StandIn.KEY}
        flags = ("--engine-url", url, "--model", "one", "--key-env", "KEY_OF_MINE", "--friends")
        with at_a_terminal(
            [STRAND, "init", "--yes", "--json", *flags], shell.environment() | key, tmp_path
        ) as terminal:
            terminal.expect("one answered in ")
            assert terminal.end() == 0
    told = configuration(tmp_path)
    assert told["engine"] == {"kind": "openai", "url": url, "model": "one", "api_key": StandIn.KEY}
    assert told["trust"] == {"default_weight": 1.0, "friends": True}


def test_an_engine_of_a_script_must_work_unless_it_says_otherwise(
    shell: Shell, tmp_path: Path, closed_url: str
) -> None:
    assert_refused_after_note(shell, 4, "init", "--engine-url", closed_url)
    assert left_behind(tmp_path) == []
    assert shell.strand("init", "--engine-url", closed_url, "--no-check").code == 0


def assert_refused_after_note(shell: Shell, code: int, *command: str) -> None:
    ran = shell.strand(*command)
    assert (ran.code, ran.stdout) == (code, "")
    *_, line = ran.stderr.splitlines()
    assert line.startswith("strand: engine at ") and line.endswith("; --no-check makes the node all the same")


def test_profiles_have_files_folders_and_ports_of_their_own(shell: Shell, tmp_path: Path) -> None:
    first = shell.strand("init", "--json", "--profile", "first").json
    second = shell.strand("init", "--json", "--profile", "second", "--name", "two").json
    assert first["key"] != second["key"]
    told = [configuration(tmp_path, f"profiles/{name}.toml") for name in ("first", "second")]
    ports = {each["api"]["bind"] for each in told} | {each["overlay"]["listen"][0] for each in told}
    assert len(ports) == 4
    assert not any(port.endswith(("4210", "4211")) for port in ports)
    for name, made in (("first", first), ("second", second)):
        shown = shell.strand("config", "show", "--json", "--profile", name).json
        assert shown["node.data_dir"] == made["data_dir"] == str(tmp_path / f".local/share/strand/profiles/{name}")
    assert not (tmp_path / ".config" / "strand" / "node.toml").exists()
    assert_refused(
        shell.strand("config", "show", "--profile", "third"),
        2,
        "there is no profile 'third' (there are: first, second)",
    )
    assert_refused(shell.strand("init", "--profile", "first", "--config", "x.toml"), 2, "leave --config out")
    again = shell.strand("init", "--json", "--profile", "first").json
    assert again == {**first, "new_key": False}
