"""`strand mcp`."""

from importlib.util import find_spec
from typing import Annotated

from cyclopts import Parameter

from node.cli.parts.client import node_address
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import Source
from node.client import connect


async def mcp(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    token: Annotated[
        str | None, Parameter(help="Its token; better in STRAND_API_TOKEN, which no process list shows.")
    ] = None,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Serve the Model Context Protocol over stdin and stdout, by the local node, until stdin ends."""
    if find_spec("mcp") is None:
        raise CliError("the package of the protocol is missing: pip install 'strand-swarm[mcp]'", Exit.USAGE)
    url, configured = node_address(source, url)
    token = configured if token is None else token
    async with connect(url, token) as node:
        # Tell on stderr what is wrong with the node or the token; the protocol's own error would be a long one.
        await node.status()
    from node.cli.mcp.proxy import serve_stdio

    await serve_stdio(f"{url.rstrip('/')}/mcp", token)
    return Exit.OK
