"""What commands print of what strangers wrote."""

import json

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
