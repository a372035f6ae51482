"""API keys of model servers, as users name them: by variables of the environment, which no process list shows."""

import os

from node.errors import Exit, UserError


class NoApiKeyError(UserError):
    """A variable that shall hold an API key is not set. The message is one line for the user."""

    code = Exit.USAGE


def api_key_of(variable: object, where: str) -> str:
    """Return the API key that a variable of the environment holds. `where`: what names it. Raises NoApiKeyError."""
    key = os.environ.get(variable, "") if isinstance(variable, str) else ""
    if not key:
        raise NoApiKeyError(f"{where}: the variable {variable} of the environment is not set")
    return key
