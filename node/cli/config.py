"""`strand config show`."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Column, Table

from node.cli.options import JsonFlag, Source, outside, print_json


def show(
    *,
    origin: Annotated[bool, Parameter(negative="", help="Say where each value comes from.")] = False,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show every setting."""
    rows = [(key, _plain(value), where) for key, value, where in source.load().rows()]
    if json:
        print_json({key: {"value": value, "origin": where} if origin else value for key, value, where in rows})
        return 0
    # Folded, not cut: a path may be long, and a key is looked for by its whole name.
    folded = [Column(name, overflow="fold") for name in ("value", *(["origin"] if origin else []))]
    table = Table(Column("key", no_wrap=True), *folded)
    for key, value, where in rows:
        table.add_row(key, outside(str(value)), *([outside(where)] if origin else []))
    Console().print(table)
    return 0


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)
