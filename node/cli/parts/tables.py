"""Tables for people and pipes. No value is cut or broken: keys, addresses and settings are copied and searched for.

On a terminal rows are columns if it is wide enough, else one block each. In a pipe each row is one line, so that `grep`
finds it whole.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from node.cli.parts.options import KEY_DIGITS, outside

_ANY_WIDTH = 10_000
"""Columns of a terminal that no row fills: a row is measured at its preferred width."""

_NOTHING = "-"
"""Placeholder of an empty cell in a line, so that fields can be counted."""


def print_rows(names: Sequence[str], rows: Sequence[Sequence[str | Text]], console: Console) -> None:
    """Print rows with one cell for each name; blocks leave out empty cells."""
    if not console.is_terminal:
        _print_lines([names, *([cell if str(cell) else _NOTHING for cell in row] for row in rows)], console)
        return
    columns = Table(*names)
    for row in rows:
        columns.add_row(*map(_one_line, row))
    if not is_too_wide(columns, console):
        console.print(columns, soft_wrap=False)
        return
    for row in rows:
        print_pairs([(name, cell) for name, cell in zip(names, row, strict=True) if str(cell)], console)
        console.print()


def is_too_wide(table: Table, console: Console) -> bool:
    """Whether a terminal would have to break or cut the table's rows."""
    return console.measure(table, options=console.options.update(max_width=_ANY_WIDTH)).maximum > console.width


def print_pairs(pairs: Iterable[tuple[str, str | Text]], console: Console) -> None:
    """Print names and values, one line for each pair."""
    _print_lines(list(pairs), console)


def shown_key(key: str, console: Console) -> str:
    """Return a public key for a table: on a terminal its first digits, in a pipe all."""
    return key[:KEY_DIGITS] if console.is_terminal else key


def _print_lines(rows: Sequence[Sequence[str | Text]], console: Console) -> None:
    """Print cells in aligned columns, two spaces apart."""
    lines = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        for cell, width in zip(line[:-1], widths, strict=False):
            cell.append(" " * (width - cell.cell_len + 2))
        console.print(Text().join(line), soft_wrap=True, highlight=False)


def _one_line(cell: str | Text) -> Text:
    """Return a cell without line ends: a value of several lines is still one record."""
    text = str(cell).replace("\n", "\\n").replace("\t", "\\t")
    return outside(text)
