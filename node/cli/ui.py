"""`strand ui`."""

import sys
import webbrowser
from typing import Annotated

import trio
from cyclopts import Parameter
from msgspec import to_builtins

from node.api.ui import UiLink
from node.cli.parts.client import node_address
from node.cli.parts.options import JsonFlag, Source, outside, print_json, print_line, stderr
from node.cli.parts.running import only_running, running_nodes
from node.client import connect
from node.client.errors import UnreachableError


async def ui(
    *,
    open_: Annotated[
        bool, Parameter(name="--open", negative="--no-open", help="Open it in this machine's browser.")
    ] = True,
    url: Annotated[
        str | None, Parameter(help="The node's HTTP interface; default: as configured, else your only one that runs.")
    ] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Print a link to the node's page, and open it. On a node with keys it is valid once, and for a minute."""
    link = await _link(source, url)
    if json:
        print_json(to_builtins(link))
    else:
        print_line(link.url)
        sys.stdout.flush()
    # A browser of the terminal runs until the user leaves it.
    if open_ and not await trio.to_thread.run_sync(webbrowser.open, link.url, abandon_on_cancel=True):  # type: ignore[call-arg]
        print("strand: found no browser here: open the link yourself", file=sys.stderr)
    return 0


async def _link(source: Source, url: str | None) -> UiLink:
    """Return a link to the node that is named; without a name, if the configured one does not run, to the only other.

    Raises CliError if several others run, ConfigError, and ClientError.
    """
    address, token = node_address(source, url)
    try:
        return await _link_of(address, token)
    except UnreachableError:
        node = None if url is not None or source.is_given else only_running(running_nodes(besides=address))
        if node is None:
            raise
    stderr().print(outside(f"the node that runs here is {node.name}, at {node.url}"), soft_wrap=True, highlight=False)
    return await _link_of(node.url, "")  # the token is the configured node's


async def _link_of(url: str, token: str) -> UiLink:
    async with connect(url, token) as client:
        return await client.ui_link()
