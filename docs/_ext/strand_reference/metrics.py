"""The names under /metrics, found where the node makes them."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from strand_reference.code import table, tree_of

_KINDS: Mapping[str, tuple[str, str]] = {
    "_gauge": ("gauge", ""),
    "_counter": ("counter", "_total"),
    "GaugeMetricFamily": ("gauge", ""),
    "CounterMetricFamily": ("counter", "_total"),
    "HistogramMetricFamily": ("histogram", ""),
    "InfoMetricFamily": ("info", "_info"),
}
"""Function that makes a metric -> its type, and what the text format adds to its name."""


def metrics() -> str:
    """Every metric: name, type, labels, help. Raises LookupError where a help text is not found."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    root = Path(str(files("node")))
    for file in sorted(root.rglob("*.py")):
        if "MetricFamily" in file.read_text(encoding="utf-8"):
            module = ".".join(file.relative_to(root.parent).with_suffix("").parts)
            rows |= {row[0]: row for row in _metrics_of(module)}
    return table(("name", "type", "labels", "meaning"), [rows[name] for name in sorted(rows)])


def _metrics_of(module: str) -> Iterator[tuple[str, str, str, str]]:
    for function in ast.walk(tree_of(module)):
        if not isinstance(function, ast.FunctionDef):
            continue
        texts: dict[str, ast.expr] = {}
        for node in sorted(_nodes(function), key=lambda each: (each.lineno, each.col_offset)):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    texts[name] = value
            match node:
                case ast.Call(func=ast.Name(id=maker), args=[ast.Constant(value=str(name)), help_, *_]) if (
                    maker in _KINDS
                ):
                    kind, suffix = _KINDS[maker]
                    labels = [each.value for each in node.keywords if each.arg == "labels"]
                    text = texts.get(help_.id, help_) if isinstance(help_, ast.Name) else help_
                    yield f"`{name}{suffix}`", kind, _labels(labels), _text(text, module, name)


def _nodes(function: ast.FunctionDef) -> Iterator[Any]:
    yield from (node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Call))


def _labels(found: list[ast.expr]) -> str:
    return ", ".join(f"`{label}`" for each in found for label in ast.literal_eval(each))


def _text(node: ast.expr, module: str, name: str) -> str:
    """A help text; in an f-string the module's own constants stand for themselves."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return str(eval(ast.unparse(node), vars(importlib.import_module(module))))
        case _:
            raise LookupError(f"the help of {name} in {module} is not written where it is made")
