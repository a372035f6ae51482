"""The error that ends a command, and the errors that are shown as one line instead of a traceback."""

from node.errors import Exit, UserError

__all__ = ["CliError", "Exit", "user_error"]


class CliError(UserError):
    """Ends a command with one line and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(message)
        self.code = code


def user_error(error: BaseException) -> tuple[str, Exit] | None:
    """Return the line and code of a known error, also from inside exception groups; None for a bug."""
    if isinstance(error, BaseExceptionGroup):
        found = [user_error(inner) for inner in error.exceptions]
        return found[0] if found and all(each is not None for each in found) else None
    return (str(error), error.code) if isinstance(error, UserError) else None
