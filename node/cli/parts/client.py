"""The client of the node that a command addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.cli.parts.options import Source
from node.client import Client, connect


def node_address(source: Source, url: str | None) -> tuple[str, str]:
    """Return the URL of the node that a command addresses, `url` or the configured one, and its token if it has one.

    Raises ConfigError.
    """
    api = source.load().config.api
    return url or api.url, api.own_token


@asynccontextmanager
async def open_client(source: Source, url: str | None) -> AsyncIterator[Client]:
    """Open a client of `url`, else of the node in the configuration. Raises ConfigError and ClientError."""
    async with connect(*node_address(source, url)) as client:
        yield client
