"""Errors that are one line for the user, and the exit codes that they end a command with."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    """Done."""
    REFUSED = 1
    """Any other refusal; the line on stderr says which."""
    USAGE = 2
    """The command line, a file or the configuration cannot be read as it is."""
    NO_QUORUM = 3
    """No quorum; or a degraded or failed outcome under `--strict`."""
    UNREACHABLE = 4
    """The node, or a server that it needs, does not answer."""
    TIMEOUT = 5
    """No outcome came in time."""
    READER_GONE = 141
    """stdout's reader closed it before the end, as `head` does: 128 and SIGPIPE's number, as of any program."""


class UserError(Exception):
    """Tells the user, in one line, what is wrong and what helps; it is no fault of the program.

    Every error whose text is written for the user derives from it, wherever it is raised.
    """

    code: Exit = Exit.REFUSED
    """What a command exits with that ends by it."""
