"""A node's configuration: types and defaults from NodeConfig, explanations from the example file's comments."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from node.config import ENVIRONMENT_PREFIX, NodeConfig
from strand_reference.code import assigned, class_of, shown, table

_TABLE = re.compile(r"\[(?P<name>[\w.]+)\]")
_KEY = re.compile(r"(?:# )?(?P<name>\w+) = ")
_PLAIN = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}


def configuration() -> str:
    """A table for each table of the file. Raises LookupError for a key that the example file does not explain."""
    words = explanations((files("configs") / "node" / "example.toml").read_text(encoding="utf-8"))
    defaults = NodeConfig()
    parts = []
    for name, kind in get_type_hints(NodeConfig).items():
        hints = get_type_hints(kind, include_extras=True)
        rows = []
        for item in fields(kind):
            key = f"{name}.{item.name}"
            if key not in words:
                raise LookupError(f"{key} is not explained in configs/node/example.toml")
            default = default_of(getattr(getattr(defaults, name), item.name))
            variable = f"{ENVIRONMENT_PREFIX}{name.upper()}_{item.name.upper()}"
            value = f"{type_of(hints[item.name])}<br>default: {default}"
            rows.append((f"`{item.name}`<br>`{variable}`", value, words[key]))
        parts.append(f"## `[{name}]`\n\n" + table(("key, variable", "value", "what it does"), rows))
    return "\n\n".join(parts)


def parameters() -> str:
    """The parameters of a network: what each is, and its value in the shipped sets."""
    folder = Path(str(files("configs"))) / "params"
    sets = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.toml"))}
    rows = []
    for each in assigned(class_of("protocol.params", "NetworkParams").body):
        values = [shown(values[each.name]) for values in sets.values()]
        rows.append((f"`{each.name}`", *values, each.words))
    return table(("parameter", *sets, "what it is"), rows)


def explanations(text: str) -> Mapping[str, str]:
    """Each key of the example file -> the comment above it; keys that follow one another share theirs."""
    found: dict[str, str] = {}
    place, comment, is_open = "", "", False
    for line in text.splitlines():
        header, key = _TABLE.fullmatch(line), _KEY.match(line)
        if header is not None:
            place = header["name"]
            if comment and "." in place:
                found[place] = comment
            comment, is_open = "", False
        elif key is not None:
            if comment and not place.endswith(".trusted"):
                found[f"{place}.{key['name']}"] = comment
            is_open = False
        elif line.startswith("# "):
            comment = f"{comment} {line[2:]}" if is_open else line[2:]
            is_open = True
        else:
            comment, is_open = "", False
    return found


def type_of(hint: Any) -> str:
    """What a key may hold, in words."""
    return ", ".join(_words(hint))


def _words(hint: Any) -> Iterator[str]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _words(arguments[0])
        yield from (bound for meta in arguments[1:] if isinstance(meta, msgspec.Meta) for bound in _bounds(meta))
    elif origin in {Union, UnionType}:
        yield from (word for part in arguments if part is not NoneType for word in _words(part))
    elif origin is Literal:
        yield "one of " + " ".join(f"`{choice}`" for choice in arguments)
    elif origin is tuple:
        yield f"list of: {type_of(arguments[0])}"
    elif origin is dict:
        yield f"table of: {type_of(arguments[0])} = {type_of(arguments[1])}"
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        yield "one of " + " ".join(f"`{choice}`" for choice in hint)
    elif isinstance(hint, msgspec.StructMeta):
        hints = get_type_hints(hint, include_extras=True)
        yield "table of: " + "; ".join(f"`{name}` = {type_of(each)}" for name, each in hints.items())
    else:
        yield _PLAIN[hint]


def _bounds(meta: msgspec.Meta) -> Iterator[str]:
    low = f"{meta.ge:,}" if meta.ge is not None else f"above {meta.gt:,}" if meta.gt is not None else ""
    high = f"{meta.le:,}" if meta.le is not None else f"below {meta.lt:,}" if meta.lt is not None else ""
    if low or high:
        yield f"{low} to {high}" if low and high else low or f"up to {high}"
    if meta.max_length is not None:
        yield f"{meta.max_length} characters at most"
    if meta.pattern is not None:
        yield f"`{meta.pattern}`"


def default_of(value: Any) -> str:
    """A default as the file would have it; nothing where a key is unset."""
    if value is None:
        return "unset"
    if isinstance(value, Path):
        return f"`{_at_home(value)}`"
    if isinstance(value, tuple):
        return f"`{_toml_list(value)}`"
    if isinstance(value, dict):
        return "`{}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _toml_list(values: tuple[Any, ...]) -> str:
    return "[" + ", ".join(f'"{each}"' for each in values) + "]"


def _at_home(path: Path) -> str:
    """A path of whoever builds the site, as that of any user."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
