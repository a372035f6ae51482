"""`strand reputation`: what is refused before a node is asked."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run
from node.cli.reputation import BATCH, IMPORT_BYTES_MAX, _batches
from tests.support.processes import assert_refusal_line

DEAD = "http://127.0.0.1:9"
"""The discard port, on which no test machine listens."""

RUBBISH = "is no exported reputation"


@pytest.mark.parametrize("command", ["", "show", "export", "import", "gold"])
def test_help_is_given_on_stdout(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(["reputation", *command.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"Usage: strand reputation {command}".rstrip() in captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["frobnicate"], 2, ["frobnicate"]),
        (["show", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["export", "file", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["export"], 2, ["--file"]),
        (["import"], 2, ["--file"]),
        (["import", "absent"], 2, ["absent", "No such file"]),
        (["import", "."], 2, ["Is a directory"]),
        (["gold", "--url", DEAD], 4, [DEAD, "strand run"]),
        (["gold", "0"], 2, ["COUNT", "> 0"]),
        (["gold", "-1"], 2, ["-1"]),
        (["gold", "1001"], 2, ["COUNT", "1000"]),
        (["gold", "nan"], 2, ["nan"]),
        (["gold", "two"], 2, ["two"]),
    ],
)
def test_bad_input_is_one_line_and_a_documented_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: list[str]
) -> None:
    assert run(["reputation", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, *words)


FILES = [
    (b"", RUBBISH),
    (b"{", RUBBISH),
    (b"\xff", "line 1: byte 0xff is not UTF-8"),
    (b"[]", RUBBISH),
    (b"null", RUBBISH),
    (b"{}", RUBBISH),
    (b'{"standings": []}', RUBBISH),
    (b'{"standings": {"x": NaN}}', RUBBISH),
    (b'{"standings": {"x": 1e999}}', RUBBISH),
    (b'{"standings": ' + b"[" * 100_000, RUBBISH),
    (b"x" * (IMPORT_BYTES_MAX + 1), "more than"),
    (b'{"standings": {}}', DEAD),
]


@pytest.mark.parametrize("source", ["file", "-"])
@pytest.mark.parametrize(("raw", "words"), FILES, ids=[f"{raw[:28]!r}" for raw, _ in FILES])
def test_rubbish_is_not_sent_to_the_node(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path, source: str, raw: bytes, words: str
) -> None:
    """Only the last of them gets as far as to find that no node is there."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    (home / "file").write_bytes(raw)
    path = source if source == "-" else str(home / source)
    assert run(["reputation", "import", path, "--url", DEAD]) == (4 if words == DEAD else 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_refusal_line(captured.err, words)


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1, [1]), (BATCH, [BATCH]), (BATCH + 1, [BATCH, 1])])
def test_a_long_file_is_sent_in_parts_that_a_node_takes(count: int, sizes: list[int]) -> None:
    """Every standing once; what else the file says goes with each part, so that the node can refuse it."""
    standings: dict[str, Any] = {f"{number:064x}": {"rounds": number} for number in range(count)}
    file = {"format": "f", "specialty": "rust", "standings": standings}
    parts = list(_batches(json.dumps(file), "file"))
    assert [len(part["standings"]) for part in parts] == sizes
    assert {key: each for part in parts for key, each in part["standings"].items()} == standings
    assert all((part["format"], part["specialty"]) == ("f", "rust") for part in parts)


def test_a_file_of_gold_that_cannot_be_used_is_told_at_the_start(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    file = home / "gold.jsonl"
    file.write_text('{"query": "x"}\n')
    config = home / "node.toml"
    config.write_text(f'[gold]\nfile = "{file}"\n')
    assert (
        run(
            [
                "run",
                "--bind",
                "127.0.0.1:0",
                "--config",
                str(config),
                "--engine",
                "scripted",
                "--data-dir",
                str(home / "node"),
            ]
        )
        == 2
    )
    assert_refusal_line(capsys.readouterr().err, str(file), "line 1", "right")


@pytest.mark.parametrize("share", ["-0.1", "1.1", "nan", '"some"'])
def test_a_share_of_gold_is_one(capsys: pytest.CaptureFixture[str], home: Path, share: str) -> None:
    config = home / "node.toml"
    config.write_text(f"[gold]\nshare = {share}\n")
    assert run(["config", "show", "--config", str(config)]) == 2
    assert_refusal_line(capsys.readouterr().err, "gold.share")
