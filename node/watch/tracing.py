"""Traces of rounds, off by default: opens and closes what `node.watch.spans` makes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
import trio

from node.config import TracingTable
from node.errors import Exit, UserError
from node.rounds.following.timeline import RoundListener

FLUSH_S: Final = 2.0
"""Seconds in which the last spans are sent at the node's end: a collector that is gone does not hold it up."""

log = structlog.get_logger()


class TracingError(UserError):
    """Tracing cannot begin. The message is one line for the user."""

    code = Exit.USAGE


@asynccontextmanager
async def open_tracing(config: TracingTable, key: bytes) -> AsyncIterator[RoundListener | None]:
    """Trace the rounds of the node with this public key for as long as the block runs; None if tracing is off.

    Spans go by OTLP over HTTP to `config.endpoint`, else to where the OTEL_* variables of the environment say. Raises
    TracingError.
    """
    if not config.enabled:
        yield None
        return
    try:
        # Imported late: an extra, and half a second of every node's start.
        from node.watch.spans import SpanMaker
    except ImportError as error:
        remedy = "pip install 'strand-swarm[tracing]'"
        raise TracingError(f"tracing.enabled needs the extra `tracing`: {remedy}") from error
    node = {"service.name": "strand", "service.version": version("strand-swarm"), "service.instance.id": key.hex()}
    spans = SpanMaker(config.endpoint, node)
    log.info("tracing.started", address=config.endpoint or "of OTEL_*")
    try:
        yield spans
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + FLUSH_S):
            await trio.to_thread.run_sync(spans.close, abandon_on_cancel=True)  # type: ignore[call-arg] # old stubs of trio-typing
