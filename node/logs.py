"""Logs: one structured line per event, on stderr, because stdout belongs to the commands' results.

No line holds a local variable or a secret, and no peer can make us write without limit (`log_filters`).
"""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Literal, TextIO, cast

import structlog

from node.log_filters import Cleaner, Limiter, Secrets

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

# Libraries that log each frame or request at INFO, and each lost peer as an error of their own.
_QUIET: Final = {
    "libp2p": logging.CRITICAL,
    "multiaddr": logging.ERROR,
    "mcp": logging.CRITICAL,
    "sse_starlette": logging.ERROR,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
}


class _Lossy:
    """A stream that loses text that cannot be written: a full disk, or a closed reader, must not end the node."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, or lose it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the written text."""
        with suppress(OSError):
            self._stream.flush()


_SECRETS: Final = Secrets()
"""One for the process, as its log is: a secret hidden by one part appears in no other part's lines."""


def hide(*secrets: str) -> None:
    """Remove these texts from all lines from now on."""
    _SECRETS.hide(secrets)


def without_secrets(text: str) -> str:
    """Return `text` without the secrets given to `hide`, and without anything that looks like one."""
    return _SECRETS.clean(text)


def configure(level: Level, format: Format, stream: TextIO | None = None, secrets: Iterable[str] = ()) -> None:
    """Send our events and the logs of libraries to `stream` (stderr), both in one format. May be called again.

    `secrets` are texts that no line may hold, whoever writes it.
    """
    hide(*secrets)
    out = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = [*_exceptions(format), Cleaner(_SECRETS), _renderer(format, out)]
    limiter = Limiter()
    structlog.configure(
        processors=[limiter, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy(out))),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_Lossy(out))
    handler.addFilter(lambda record: limiter.passes(record.name, ""))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, threshold))


def _exceptions(format: Format) -> list[structlog.typing.Processor]:
    """Return processors for tracebacks without local variables, which hold keys, tokens and peers' data."""
    if format == "json":
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(transform)]
    return [structlog.processors.format_exc_info]


def _renderer(format: Format, out: TextIO) -> structlog.typing.Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(sort_keys=True)
    # Its own formatter would print local variables, and before our cleaning.
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
