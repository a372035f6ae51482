"""The node's configuration as it is in force."""

from typing import Any

import msgspec


class Setting(msgspec.Struct, frozen=True):
    """One setting of the node, its value and where that comes from."""

    value: Any
    """Its value; of secrets, whether they are set: `(set)` or an empty text."""
    origin: str
    """Where the value comes from: `default`, `flag`, a file, or a variable of the environment."""


class ConfigReport(msgspec.Struct, frozen=True):
    """All settings of the node."""

    settings: dict[str, Setting]
    """Settings by `table.key`, as in the configuration file."""
