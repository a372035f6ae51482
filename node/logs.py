"""Logs: one structured line per event, on stderr, since stdout belongs to the commands' results."""

import logging
import sys
import time
from typing import Final, Literal, TextIO

import structlog

from node.overlay.budgets import Buckets, Rate

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

# Libraries that log each frame or request at INFO, and each lost peer as an error of their own.
_QUIET: Final = {
    "libp2p": logging.CRITICAL,
    "multiaddr": logging.ERROR,
    "hypercorn": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
}


LINES_PER_PEER: Final = Rate(per_s=0.2, burst=20)
"""Lines about one peer: its coming, going and faults of an hour, then one for each five seconds (about 4 MB a day).
Lines that name no peer are not counted."""


class PeerLines:
    """Drops what one peer makes us log beyond its budget; its next line says how many were dropped (`dropped`)."""

    def __init__(self) -> None:
        self._buckets = Buckets(LINES_PER_PEER)
        self._dropped: dict[str, int] = {}
        """By peer; no more peers than there are buckets."""

    def __call__(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Let an event through, or raise structlog.DropEvent."""
        peer = str(event.get("peer", event.get("source", "")))[:64]
        if not peer:
            return event
        if not self._buckets.take(peer, 1, time.monotonic()):
            if peer in self._dropped or len(self._dropped) < len(self._buckets):
                self._dropped[peer] = self._dropped.get(peer, 0) + 1
            raise structlog.DropEvent
        if dropped := self._dropped.pop(peer, 0):
            event["dropped"] = dropped
        return event


def configure(level: Level, format: Format, stream: TextIO | None = None) -> None:
    """Send our events and what libraries log to `stream` (stderr), both in one format. May be called again."""
    out = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    exceptions = [structlog.processors.dict_tracebacks] if format == "json" else []
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[PeerLines(), *shared, *exceptions, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, threshold))
