"""The output of a vLLM of ours: stored in its log file, and parsed for its progress (wordings of vLLM 0.32)."""

import logging
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog
import trio

from node.inference.status import EngineStage, ServerStatus
from node.inference.supervision import last_line
from node.inference.vllm.causes import known_cause, last_error

LOG_BYTES_MAX = 8 * 1024 * 1024
LOG_FILES_OLD = 1
"""Bytes of a log file, and number of older ones: some days of statistics, or many starts."""

TAIL_BYTES_MAX = 64 * 1024
"""Bytes that are searched for a failure's cause: each of four processes prints its own traceback."""

LINE_BYTES_MAX = 16 * 1024
"""Bytes of a line; a longer one is no message."""

_log = structlog.get_logger(__name__)

_STAGES = (
    (EngineStage.LOADING, re.compile(r"Starting to load model|Loading \S+ checkpoint shards|Loading weights")),
    (EngineStage.COMPILING, re.compile(r"Dynamo bytecode|Compiling a graph|Capturing CUDA graphs|KV cache size")),
)
_ORDER = tuple(EngineStage)
_PERCENT = re.compile(r"(?:shards|graphs)\D*?(\d{1,3}% ?\w*)")


class _LogFile(RotatingFileHandler):
    """A log that ends quietly on a full disk: its content is no reason to lose the server, or to flood our own log."""

    lost = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging's own name
        """Report the loss once."""
        if not self.lost:
            self.lost = True
            _log.warning("engine.log_lost", path=self.baseFilename)


class Output:
    """Reads the server's output, line by line."""

    def __init__(self, path: Path, status: ServerStatus) -> None:
        self.ended = trio.Event()
        """Set when the last process that could print has ended."""
        self._status = status
        self._tail = bytearray()
        self._log = _LogFile(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_OLD, encoding="utf-8")

    async def read(self, stream: trio.abc.ReceiveStream) -> None:
        """Read to the end."""
        rest = b""
        async with stream:
            async for chunk in stream:
                self._tail += chunk
                del self._tail[:-TAIL_BYTES_MAX]
                # A progress bar begins with a carriage return and ends only with the next one.
                *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
                for line in lines:
                    self._take(line)
                rest = rest[:LINE_BYTES_MAX]
        self._take(rest)
        self.ended.set()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def why(self, ended_by: str) -> str:
        """Return why the server ended, in one line; `ended_by`: the signal that ended it, in words; else empty."""
        printed = self._tail.decode(errors="replace")
        return known_cause(printed) or ended_by or last_error(printed) or last_line(self._tail)

    def _take(self, raw: bytes) -> None:
        line = raw[:LINE_BYTES_MAX].decode(errors="replace").rstrip()
        if not line:
            return
        if not self._log.lost:
            self._log.handle(logging.makeLogRecord({"msg": line}))
        if self._status.ready:
            return
        for stage, words in _STAGES:
            if _ORDER.index(stage) >= _ORDER.index(self._status.stage) and words.search(line):
                percent = _PERCENT.search(line)
                self._status.become(stage, percent[1] if percent else "")
