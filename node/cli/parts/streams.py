"""The standard streams of a command, set up in one place.

stdout carries the result: a failed write there ends the command with one line and an exit code. stderr carries notes
and logs: a failed write there is ignored. Neither fails on a character that its encoding lacks.
"""

import errno
import io
import os
import sys
from typing import Any, Final, TextIO

from node.cli.parts.errors import Exit
from node.errors import UserError

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2

# A closed stdout is opened for reading only, so that writing to it fails as on a closed one.
_STAND_INS: Final = {_STDIN: os.O_RDONLY, _STDOUT: os.O_RDONLY, _STDERR: os.O_WRONLY}


class StdoutError(UserError):
    """The result cannot be written: stdout is closed or its disk is full. Empty text if its reader has left."""

    def __init__(self, cause: OSError) -> None:
        is_read = cause.errno in (errno.EPIPE, errno.ECONNRESET)
        reason = "it is closed" if cause.errno == errno.EBADF else cause.strerror
        super().__init__("" if is_read else f"cannot write to stdout: {reason}")
        self.code = Exit.READER_GONE if is_read else Exit.REFUSED


class _Result(io.FileIO):
    """A file whose write failures can be told from those of other files."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutError(error) from error


class _Notes(io.FileIO):
    """A file that drops what cannot be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def open_streams() -> None:
    """Replace sys.stdout and sys.stderr. Closed streams are opened, so that no other file gets their number.

    Call it once, before anything is written.
    """
    for number, flags in _STAND_INS.items():
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one, because those below it are open.
            os.open(os.devnull, flags)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(_STDIN, closefd=False)), encoding="utf-8")
    sys.stdout = _text(_Result(_STDOUT, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(_Notes(_STDERR, "wb", closefd=False), sys.stderr, by_line=True)


def drop_stdout() -> None:
    """Drop the data still to be written to stdout: Python would retry at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), _STDOUT)


def _text(raw: io.FileIO, before: TextIO | None, *, by_line: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if before is None else before.encoding,
        errors="backslashreplace",
        line_buffering=by_line or raw.isatty(),
        write_through=isinstance(before, io.TextIOWrapper) and before.write_through,
    )
