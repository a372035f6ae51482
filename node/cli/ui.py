"""`strand ui`."""

import sys
import webbrowser
from typing import Annotated

import trio
from cyclopts import Parameter
from msgspec import to_builtins

from node.cli.parts.client import open_client
from node.cli.parts.options import JsonFlag, Source, print_json, print_line


async def ui(
    *,
    open_: Annotated[
        bool, Parameter(name="--open", negative="--no-open", help="Open it in this machine's browser.")
    ] = True,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Print a link to the node's page, and open it. On a node with keys it is valid once, and for a minute."""
    async with open_client(source, url) as client:
        link = await client.ui_link()
    if json:
        print_json(to_builtins(link))
    else:
        print_line(link.url)
        sys.stdout.flush()
    # A browser of the terminal runs until the user leaves it.
    if open_ and not await trio.to_thread.run_sync(webbrowser.open, link.url, abandon_on_cancel=True):  # type: ignore[call-arg]
        print("strand: found no browser here: open the link yourself", file=sys.stderr)
    return 0
