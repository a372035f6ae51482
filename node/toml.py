"""Writes tables of settings as TOML: for the files of `strand init`, and of nodes that a program starts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def toml_text(tables: Mapping[str, Mapping[str, Any]], comments: Mapping[str, str] | None = None) -> str:
    """Return tables as TOML, without the keys whose value is None and without empty tables.

    `comments`: lines to stand before a "table.key" or before a "table". Raises ValueError for a text or a value that
    TOML cannot express.
    """
    said = comments or {}
    written = []
    for table, values in tables.items():
        lines = [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
        keys = [key for key, value in values.items() if value is not None]
        if not lines:
            continue
        told = [f"{_comment(said.get(f'{table}.{key}', ''))}{line}" for key, line in zip(keys, lines, strict=True)]
        written.append(f"{_comment(said.get(table, ''))}[{table}]\n" + "\n".join(told) + "\n")
    return "\n".join(written)


def toml_value(value: Any) -> str:
    """Return one value as TOML; a mapping becomes an inline table. Raises ValueError."""
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case str() | Path():
            text = str(value)
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{text!r} is not UTF-8, so no configuration file can name it") from error
            # JSON's strings are valid TOML except for one character.
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{toml_value(str(k))} = {toml_value(each)}" for k, each in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(toml_value(each) for each in value) + "]"
        case _:
            raise ValueError(f"TOML has no {type(value).__name__}")


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
