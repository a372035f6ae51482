"""The HTTP interface: a page from any OpenAPI 3.1 document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from node.http import openapi
from strand_reference.code import table

Document = Mapping[str, Any]

Row = tuple[str, str, str]

_REPLY_HEAD = ("status", "body", "meaning")

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def http() -> str:
    """Every route with its parameters, bodies and replies."""
    return render(openapi.document())


def render(document: Document) -> str:
    """An OpenAPI 3.1 document as Markdown: what most routes reply, routes, then the schemas that they name."""
    operations = [
        (method, path, item[method], item.get("parameters", ()))
        for path, item in document.get("paths", {}).items()
        for method in _METHODS
        if method in item
    ]
    replies = [_replies(operation) for _, _, operation, _ in operations]
    rows = list(dict.fromkeys(row for each in replies for row in each))
    common = [row for row in rows if 2 * sum(row in each for each in replies) > len(replies) > 1]
    parts = []
    if common:
        words = "Every route may reply so, unless it lists the status itself."
        parts += ["## Usual replies", words, table(_REPLY_HEAD, sorted(common))]
    parts.append("## Routes")
    for method, path, operation, shared in operations:
        parts += _operation(method, path, operation, shared, common)
    schemas = document.get("components", {}).get("schemas", {})
    if schemas:
        parts.append("## Schemas")
        for name, schema in sorted(schemas.items()):
            parts += [f"### {name}", *_schema(schema)]
    return "\n\n".join(part for part in parts if part)


def _replies(operation: Document) -> list[Row]:
    return [
        (f"{status}", _content(reply), reply.get("description", ""))
        for status, reply in sorted(operation.get("responses", {}).items())
    ]


def _operation(method: str, path: str, operation: Document, shared: Any, common: list[Row]) -> Iterator[str]:
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
                "yes" if each.get("required") else _default(each.get("schema", {})),
                each.get("description", ""),
            )
            for each in parameters
        ]
        yield table(("parameter", "in", "type", "required, or default", "meaning"), rows)
    if body := operation.get("requestBody"):
        optional = "" if body.get("required") else " It may be left out."
        yield f"Body: {_content(body)}. {body.get('description', '')}".strip() + optional
    yield table(_REPLY_HEAD, [row for row in _replies(operation) if row not in common])


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


def kind(schema: Document | bool) -> str:
    """A schema's type in words, with links to named ones. True and False stand for anything and nothing."""
    if isinstance(schema, bool):
        return "anything" if schema else "nothing"
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if schema.get("required") == ["data"]:
        return f"events whose data is {kind(schema['properties']['data'])}"
    if "contentSchema" in schema:
        return kind(schema["contentSchema"])
    for word, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if word in schema:
            return joint.join(kind(each) for each in schema[word])
    if "const" in schema:
        return f"`{json.dumps(schema['const'], ensure_ascii=False)}`"
    if "enum" in schema:
        choices = [f"`{json.dumps(each, ensure_ascii=False)}`" for each in schema["enum"]]
        return choices[0] if len(choices) == 1 else f"one of {' '.join(choices)}"
    told = schema.get("type", "anything")
    if isinstance(told, list):
        return " or ".join("null" if each == "null" else kind({**schema, "type": each}) for each in told)
    if told == "array":
        each = ", ".join(kind(item) for item in schema.get("prefixItems", ()))
        return f"[{each}]" if each else f"list of {kind(schema.get('items', True))}"
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
    return f" {', '.join(told)}" if told else ""
