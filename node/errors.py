"""Errors that are shown to the user as one line, and the exit codes of commands that they end."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of commands."""

    OK = 0
    """Success."""
    REFUSED = 1
    """Any other refusal; the line on stderr gives the reason."""
    USAGE = 2
    """The command line, a file or the configuration is invalid."""
    NO_QUORUM = 3
    """No quorum; or a degraded or failed outcome under `--strict`."""
    UNREACHABLE = 4
    """The node, or a server that it needs, does not reply."""
    TIMEOUT = 5
    """There was no outcome in time."""
    READER_GONE = 141
    """The reader of stdout closed it before the end, as `head` does: 128 and SIGPIPE's number, as for any program."""


class UserError(Exception):
    """Shows the user the problem and the remedy in one line; it is no fault in the program.

    Every error whose text is written for the user derives from it, wherever it is raised.
    """

    code: Exit = Exit.REFUSED
    """Exit code of a command that it ends."""
