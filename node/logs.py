"""Logs: one structured line per event, on stderr, since stdout belongs to the commands' results."""

import logging
import sys
from typing import Final, Literal, TextIO

import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

# Libraries that log each frame or request at INFO, and each lost peer as an error of their own.
_QUIET: Final = {
    "libp2p": logging.CRITICAL,
    "multiaddr": logging.ERROR,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
}


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
        processors=[*shared, *exceptions, renderer],
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
