"""Modules that people import: public functions and classes with their signatures and docstrings."""

import ast
from collections.abc import Iterator

from strand_reference.code import assigned, table, tree_of

WIDTH = 100
"""letters of a signature on one line; beyond it each argument has its own."""


def library(module: str, *names: str) -> str:
    """A module's docstring and its public definitions, those named or all. Raises LookupError for one without words."""
    tree = tree_of(module)
    parts = [ast.get_docstring(tree) or ""]
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_") or (names and node.name not in names):
                continue
            found.add(node.name)
            parts += _class(module, node) if isinstance(node, ast.ClassDef) else _function(module, node, "###")
    if missing := set(names) - found:
        raise LookupError(f"{module} has no {', '.join(sorted(missing))}")
    return "\n\n".join(part for part in parts if part)


def _class(module: str, node: ast.ClassDef) -> Iterator[str]:
    yield f"### `{node.name}`"
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    yield f"```python\nclass {node.name}{bases}\n```"
    yield _words(module, node.name, node)
    fields = [each for each in assigned(node.body) if not each.name.startswith("_")]
    if fields:
        rows = [
            (f"`{each.name}`", each.annotation and f"`{each.annotation}`", each.value and f"`{each.value}`", each.words)
            for each in fields
        ]
        yield table(("field", "type", "default", "meaning"), rows)
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not method.name.startswith("_"):
            yield from _function(f"{module}.{node.name}", method, "####", owner=node.name)


def _function(module: str, node: ast.FunctionDef | ast.AsyncFunctionDef, mark: str, owner: str = "") -> Iterator[str]:
    title = f"{owner}.{node.name}" if owner else node.name
    yield f"{mark} `{title}`"
    yield f"```python\n{signature(node)}\n```"
    yield _words(module, node.name, node)


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The head of a definition, as it is written, without `self`."""
    begin = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}def {node.name}("
    end = f") -> {ast.unparse(node.returns)}" if node.returns is not None else ")"
    arguments = list(_arguments(node.args))
    if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
        begin = f"@property\n{begin}"
    line = f"{begin}{', '.join(arguments)}{end}"
    if len(line) <= WIDTH or not arguments:
        return line
    return f"{begin}\n    " + ",\n    ".join(arguments) + f",\n{end}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Each argument as it is written, with its annotation and default."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for each, default in zip(plain, defaults, strict=True):
        if each.arg not in {"self", "cls"}:
            yield _argument(each, default)
    if arguments.vararg is not None:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(each, default)
    if arguments.kwarg is not None:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    if default is None:
        return ast.unparse(argument)
    sign = " = " if argument.annotation is not None else "="
    return f"{ast.unparse(argument)}{sign}{ast.unparse(default)}"


def _words(module: str, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    words = ast.get_docstring(node)
    if not words:
        raise LookupError(f"{module}.{name} has no docstring")
    return _sections(words)


def _sections(words: str) -> str:
    """A docstring in which the lines under "Args:", "Returns:" and "Raises:" are a list."""
    lines, is_inside = [], False
    for line in words.splitlines():
        if line in {"Args:", "Returns:", "Raises:"}:
            lines += ["", line, ""]
            is_inside = True
        elif is_inside and line.startswith("    ") and not line.startswith("     "):
            lines.append(f"- {line.strip()}")
        elif is_inside and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            is_inside = False
            lines.append(line)
    return "\n".join(lines)
