"""Comparisons of pairs of answers as text: a matrix where it fits, else a row for each pair."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Console
from rich.text import Text

from node.cli.parts.tables import print_rows

CELL: Final = 8
"""Columns of a cell: a preference of two decimals, and the number of comparisons."""


class PairCount(NamedTuple):
    """All comparisons of two answers."""

    first: int
    """Position of one answer in the caller's list."""
    second: int
    """Position of the other answer."""
    comparisons: int
    """Number of preferences for one of both."""
    preference: float
    """Mean probability, according to the judges, that the first is better; 0.5 without any."""
    abstentions: int = 0
    """Number of comparisons in which the judge abstained."""


def matrix(names: Sequence[str], pairs: Sequence[PairCount]) -> list[Text]:
    """Return the lines of a matrix: in row and column of two answers stands the preference for the row's answer."""
    cells = {}
    for each in pairs:
        if each.comparisons:
            cells[each.first, each.second] = (each.preference, each.comparisons)
            cells[each.second, each.first] = (1 - each.preference, each.comparisons)
    margin = max(map(len, names), default=0)
    lines = [Text(" " * margin + "".join(name.rjust(CELL) for name in names))]
    for row, name in enumerate(names):
        line = Text(name.rjust(margin))
        for column in range(len(names)):
            if row == column:
                line.append("\N{MIDDLE DOT}".rjust(CELL))
            elif (row, column) in cells:
                preference, count = cells[row, column]
                # The colour repeats what the figure says, so nothing is lost without it.
                line.append(f"{preference:.2f}/{count}".rjust(CELL), "green" if preference > 0.5 else "red")
            else:
                line.append("-".rjust(CELL))
        lines.append(line)
    return lines


def print_matrix(names: Sequence[str], pairs: Sequence[PairCount], console: Console) -> None:
    """Print the matrix if no line is longer than the console is wide, else a row for each pair that was compared."""
    lines = matrix(names, pairs)
    if lines[0].cell_len <= console.width:
        for line in lines:
            console.print(line, highlight=False)
        return
    rows = [
        (names[x.first], names[x.second], f"{x.preference:.2f}", str(x.comparisons), str(x.abstentions))
        for x in pairs
        if x.comparisons or x.abstentions
    ]
    print_rows(("answer", "against", "preference", "comparisons", "abstentions"), rows, console)
