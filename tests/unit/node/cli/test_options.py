"""What commands print of what strangers wrote."""

import io
import json
import sys

import pytest

from node.cli.options import print_json

HOSTILE = "a\x9b2J\u202eb\u2028\U000e0001\x7f\x1b[2J\né"


def test_json_on_a_terminal_holds_no_controls(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON escapes what is below a space and no more: C1 sequences and letters that reorder a line came through."""
    print_json({"model": HOSTILE})
    told = capsys.readouterr().out
    assert json.loads(told) == {"model": HOSTILE}
    assert all(letter.isprintable() or letter == "\n" for letter in told)
    assert "é" in told


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Letters that the stream does not have become its own escapes, which JSON does not know."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
    print_json({"é": "\N{SNOWMAN}\N{GRINNING FACE}"})
    assert json.loads(raw.getvalue().decode(encoding)) == {"é": "\N{SNOWMAN}\N{GRINNING FACE}"}
