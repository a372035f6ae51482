"""What `strand demo` tells while it waits, and at its end."""

from io import StringIO

import pytest
from rich.console import Console

from node.cli.demo import counted, took


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_waited_for_is_counted(terminal: bool) -> None:
    shown = StringIO()
    with counted("nodes ready", 2, Console(file=shown, force_terminal=terminal)) as count:
        count(1)
        count(2)
    if terminal:
        assert "nodes ready: 2 of 2" in shown.getvalue()
    else:
        assert shown.getvalue() == "nodes ready: 1 of 2\nnodes ready: 2 of 2\n"


def test_times_are_told_in_words() -> None:
    told = took({"answering": 1_240, "to_answer": 2_000, "total": 3_000})
    assert told == "took answering 1.2 s, until the answer 2.0 s, in all 3.0 s"
