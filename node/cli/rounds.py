"""`strand rounds`."""

import time
from datetime import datetime
from typing import Annotated, Final, Literal

from cyclopts import Parameter, validators
from msgspec import to_builtins
from rich.console import Console
from rich.table import Table
from rich.text import Text

from node.api.rounds import PAGE_MAX, RoundSummary
from node.cli.parts.certificates import FILE_DIGITS
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError
from node.cli.parts.options import JsonFlag, Source, any_case, outside, print_json, stderr, stdout
from node.cli.parts.tables import print_rows
from node.cli.pause import duration_ms
from node.client import Client

LIST_MAX: Final = 1_000
"""Rounds of one list, ten pages: more are found by --search or --since."""

WORDS_MIN: Final = 12
"""Columns that a question's first words get on the narrowest terminal."""

_NAMES: Final = ("when", "id", "task", "audience", "outcome", "P(best)", "question")


async def rounds(
    *,
    search: Annotated[str | None, Parameter(help="A part of a question or answer; case does not matter.")] = None,
    task: Annotated[
        Literal["code", "final", "open"] | None, Parameter(converter=any_case, help="Only rounds of this task.")
    ] = None,
    outcome: Annotated[
        Literal["decided", "degraded", "failed"] | None,
        Parameter(converter=any_case, help="Only rounds with this outcome."),
    ] = None,
    since: Annotated[str | None, Parameter(help="Only rounds that are at most so old, as 30m, 2h or 2d.")] = None,
    gold: Annotated[bool, Parameter(negative="", help="Also rounds that the node asked by itself.")] = False,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=LIST_MAX), help="Most rounds shown.")] = 20,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """List the rounds that the local node asked, newest first."""
    wanted: dict[str, str | int] = {
        name: value for name, value in (("search", search), ("task", task), ("outcome", outcome)) if value is not None
    }
    if since is not None:
        wanted["since_ms"] = max(0, round(time.time() * 1000) - duration_ms(since))
    async with open_client(source, url) as client:
        found, more = await listed(client, limit, gold=int(gold), **wanted)
    if json:
        print_json({"rounds": [to_builtins(each) for each in found], "more": more})
        return 0
    console = stdout()
    if not found:
        stderr().print("no round fits" if wanted else "no round was asked yet: `strand ask` asks one")
    elif console.is_terminal:
        _print_table(found, console)
    else:
        print_rows(_NAMES, [_cells(each, _iso(each.asked_ms), each.query_id) for each in found], console)
    if more:
        stderr().print(f"there are more: --limit {LIST_MAX} at most, --search or --since", highlight=False)
    return 0


async def listed(client: Client, limit: int, **wanted: str | int) -> tuple[list[RoundSummary], bool]:
    """Return rounds, newest first, page by page, and whether there are more. Raises ClientError."""
    found: list[RoundSummary] = []
    after: str | None = ""
    while after is not None and len(found) < limit:
        page = await client.rounds(limit=min(PAGE_MAX, limit - len(found)), after=after, **wanted)
        found += page.rounds
        after = page.next
    return found[:limit], after is not None


async def whole_id(client: Client, digits: str) -> str:
    """Return the id of one of the node's latest rounds that begins with these digits. Raises CliError."""
    found, more = await listed(client, LIST_MAX, gold=1)
    ids = {each.query_id for each in found if each.query_id.startswith(digits)}
    if len(ids) == 1:
        return ids.pop()
    among = f"among the last {len(found)}" if more else "here"
    raise CliError(f"{len(ids) or 'no'} rounds {among} begin with {digits}: `strand rounds` lists them")


def ending(told: RoundSummary) -> str:
    """Return a round's outcome, or how it ended without one."""
    return told.outcome or told.ending or "open"


def _cells(told: RoundSummary, when: str, query_id: str) -> list[str | Text]:
    p_best = "" if told.p_best is None else f"{told.p_best:.2f}"
    turns = f" ({told.turns} turns)" if told.turns > 1 else ""
    words = outside(" ".join(told.text.split()) + turns)
    return [when, query_id, told.task, str(told.audience or ""), ending(told), p_best, words]


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(timespec="seconds")


def _print_table(found: list[RoundSummary], console: Console) -> None:
    """Print a line for each round; of the question the first words that the terminal has room for."""
    today = datetime.now().astimezone().date()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _NAMES:
        table.add_column(name, no_wrap=True, overflow="ellipsis" if name == "question" else "ignore")
    rows = []
    for told in found:
        asked = datetime.fromtimestamp(told.asked_ms / 1000).astimezone()
        when = asked.strftime("%H:%M" if asked.date() == today else "%m-%d")
        rows.append([outside(str(cell)) for cell in _cells(told, when, told.query_id[:FILE_DIGITS])])
    widths = [max(len(name), *(row[column].cell_len for row in rows)) for column, name in enumerate(_NAMES)]
    left = console.width - sum(widths[:-1]) - 2 * (len(_NAMES) - 1)
    if left < WORDS_MIN:
        print_rows(_NAMES, rows, console)
        return
    for row in rows:
        row[-1].truncate(left, overflow="ellipsis")
        table.add_row(*row)
    console.print(table, soft_wrap=False)
