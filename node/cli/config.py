"""`strand config show`."""

import json as json_module
from typing import Annotated

from cyclopts import Parameter

from node.cli.parts.options import JsonFlag, Source, print_json, print_line


def show(
    *,
    origin: Annotated[bool, Parameter(negative="", help="Say where each value comes from.")] = False,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show every setting."""
    rows = list(source.load().rows())
    if json:
        print_json({key: {"value": value, "origin": where} if origin else value for key, value, where in rows})
        return 0
    # One line each, as in the file, so that it can be searched and copied.
    for key, value, where in rows:
        print_line(f"{key} = {_toml(value)}{f'  # {where}' if origin else ''}")
    return 0


def _toml(value: object) -> str:
    """Return a value in the form of the file; empty if the file cannot express it (nothing is set)."""
    return "" if value is None else json_module.dumps(value, ensure_ascii=False)
