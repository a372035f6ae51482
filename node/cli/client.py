"""The client of the node that a command is about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.cli.options import Source
from node.client import Client, connect


@asynccontextmanager
async def open_client(source: Source, url: str | None) -> AsyncIterator[Client]:
    """A client of `url`, else of the node that the configuration describes. Raises ConfigError and ClientError."""
    config = source.load().config
    host, port = config.api.address
    async with connect(url or f"http://{f'[{host}]' if ':' in host else host}:{port}", config.api.token) as client:
        yield client
