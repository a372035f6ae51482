"""What commands print of what strangers wrote, and what their options set."""

import io
import json
import sys

import pytest

from node.cli.parts.options import Source, print_json
from node.cli.run import trust_flags

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


@pytest.mark.parametrize(
    ("default_weight", "friends", "told"),
    [(None, False, (0.0, False)), (0.5, False, (0.5, False)), (None, True, (1.0, True)), (0.5, True, (0.5, True))],
)
def test_friends_have_a_vote(default_weight: float | None, friends: bool, told: tuple[float, bool]) -> None:
    trust = Source().load(**trust_flags(default_weight, friends)).config.trust
    assert (trust.default_weight, trust.friends) == told
