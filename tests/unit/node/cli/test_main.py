"""Parsing, exit codes and refusals, in this process: whatever needs no node."""

import io
import json
import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import structlog

from node.cli.init.command import ReadyFile
from node.cli.main import run
from node.cli.verify import read_keys
from node.config import NodeConfig, load_config
from node.keys import KEY_NAME
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.versions import CURRENT
from tests.support.hand import Hand
from tests.support.processes import assert_refusal_line
from tests.vectors.certificates import FOLDER, folder_name

COMMANDS = [
    "completion",
    "demo",
    "init",
    "local",
    "run",
    "ask",
    "status",
    "engine",
    "peers",
    "show",
    "verify",
    "sim",
    "config",
    "config show",
    "gold",
    "gold make",
]
DEAD = "http://127.0.0.1:9"
"""The discard port, on which no test machine listens."""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_given_on_stdout(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([*command.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"Usage: strand {command}".rstrip() in captured.out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("0.")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["frobnicate"], 2, ["frobnicate"]),
        (["ask", "--nonsense"], 2, ["--nonsense"]),
        (["ask", "x", "--nonsense"], 2, ["--nonsense"]),
        (["ask"], 2, ["nothing is asked", "--file"]),
        (["ask", "x", "--file", "absent.rs"], 2, ["absent.rs", "No such file"]),
        (["ask", "x", "--file=-"], 2, ["leave out --file -"]),
        (["ask", "x", "--stream", "--json"], 2, ["--stream and --json"]),
        (["ask", "x", "--stream", "--watch"], 2, ["--stream and --watch"]),
        (["ask", ""], 2, ["empty"]),
        (["ask", "\udcff"], 2, ["not UTF-8"]),
        (["ask", "x", "--task", "poem"], 2, ["poem"]),
        (["ask", "x", "--max-tokens", "0"], 2, ["--max-tokens"]),
        (["ask", "x", "--timeout", "nan"], 2, ["--timeout"]),
        (["ask", "x", "--url", "nowhere"], 2, ["http://HOST:PORT", "nowhere"]),
        (["ask", "x", "--url", "http://[::"], 2, ["not a URL"]),
        (["ask", "x", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["status", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["engine", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["peers", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["show", "0" * 64, "--url", DEAD], 4, [DEAD, "strand run"]),
        (["show", "absent"], 2, ["absent", "No such file"]),
        (["verify", "absent"], 2, ["absent", "No such file"]),
        (["verify", "."], 2, ["Is a directory"]),
        (["demo", "--nodes", "0"], 2, ["--nodes"]),
        (["demo", "--nodes", "many"], 2, ["--nodes"]),
        (["demo", "--engine", "steam"], 2, ["steam"]),
        (["demo", " "], 2, ["empty"]),
        (["init", "--trust", "abc"], 2, ["64 hexadecimal digits", "strand id", "'abc'"]),
        (["run", "--engine", "steam"], 2, ['"steam" for --engine', "embedded, openai, vllm, scripted"]),
        (["run", "--engine", "OpenAI", "--bind", "x"], 2, ["HOST:PORT"]),
        (["ask", "x", "--task", "CODE", "--url", DEAD], 4, [DEAD]),
        (["run", "--bind", "0.0.0.0:0"], 2, ["0.0.0.0:0", "token"]),
        (["run", "--bind", "127.0.0.1"], 2, ["HOST:PORT"]),
        (["run", "--bind", "127.0.0.1:0", "--network", "atlantis"], 2, ["atlantis", "devnet"]),
        (["config", "show", "--config", "absent.toml"], 2, ["absent.toml"]),
    ],
)
def test_bad_input_is_one_line_and_a_documented_code(
    capsys: pytest.CaptureFixture[str], home: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    here = ["--data-dir", str(home / "node")] if arguments[0] == "run" else []
    assert run([*arguments, *here]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, *words)


@pytest.mark.parametrize(
    ("raw", "words"), [(b"", "empty"), (b"\xff", "not UTF-8"), (b"x" * 70_000, "more than"), (b"fn main", DEAD)]
)
def test_a_question_from_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raw: bytes, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert run(["ask", "-", "--url", DEAD]) == (4 if words == DEAD else 2)
    assert_refusal_line(capsys.readouterr().err, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is no certificate", "malformed", "rule P1"]),
        (b"fn main() {}", ["is no certificate", "malformed", "rule P1"]),
        (b"\x00" * 100, ["malformed", "rule P1"]),
        (b"-----BEGIN CERTIFICATE-----", ["rule P1"]),
        (b"x" * (CERTIFICATE_BYTES_MAX + 1), ["larger than any certificate"]),
    ],
)
@pytest.mark.parametrize("command", ["verify", "show"])
def test_what_is_no_certificate_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, content: bytes, words: list[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert run([command, str(path)]) == 1
    assert_refusal_line(capsys.readouterr().err, *words)


def test_the_steps_of_a_verification_are_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    raw = (FOLDER / folder_name(CURRENT) / "full.certificate").read_bytes()
    path = tmp_path / "file"
    path.write_bytes(raw)
    assert run(["verify", str(path), "--steps"]) == 0
    first, *_, valid = capsys.readouterr().out.splitlines()
    assert (first.split()[:3], valid.split()[0]) == (["passed", "P1,", "P2"], "valid:")
    path.write_bytes(raw[:-1])
    assert run(["verify", str(path), "--steps"]) == 1
    told = capsys.readouterr()
    failed, missed, *_ = told.out.splitlines()
    assert (failed.split()[:2], missed.split()[:3]) == (["FAILED", "P1"], ["not", "reached", "R1"])
    assert_refusal_line(told.err, "rule P1")
    assert run(["verify", str(path), "--steps", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["steps"][0]["state"] == "failed"


@pytest.mark.parametrize("trust", ["nope.txt", f"{'ab' * 32}x"])
def test_a_file_of_keys_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, trust: str
) -> None:
    assert run(["verify", str(tmp_path / "absent"), "--trust", trust]) == 2
    assert_refusal_line(capsys.readouterr().err, "--trust wants keys of 64", f"there is no file {trust}")


def test_keys_may_be_more_than_a_files_name_has_letters() -> None:
    keys = [bytes([number]) * 32 for number in range(40)]
    assert read_keys(",".join(key.hex() for key in keys)) == set(keys)


@pytest.mark.parametrize("trust", ["", "xyz", "ab", "ab" * 33, f"{'ab' * 32},cd", "/dev/null"])
def test_keys_to_trust_are_checked_before_the_certificate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, trust: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert run(["verify", str(path), "--trust", trust]) == 2
    assert_refusal_line(capsys.readouterr().err, "--trust")


def test_an_unknown_key_of_the_configuration_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[round]\npatience = 3\n")
    assert run(["run", "--config", str(file)]) == 2
    assert_refusal_line(capsys.readouterr().err, "round.patience", str(file), "round.patience_ms")


def test_every_setting_is_shown_with_its_origin(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[round]\npatience_ms = 3\n")
    monkeypatch.setenv("STRAND_API_TOKEN", "secret of the test")
    command = ["config", "show", "--config", str(file), "--data-dir", str(tmp_path / "node")]
    assert run([*command, "--origin", "--json"]) == 0
    text = capsys.readouterr().out
    told = json.loads(text)
    assert told["round.patience_ms"] == {"value": 3, "origin": str(file)}
    assert told["node.data_dir"] == {"value": str(tmp_path / "node"), "origin": "flag"}
    assert told["api.token"] == {"value": "(set)", "origin": "environment STRAND_API_TOKEN"}
    assert told["node.network"] == {"value": "devnet", "origin": "default"}
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {key: row["value"] for key, row in told.items()}
    assert run(command) == 0
    words = capsys.readouterr().out
    assert "round.patience_ms" in words
    assert "secret of the test" not in text + words


def test_init_makes_a_node_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["init", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["new_key"] is True
    assert Path(first["data_dir"]).is_relative_to(tmp_path)
    config = Path(first["config"])
    config.write_text(config.read_text() + "# mine\n")
    assert run(["init", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**first, "new_key": False}
    assert config.read_text().endswith("# mine\n")
    assert run(["init"]) == 0
    assert f"found the key {first['key']}" in capsys.readouterr().out


def test_init_writes_the_file_that_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--ready", "ollama", "--json"]) == 0
    assert "11434" in Path(json.loads(capsys.readouterr().out)["config"]).read_text()


def test_a_ready_file_is_named_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--ready", "Ollama"]) == 0
    assert "wrote the configuration" in capsys.readouterr().out


def test_init_does_not_replace_a_file_by_another_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    assert run(["init", "--ready", "llama-cpp", "--config", str(mine)]) == 0
    capsys.readouterr()
    assert run(["init", "--ready", "ollama", "--config", str(mine)]) == 1
    assert_refusal_line(capsys.readouterr().err, "mine.toml")
    assert "8080" in mine.read_text()


@pytest.mark.parametrize("ready", get_args(ReadyFile))
def test_init_writes_the_folder_into_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: str
) -> None:
    """Also one that is named from the present folder: later commands may start elsewhere."""
    name = 'a "quoted" \\ folder\x7f, \N{SNOWMAN}'
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--ready", ready, "--data-dir", name]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.chdir("/")
    assert load_config(file=None, environment={}).config.node.data_dir == tmp_path / name


def test_init_says_that_a_kept_file_names_another_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["init"]) == 0
    capsys.readouterr()
    assert run(["init", "--data-dir", str(tmp_path / "other")]) == 0
    assert "names another folder" in capsys.readouterr().err


def test_a_key_that_others_may_read_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "node"
    assert run(["init", "--data-dir", str(folder), "--no-write-config"]) == 0
    assert not (tmp_path / ".config").exists()
    (folder / KEY_NAME).chmod(0o644)
    capsys.readouterr()
    assert run(["run", "--engine", "scripted", "--bind", "127.0.0.1:0", "--data-dir", str(folder)]) == 1
    assert_refusal_line(capsys.readouterr().err, KEY_NAME, "644", "chmod 600")


def test_a_bug_is_one_line_and_with_debug_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a bug of the test")

    monkeypatch.setattr("node.cli.show.loading.read_round", broken)
    path = tmp_path / "file"
    path.write_bytes(Hand().query.envelope)
    assert run(["show", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("strand: internal error: ZeroDivisionError")
    assert captured.err.count("\n") == 1
    with pytest.raises(ZeroDivisionError):
        run(["show", str(path), "--debug"])


def test_a_bug_is_a_short_line_that_names_its_log(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is kept for whoever reports it; the query, which may be private, is not."""

    def broken(_: object) -> None:
        raise ZeroDivisionError("token=hush" + "x" * 100_000)

    monkeypatch.setattr("node.cli.show.loading.read_round", broken)
    monkeypatch.setattr("platformdirs.user_log_path", lambda _: tmp_path / "log")
    path = tmp_path / "private"
    path.write_bytes(b"x")
    assert run(["show", str(path)]) == 1
    line = capsys.readouterr().err
    log = tmp_path / "log" / "error.log"
    assert len(line) <= 301 and line.count("\n") == 1
    assert line.endswith(f"; see {log}\n")
    kept = log.read_text()
    assert len(kept) < 70_000 and kept.startswith("strand show\n")
    assert "hush" not in kept and str(path) not in kept
    assert log.stat().st_mode & 0o077 == 0
    log.unlink()
    log.mkdir()
    assert run(["show", str(path)]) == 1
    assert capsys.readouterr().err.endswith("run again with --debug for a traceback\n")


def test_logs_go_to_stderr_whatever_the_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default structlog writes to stdout: `demo --json` printed a line of its engine before its JSON."""

    def talkative(_: object) -> Fault:
        structlog.get_logger().warning("engine.ended")
        logging.getLogger("a.library").warning("a word")
        return Fault(FaultReason.MALFORMED, "P1")

    monkeypatch.setattr("node.cli.show.loading.read_round", talkative)
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert run(["show", str(path), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "engine.ended" in captured.err and "a word" in captured.err


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "config show",
        "config show --origin",
        "model list",
        "verify FILE",
        "show FILE",
        "sim --nodes 3 --rounds 1",
    ],
)
def test_all_of_stdout_is_one_json_document(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    """Also where the command refuses: then stdout is empty, or says why in JSON. Those of a node are in tests/e2e."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    code = run([*command.replace("FILE", str(path)).split(), "--json"])
    captured = capsys.readouterr()
    assert code in (0, 1), captured.err
    if code == 0 or captured.out:
        json.loads(captured.out)


def test_every_setting_is_one_line_that_can_be_searched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long " * 30)
    monkeypatch.setenv("COLUMNS", "40")
    keys = ",".join([64 * "a", 64 * "b"])
    monkeypatch.setenv("STRAND_SERVE_KEYS", keys)
    assert run(["config", "show", "--origin", "--data-dir", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f'node.data_dir = "{folder}"  # flag' in lines
    assert f'serve.keys = ["{64 * "a"}", "{64 * "b"}"]  # environment STRAND_SERVE_KEYS' in lines
    assert len(lines) == sum(len(fields(getattr(NodeConfig(), table.name))) for table in fields(NodeConfig))


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--listen", "/dns4/localhost/tcp/4211", "write /ip4/127.0.0.1/tcp/4211"),
        ("--announce", "/ip4/0.0.0.0/tcp/4211", "write /ip4/<the address that others reach>/tcp/4211"),
        ("--bootstrap", "/ip4/127.0.0.1/tcp/1", "must end in the peer's id"),
        ("--default-weight", "17", "trust.default_weight in flag: Expected `float` <= 16"),
        ("--specialty", "x" * 65, "node.specialty in flag"),
    ],
)
def test_flags_of_a_node_are_checked_before_anything_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flag: str, value: str, told: str
) -> None:
    """In no folder of this kind a node could start."""
    no_folder = tmp_path / "file"
    no_folder.touch()
    assert run(["run", "--engine", "scripted", "--data-dir", str(no_folder), flag, value]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, told)


@pytest.mark.parametrize("digits", [16, 64])
def test_a_kept_certificate_is_shown_by_its_id_without_a_node(
    tmp_path: Path, digits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    fixtures = Path(__file__).parents[3] / "fixtures" / "certificates"
    kept = (fixtures / "wire-1-hbt-2-forms-1-draws-1" / "degraded.certificate").read_bytes()
    id_ = "0123456789abcdef" * 4
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / f"{id_[:16]}.strand").write_bytes(kept)
    assert run(["show", id_[:digits], "--data-dir", str(tmp_path)]) == 0
    assert "strength" in capsys.readouterr().out
    assert run(["show", "f" * 16, "--data-dir", str(tmp_path), "--url", "http://127.0.0.1:9"]) == 2
