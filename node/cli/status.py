"""`strand status`."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Column, Table

from node.cli.client import open_client
from node.cli.options import JsonFlag, Source, outside, print_json


async def status(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show what the local node does, and whether it really takes part."""
    async with open_client(source, url) as client:
        told = await client.get("/api/status")
    if json:
        print_json(told)
        return 0
    engine = told.pop("engine")
    told["engine"] = (
        f"{engine['model']} ({engine['kind']}, {engine['tokens_per_second']} tok/s)" if engine else "does not answer"
    )
    # Folded, not cut: people copy addresses from here.
    table = Table("", Column(overflow="fold"), show_header=False)
    for key, value in told.items():
        table.add_row(key.replace("_", " "), outside("\n".join(value) if isinstance(value, list) else str(value)))
    Console().print(table)
    if told["store"] != "ok":
        Console().print("This node takes no new work: see the line `store`. It goes on by itself when that is mended.")
    elif not engine:
        Console().print("This node offers nothing: its engine does not answer. See its log.")
    elif not told["peers_connected"]:
        Console().print("This node is alone: no peer is connected. Give it one with --bootstrap.")
    return 0
