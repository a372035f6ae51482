"""The HTTP interface: a page from any OpenAPI 3.1 document."""

import ast
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from strand_reference.code import table, tree_of

Document = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def http() -> str:
    """Every route with its parameters, bodies and replies; without an OpenAPI document the routes alone."""
    if find_spec("node.http.openapi") is None:
        return _routes()
    from node.http.openapi import openapi_document  # type: ignore[import-not-found]

    return render(openapi_document())


def render(document: Document) -> str:
    """An OpenAPI 3.1 document as Markdown: routes, then the schemas that they name."""
    parts = ["## Routes"]
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                parts += _operation(method, path, item[method], item.get("parameters", ()))
    schemas = document.get("components", {}).get("schemas", {})
    if schemas:
        parts.append("## Schemas")
        for name, schema in sorted(schemas.items()):
            parts += [f"### {name}", *_schema(schema)]
    return "\n\n".join(part for part in parts if part)


def _operation(method: str, path: str, operation: Document, shared: Any) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield operation.get("summary", "")
    yield operation.get("description", "")
    parameters = [*shared, *operation.get("parameters", ())]
    if parameters:
        rows = [
            (
                f"`{each['name']}`",
                each["in"],
                kind(each.get("schema", {})),
                "yes" if each.get("required") else "",
                each.get("description", ""),
            )
            for each in parameters
        ]
        yield table(("parameter", "in", "type", "required", "meaning"), rows)
    if body := operation.get("requestBody"):
        yield f"Body: {_content(body)}. {body.get('description', '')}".strip()
    rows = [
        (f"{status}", _content(reply), reply.get("description", ""))
        for status, reply in sorted(operation.get("responses", {}).items())
    ]
    yield table(("status", "body", "meaning"), rows)


def _content(body: Document) -> str:
    return ", ".join(
        f"{kind(told.get('schema', {}))} (`{media}`)" if told.get("schema") else f"`{media}`"
        for media, told in body.get("content", {}).items()
    )


def _schema(schema: Document) -> Iterator[str]:
    yield schema.get("description", "")
    properties = schema.get("properties", {})
    if not properties:
        yield kind(schema)
        return
    required = set(schema.get("required", ()))
    rows = [
        (f"`{name}`", kind(each), "yes" if name in required else _default(each), each.get("description", ""))
        for name, each in properties.items()
    ]
    yield table(("field", "type", "required, or default", "meaning"), rows)


def _default(schema: Document) -> str:
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if "default" in schema else ""


def kind(schema: Document) -> str:
    """A schema's type in words, with links to named ones."""
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for word, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if word in schema:
            return joint.join(kind(each) for each in schema[word])
    if "const" in schema:
        return f"`{json.dumps(schema['const'], ensure_ascii=False)}`"
    if "enum" in schema:
        return "one of " + " ".join(f"`{json.dumps(each, ensure_ascii=False)}`" for each in schema["enum"])
    told = schema.get("type", "anything")
    if isinstance(told, list):
        return " or ".join(kind({**schema, "type": each}) for each in told)
    if told == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if told == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {kind(schema['additionalProperties'])}"
    return f"{told}{_bounds(schema)}"


def _bounds(schema: Document) -> str:
    words = {
        "minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below",
        "minLength": "characters at least", "maxLength": "characters at most", "format": "format", "pattern": "pattern",
    }  # fmt: skip
    told = []
    for key, word in words.items():
        if key in schema:
            value = f"`{schema[key]}`" if isinstance(schema[key], str) else f"{schema[key]:,}"
            told.append(f"{word} {value}" if "Length" not in key else f"{value} {word}")
    return f", {', '.join(told)}" if told else ""


def _routes() -> str:
    rows = []
    for file in sorted(files("node.http").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".py"):
            continue
        tree = tree_of(f"node.http.{file.name.removesuffix('.py')}")
        words = {
            node.name: ast.get_docstring(node) or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="Route"), args=[ast.Constant(value=path), handler, *_]):
                    methods = [each.value for each in node.keywords if each.arg == "methods"]
                    method = ast.literal_eval(methods[0])[0] if methods else "GET"
                    name = handler.attr if isinstance(handler, ast.Attribute) else getattr(handler, "id", "")
                    rows.append((f"`{method} {path}`", words.get(name, "")))
    return table(("route", "what it does"), sorted(rows))
