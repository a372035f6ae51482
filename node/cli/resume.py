"""`strand resume`."""

from typing import Annotated

from cyclopts import Parameter
from msgspec import to_builtins

from node.cli.parts.client import open_client
from node.cli.parts.options import JsonFlag, Source, print_json


async def resume(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Accept rounds of other nodes again."""
    async with open_client(source, url) as client:
        told = await client.resume()
    if json:
        print_json(to_builtins(told))
    else:
        print("works for others" if told.open else f"resumed, but {(told.why_not or '').replace('_', ' ')}")
    return 0
