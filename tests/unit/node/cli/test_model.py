"""`strand model`: what it says, and what it refuses before anything is fetched."""

import json
from pathlib import Path

import pytest

from node.cli.main import run
from node.inference.embedded import DEFAULT_FILE, DEFAULT_MODEL
from tests.support.processes import assert_refusal_line


@pytest.mark.parametrize("command", ["", "list", "pull", "convert-gguf"])
def test_help_is_given_on_stdout(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(["model", *command.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"Usage: strand model {command}".rstrip() in captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["frobnicate"], 2, ["frobnicate"]),
        (["list", "--nonsense"], 2, ["--nonsense"]),
        (["pull"], 2, ["--name"]),
        (["pull", "tiny"], 2, ["'tiny' is neither owner/repo", DEFAULT_MODEL]),
        (["pull", "../tiny"], 2, ["neither"]),
        (["pull", "a/b/c"], 2, ["neither"]),
        (["pull", "a/.."], 2, ["neither"]),
        (["pull", "a/b--c"], 2, ["neither"]),
        (["pull", "strand/" + "x" * 97], 2, ["neither"]),
        (["pull", "strand/\x1b[2J"], 2, ["neither"]),
        (["pull", DEFAULT_MODEL, "--revision", "main"], 2, ["--revision"]),
        (["pull", DEFAULT_MODEL, "--file", "*"], 2, ["--file"]),
        (["convert-gguf"], 2, ["--file"]),
        (["convert-gguf", "absent.gguf"], 2, ["--out"]),
        (["convert-gguf", "absent.gguf", "out"], 1, ["cannot read absent.gguf: No such file"]),
        (["convert-gguf", ".", "out"], 1, ["Is a directory"]),
    ],
)
def test_bad_input_is_one_line_and_a_documented_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: list[str]
) -> None:
    assert run(["model", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, *words)
    assert captured.err.strip().isprintable()


def test_the_package_model(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an empty home, its model is pulled without a network, listed, and in nobody's way."""
    options = ["--data-dir", str(home / "data")]
    assert run(["model", "pull", DEFAULT_MODEL, "--json", *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    pulled = json.loads(captured.out)
    path = home / "data" / "models" / DEFAULT_MODEL / DEFAULT_FILE
    assert pulled["path"] == str(path.parent)
    assert [(each["path"], each["kind"], each["state"]) for each in pulled["models"]] == [
        (str(path), "gguf", "verified")
    ]
    assert run(["model", "pull", DEFAULT_MODEL, *options]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [f"{DEFAULT_MODEL}, 98.4 MB, verified (sha256 of 1): {path.parent}", f"gguf: {path}"]
    assert run(["model", "list", "--json", *options]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["folder"] == str(home / "data" / "models")
    assert listed["packaged"]["state"] == "verified"
    assert listed["models"] == pulled["models"]
    assert run(["model", "list", *options]) == 0
    assert capsys.readouterr().out.count("verified") == 2
    # The folder that the pull made is one in which the node's key may lie.
    assert run(["init", "--no-write-config", *options]) == 0


def test_a_place_that_cannot_be(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "file").write_text("")
    assert run(["model", "pull", DEFAULT_MODEL, "--data-dir", str(home / "file" / "data")]) == 1
    assert_refusal_line(capsys.readouterr().err, "cannot make", "Not a directory")


def test_a_conversion(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given what stands in for vLLM's interpreter, in the configuration or the options, the command uses it."""
    python = home / "python"
    words = '{"done": {"architecture": "Tiny", "parameters": 7000, "chat_template": false}}'
    python.write_text(f"#!/bin/sh\necho '{{}}' > \"$4/config.json\"; echo '{words}'\n")
    python.chmod(0o755)
    file, config = home / "tiny.gguf", home / "strand.toml"
    file.write_bytes(b"GGUF")
    config.write_text('[vllm]\npython = "~/python"\n')
    assert run(["model", "convert-gguf", str(file), str(home / "one"), "--config", str(config), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {
        "path": str(home / "one"),
        "bytes": 3,
        "architecture": "Tiny",
        "parameters": 7000,
        "chat_template": False,
    }
    assert run(["model", "convert-gguf", str(file), str(home / "two"), "--python", str(python)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"Tiny with 7,000 parameters, 3 bytes: {home / 'two'}\n"
    assert "--chat-template" in captured.err
    assert run(["model", "convert-gguf", str(file), str(home / "two"), "--python", str(python)]) == 1
    assert_refusal_line(capsys.readouterr().err, "exists already")
