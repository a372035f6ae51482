"""`strand pause`."""

import re
from typing import Annotated

from cyclopts import Parameter
from msgspec import to_builtins

from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, print_json

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


async def pause(
    *,
    for_: Annotated[
        str | None, Parameter(name="--for", help="How long, as 90s, 30m, 2h or 1d; else until resumed.")
    ] = None,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Join no new rounds of others, but finish those under way. The pause lasts across restarts."""
    for_ms = None if for_ is None else duration_ms(for_)
    async with open_client(source, url) as client:
        told = await client.pause(for_ms)
    if json:
        print_json(to_builtins(told))
    else:
        print(
            f"paused {'until `strand resume`' if for_ is None else f'for {for_}'}; your own questions are still asked"
        )
    return 0


def duration_ms(text: str) -> int:
    """Return a duration such as 2h in milliseconds. Raises CliError."""
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if found is None:
        raise CliError(f"a duration is like 90s, 30m, 2h or 1d, not {text!r}", Exit.USAGE)
    return int(found[1]) * UNITS_MS[found[2]]
