"""Exit codes, and errors that are one line for the user."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_QUORUM = 3
    """No quorum; or a degraded or failed outcome under `--strict`."""
    UNREACHABLE = 4
    TIMEOUT = 5
    READER_GONE = 141
    """stdout's reader closed it before the end, as `head` does: 128 and SIGPIPE's number, as of any program."""


class CliError(Exception):
    """Ends a command with one line and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(message)
        self.code = code


_USER_ERRORS: dict[str, Exit] = {
    "CliError": Exit.REFUSED,
    "StdoutError": Exit.REFUSED,
    "FileError": Exit.USAGE,
    "UnwritableError": Exit.REFUSED,
    "ConfigError": Exit.USAGE,
    "GoldFileError": Exit.USAGE,
    "KeyFileError": Exit.REFUSED,
    "StoreError": Exit.REFUSED,
    "EngineError": Exit.UNREACHABLE,
    "OverlayError": Exit.REFUSED,
    "RecordingError": Exit.REFUSED,
    "ApiBindError": Exit.REFUSED,
    "ModelError": Exit.REFUSED,
    "HubUnreachableError": Exit.UNREACHABLE,
    "ClientError": Exit.REFUSED,
    "AddressError": Exit.USAGE,
    "UnreachableError": Exit.UNREACHABLE,
    "TimedOutError": Exit.TIMEOUT,
    "BadRequestError": Exit.USAGE,
    "UnavailableError": Exit.NO_QUORUM,
    "NoCertificateError": Exit.NO_QUORUM,
    "LocalNodeError": Exit.REFUSED,
    "StartTimeoutError": Exit.TIMEOUT,
}
"""Errors whose text is meant for the user, by name: their modules are not imported for `--help`."""


def user_error(error: BaseException) -> tuple[str, Exit] | None:
    """The line and code for an error of ours, also from inside of exception groups; None for a bug."""
    if isinstance(error, BaseExceptionGroup):
        found = [user_error(inner) for inner in error.exceptions]
        return found[0] if found and all(each is not None for each in found) else None
    # A kind of an error that is meant for the user is one too.
    code = next((_USER_ERRORS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _USER_ERRORS), None)
    if code is None:
        return None
    return str(error), getattr(error, "code", code)
