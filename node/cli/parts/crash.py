"""The traceback of a fault in the program, kept in a file; the terminal shows one line."""

import traceback
from pathlib import Path
from typing import Final

import platformdirs

from node import logs
from node.hardening import open_private

TRACEBACK_CHARS_MAX: Final = 64 * 1024
"""Longest traceback in characters; its end is kept, because groups of exceptions from many tasks repeat themselves."""

NAME: Final = "error.log"


def write_traceback(error: BaseException, command: str) -> Path | None:
    """Replace the user's error log by this traceback, without secrets; return its path, or None if it cannot be kept.

    Only the command's name is kept of its arguments: a question may be private.
    """
    file = platformdirs.user_log_path("strand") / NAME
    text = logs.without_secrets("".join(traceback.format_exception(error)))[-TRACEBACK_CHARS_MAX:]
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_private(file, "w") as stream:
            stream.write(f"strand {command}\n{text}".encode(errors="backslashreplace").decode())
    except OSError:
        return None
    return file
