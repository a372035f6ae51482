"""Modules as they are written: constants, enumerations and records with the docstrings that follow them."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Documented:
    """One name of a module or class body, with the string that follows it ("" where there is none)."""

    name: str
    annotation: str
    value: str
    words: str


def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module, which is found but not run. Raises LookupError where there is none."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"no module {module}")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def class_of(module: str, name: str) -> ast.ClassDef:
    """The definition of a class in a module. Raises LookupError where there is none."""
    found = [node for node in tree_of(module).body if isinstance(node, ast.ClassDef) and node.name == name]
    if not found:
        raise LookupError(f"no class {name} in {module}")
    return found[0]


def assigned(body: Sequence[ast.stmt]) -> Iterator[Documented]:
    """The names that a body assigns or declares, each with the string behind it."""
    for statement, after in zip(body, [*body[1:], None], strict=True):
        is_string = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        words = inspect.cleandoc(str(after.value.value)) if is_string else ""  # type: ignore[union-attr]
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                value = "" if statement.value is None else ast.unparse(statement.value)
                yield Documented(name, ast.unparse(statement.annotation), value, words)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield Documented(name, "", ast.unparse(statement.value), words)


def constants(module: str) -> str:
    """Every public upper-case constant of a module, its value, and its reason. Raises LookupError for one without."""
    values = importlib.import_module(module)
    rows = []
    for each in assigned(tree_of(module).body):
        if not each.name.isupper() or each.name.startswith("_"):
            continue
        if not each.words:
            raise LookupError(f"{module}.{each.name} has no reason")
        rows.append((f"`{each.name}`", shown(getattr(values, each.name)), each.words))
    return table(("name", "value", "unit and reason"), rows)


def enumeration(module: str, name: str) -> str:
    """The members of an enumeration, as they are written in files and on the wire, and what they mean."""
    kind: type[Enum] = getattr(importlib.import_module(module), name)
    words = {each.name: each.words for each in assigned(class_of(module, name).body)}
    rows = [(f"`{member.name}`", f"`{member.value}`", words[member.name]) for member in kind]
    return table(("name", "value", "meaning"), rows)


def catalogue(module: str, name: str) -> str:
    """A mapping from names to what they mean."""
    told: Mapping[str, str] = getattr(importlib.import_module(module), name)
    return table(("name", "meaning"), [(f"`{key}`", words) for key, words in told.items()])


def records(module: str, *names: str) -> str:
    """Data classes of a module, those named or all public ones: what each is, and its fields."""
    parts = []
    for node in tree_of(module).body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_") or (names and node.name not in names):
            continue
        fields = [each for each in assigned(node.body) if each.annotation and "ClassVar" not in each.annotation]
        parts += [f"### `{node.name}`", ast.get_docstring(node) or ""]
        if fields:
            rows = [(f"`{each.name}`", type_of(each.annotation), each.words) for each in fields]
            parts.append(table(("field", "type", "meaning"), rows))
    return "\n\n".join(parts)


def types(module: str) -> str:
    """The names that a module gives to bounded types, and what they are."""
    found = [each for each in assigned(tree_of(module).body) if each.value.startswith("Annotated[")]
    return table(("type", "what it is", "meaning"), [(f"`{x.name}`", type_of(x.value), x.words) for x in found])


_BOUNDS = {"Count": "{} to {} of them", "Size": "{} to {} bytes", "Range": "{} to {}"}
"""Marks of `protocol.schema` -> what they bound."""


def type_of(annotation: str) -> str:
    """A type as it is written, or in words where it states bounds."""
    match ast.parse(annotation, mode="eval").body:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *marks])):
            return ", ".join([type_of(ast.unparse(kind)), *(_bound(mark) for mark in marks)])
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[each, ast.Constant(value=el)])) if (
            el is ...
        ):
            words = type_of(ast.unparse(each))
            return f"list of ({words})" if "," in words else f"list of {words}"
        case ast.Name(id=name):
            return f"`{name}`"
        case _:
            return f"`{annotation}`"


def _bound(mark: ast.expr) -> str:
    match mark:
        case ast.Call(func=ast.Name(id=name), args=[low, high]) if name in _BOUNDS:
            first, last = (ast.unparse(each).replace("limits.", "") for each in (low, high))
            if first == last:
                return _BOUNDS[name].replace("{} to ", "").format(first)
            return _BOUNDS[name].format(first, last)
        case _:
            return f"`{ast.unparse(mark)}`"


def shown(value: Any) -> str:
    """A constant's value for readers: thousands are separated."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"`{value!r}`"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Cells are one line each; a column that is empty in all rows is left out."""
    rows = [[cell(each) for each in row] for row in rows]
    kept = [i for i in range(len(headings)) if any(row[i] for row in rows)]
    lines = [[headings[i] for i in kept], ["---"] * len(kept), *([row[i] for i in kept] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(words: str) -> str:
    """Text in a cell of a Markdown table: `<key>` is no HTML, and a bar no border."""
    parts = re.split(r"(`[^`]*`)", " ".join(words.split()).replace("|", "\\|"))
    return "".join(part if part.startswith("`") else re.sub(r"<(?!br>)", "&lt;", part) for part in parts)
