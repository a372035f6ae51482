"""Tables at 80 columns and in pipes: no value is cut, one record is one line."""

import io

import pytest
from rich.console import Console

from node.cli.parts.tables import print_pairs, print_rows, shown_key

KEY = "ab" * 32
ADDRESS = "/ip4/203.0.113.77/tcp/4211/p2p/12D3KooWKy87mW2QMouLLspCtvWBNvm9ELWxBHVgJWaLGYvaT1b1"
ROWS = [(KEY, "yes", ADDRESS), (KEY[::-1], "", ADDRESS)]
NAMES = ("key", "connected", "address")


def console(width: int = 80, *, terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, force_terminal=terminal, color_system=None, soft_wrap=True), out


@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_value_is_cut(width: int, terminal: bool) -> None:
    shown, out = console(width, terminal=terminal)
    print_rows(NAMES, ROWS, shown)
    print_pairs([("key", KEY), ("address", ADDRESS)], shown)
    assert out.getvalue().count(KEY) == 2
    assert out.getvalue().count(KEY[::-1]) == 1
    assert out.getvalue().count(ADDRESS) == 3


def test_in_a_pipe_a_record_is_a_line_of_as_many_fields() -> None:
    shown, out = console(terminal=False)
    print_rows(NAMES, [*ROWS, ("two\nlines", "a[b]c", "\x1b[2J")], shown)
    lines = out.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        ["key", "connected", "address"],
        [KEY, "yes", ADDRESS],
        [KEY[::-1], "-", ADDRESS],
        ["two\\nlines", "a[b]c", "\N{REPLACEMENT CHARACTER}[2J"],
    ]


def test_a_terminal_that_is_wide_enough_has_columns() -> None:
    shown, out = console(200, terminal=True)
    print_rows(NAMES, ROWS, shown)
    assert sum(KEY in line and ADDRESS in line for line in out.getvalue().splitlines()) == 1
    assert "┃" in out.getvalue()


def test_nothing_is_printed_as_nothing() -> None:
    shown, out = console(terminal=False)
    print_pairs([], shown)
    assert out.getvalue() == ""
    print_rows(NAMES, [], shown)
    assert out.getvalue().split() == list(NAMES)


def test_a_key_is_whole_in_a_pipe() -> None:
    assert shown_key(KEY, console(terminal=False)[0]) == KEY
    assert shown_key(KEY, console(terminal=True)[0]) == KEY[:12]
