"""The client of the node that a command addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.cli.options import Source
from node.client import Client, connect


@asynccontextmanager
async def open_client(source: Source, url: str | None) -> AsyncIterator[Client]:
    """Open a client of `url`, else of the node in the configuration. Raises ConfigError and ClientError."""
    config = source.load().config
    host, port = config.api.address
    async with connect(url or f"http://{f'[{host}]' if ':' in host else host}:{port}", config.api.own_token) as client:
        yield client
