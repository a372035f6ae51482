"""`strand diff`."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from node.api.rounds import CertifiedAnswer
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import KEY_DIGITS, JsonFlag, Source, outside, print_json, stdout
from node.cli.show.explained import ExplainedRound
from node.cli.show.loading import load

SIDE_MIN: Final = 30
"""Columns that one side of a side-by-side view needs at least."""

_PLACE: Final = re.compile(r"(?P<round>.+?)(?::(?P<place>[0-9]{1,3}))?")
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two answers."""

    name: str
    answer: CertifiedAnswer

    @property
    def title(self) -> str:
        """Return what stands above it."""
        return f"{self.name} by {self.answer.author[:KEY_DIGITS]}, P(best) {self.answer.p_best or 0:.2f}"

    @property
    def lines(self) -> list[str]:
        """Return its lines, safe to print."""
        return [outside(line).plain for line in self.answer.text.strip().splitlines()]


async def diff(
    a: Annotated[
        str | None,
        Parameter(help="A certificate file or a query's id, else the last round; :PLACE names another answer."),
    ] = None,
    b: Annotated[
        str | None, Parameter(help="The same, or the place of another answer of that round; else the next best one.")
    ] = None,
    *,
    side_by_side: Annotated[bool, Parameter(negative="", help="Show both answers beside each other.")] = False,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show how two ranked answers differ: those of places 1 and 2 of a round, or others by their places."""
    named, place = (None, None) if a is None else _parse(a)
    told = await _round(named, source, url)
    one = _side(told, place or 1)
    if b is None:
        other = _side(told, 2 if one.answer.place == 1 else 1)
    elif b.isascii() and b.isdecimal() and len(b) <= 3:
        other = _side(told, int(b))
    else:
        named, place = _parse(b)
        told_too = await _round(named, source, url)
        other = _side(told_too, place or 1)
    console = stdout()
    if side_by_side and not json and console.width < 2 * SIDE_MIN + 3:
        raise CliError(
            f"--side-by-side needs a terminal of {2 * SIDE_MIN + 3} columns, not {console.width}", Exit.USAGE
        )
    unified = list(difflib.unified_diff(one.lines, other.lines, one.title, other.title, lineterm=""))
    if json:
        sides = [{"place": s.answer.place, "author": s.answer.author, "text": s.answer.text} for s in (one, other)]
        print_json({"a": sides[0], "b": sides[1], "equal": not unified, "diff": "\n".join(unified)})
    elif not unified:
        console.print(outside(f"{one.title} and {other.title} are the same text"), soft_wrap=True)
    elif side_by_side:
        _print_beside(one, other, console)
    else:
        for number, line in enumerate(unified):
            # The first two lines are headings, which begin as lines of the texts do.
            style = "bold" if number < 2 else _STYLES.get(line[:1], "")
            console.print(Text(line, style), soft_wrap=True, highlight=False)
    return 0


def _parse(text: str) -> tuple[str, int | None]:
    """Return the round and the place that an argument names."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise CliError("name a certificate file or a query's id, with :PLACE for one of its answers", Exit.USAGE)
    return match["round"], None if match["place"] is None else int(match["place"])


async def _round(named: str | None, source: Source, url: str | None) -> ExplainedRound:
    told = (await load(named, source, url)).why
    if told is None:
        raise CliError(f"{named or 'the certificate'} is of an earlier version, which tells the winner's text alone")
    return told


def _side(told: ExplainedRound, place: int) -> _Side:
    answers = {each.place: each for each in told.ranked}
    if place not in answers:
        raise CliError(f"round {told.query_id[:FILE_DIGITS]} has places 1 to {len(answers)}, not {place}", Exit.USAGE)
    return _Side(f"{told.query_id[:FILE_DIGITS]}:{place}", answers[place])


def _print_beside(one: _Side, other: _Side, console: Console) -> None:
    """Print both texts in columns; a line that is longer than its column goes on below."""
    width = (console.width - 3) // 2
    for mark, left, right in [(" ", one.title, other.title), *_paired(one.lines, other.lines)]:
        lefts, rights = _folded(left, width), _folded(right, width)
        for row in range(max(len(lefts), len(rights))):
            text = Text(lefts[row] if row < len(lefts) else "", "red" if mark in "|<" else "")
            text.append(" " * (width - text.cell_len))
            text.append(f" {mark} ")
            text.append(rights[row] if row < len(rights) else "", "green" if mark in "|>" else "")
            console.print(text, soft_wrap=True, highlight=False)


def _paired(one: list[str], other: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield lines side by side with a mark between: | for changed, < and > for those of one side alone."""
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        for row in range(max(i2 - i1, j2 - j1)):
            left = one[i1 + row] if i1 + row < i2 else None
            right = other[j1 + row] if j1 + row < j2 else None
            mark = " " if tag == "equal" else ">" if left is None else "<" if right is None else "|"
            yield mark, left or "", right or ""


def _folded(line: str, width: int) -> list[str]:
    """Return a line in pieces of at most `width` columns, none lost."""
    pieces, rest = [], Text(line.expandtabs(4))
    while rest.cell_len > width:
        cut = width
        while rest[:cut].cell_len > width:
            cut -= 1
        pieces.append(rest[:cut].plain)
        rest = rest[cut:]
    return [*pieces, rest.plain]
