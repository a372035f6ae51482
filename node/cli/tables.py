"""Tables for people: as columns where the terminal is wide enough, else one block for each row. Nothing is cut."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def print_rows(names: Sequence[str], rows: Sequence[Sequence[str | Text]], console: Console) -> None:
    """Print rows of as many cells as there are names; blocks leave out what is empty."""
    columns = Table(*names)
    for row in rows:
        columns.add_row(*row)
    if console.measure(columns, options=console.options.update(max_width=_ANY_WIDTH)).maximum <= console.width:
        console.print(columns)
        return
    for row in rows:
        block = Table("", Column(overflow="fold"), show_header=False)
        for name, cell in zip(names, row, strict=True):
            if str(cell):
                block.add_row(name, cell)
        console.print(block)


_ANY_WIDTH = 10_000
"""columns of a terminal that no row of ours fills: a row is measured as wide as it would like to be."""
