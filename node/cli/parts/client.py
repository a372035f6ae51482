"""The client of the node that a command addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.cli.parts.options import Source
from node.cli.parts.running import choices_of, running_nodes
from node.client import BrokenOffError, Client, UnreachableError, connect


def node_address(source: Source, url: str | None) -> tuple[str, str]:
    """Return the URL of the node that a command addresses, `url` or the configured one, and its token if it has one.

    Raises ConfigError.
    """
    api = source.load().config.api
    return url or api.url, api.own_token


@asynccontextmanager
async def open_client(source: Source, url: str | None) -> AsyncIterator[Client]:
    """Open a client of `url`, else of the node in the configuration. Raises ConfigError and ClientError.

    If that does not run, the error names those of this user that do: `strand ui` alone takes another by itself.
    """
    address, token = node_address(source, url)
    try:
        async with connect(address, token) as client:
            yield client
    except BrokenOffError:
        raise
    except UnreachableError as error:
        others = [] if url is not None else running_nodes(besides=address)
        if not others:
            raise
        raise UnreachableError(f"{error}, or name one that runs here: {choices_of(others)}") from error
