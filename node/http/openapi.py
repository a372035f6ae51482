"""The OpenAPI 3.1 document of the HTTP interface, made from `node.api.operations`."""

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Final, TypeGuard, get_args

import msgspec

from node.api.operations import BYTES, EVENT_STREAM, JSON, OPERATIONS, PATH_SCHEMAS, REFUSALS, Operation
from node.http.sessions import cookie_name

_REFERENCE: Final = "#/components/schemas/{name}"

_DESCRIPTION: Final = (
    "What one Strand node shows and does for its owner. Replies carry no-store headers. Errors are one line of JSON; "
    "below /v1 they have OpenAI's form, and at / a browser gets a page. A node without API keys serves this machine's "
    "programs alone; with some it wants the token of one of them, `Authorization: Bearer TOKEN`, or the session of a "
    "browser that a link let in. At /mcp it speaks the Model Context Protocol, which describes itself."
)

_PORT: Final = 4210
"""Port of a node whose configuration names no other."""

_SECURITY: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "The token of one of the node's API keys."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": cookie_name(_PORT),
        "description": "What a link of POST /api/ui-links gives a browser. The name ends in the node's port.",
    },
}


@cache
def document() -> Mapping[str, Any]:
    """Return the whole document as JSON values; it depends only on the code."""
    types = sorted({each for operation in OPERATIONS for each in _types(operation)}, key=lambda each: each.__name__)
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    for each in _structs(types):
        _describe_fields(components[each.__name__], each)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Strand node", "version": version("strand-swarm"), "description": _DESCRIPTION},
        # Relative to the document's own address.
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


@cache
def encoded_document() -> bytes:
    """Return the document as JSON text, 180 KB that are encoded once: every reply would hold up all the others."""
    return msgspec.json.encode(document())


def _operation(operation: Operation[Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PATH_SCHEMAS.get(name, {"type": "string"})}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [
        {
            "name": each.name,
            "in": "query",
            "description": each.description,
            "schema": each.schema,
        }
        for each in operation.parameters
    ]
    if parameters:
        told["parameters"] = parameters
    if (body := operation.body) is not None:
        content: dict[str, Any] = {"schema": _schema(body.type)}
        if body.example:
            content["example"] = body.example
        told["requestBody"] = {"required": body.required, "content": {body.media: content}}
    told["responses"] = {str(status): _response(operation, status) for status in _statuses(operation)}
    return told


def _statuses(operation: Operation[Any]) -> list[int]:
    return sorted({200, *operation.others, *REFUSALS})


def _response(operation: Operation[Any], status: int) -> dict[str, Any]:
    media = operation.media if status == 200 else JSON
    schemas = [_schema(each) for each in dict.fromkeys(operation.types(status))]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    words = ["As asked." if media in (JSON, BYTES) else "Text; of JSON lines, the schema is that of each line."]
    if status != 200:
        words = [operation.others[status][0]] if status in operation.others else []
        words += [REFUSALS[status]] if status in REFUSALS else []
    if operation.types(status) == (type(None),):
        return {"description": " ".join(words)}
    content = {media: {"schema": _event(schema, operation) if media == EVENT_STREAM else schema}}
    if status == 200 and operation.events:
        words = ["As asked; of a stream, the schema is that of each event."]
        kinds = {"anyOf": [_schema(each) for each in operation.events]}
        content[EVENT_STREAM] = {"schema": _event(kinds, operation)}
    return {"description": " ".join(words), "content": content}


def _event(kind: dict[str, Any], operation: Operation[Any]) -> dict[str, Any]:
    """Return the schema of one server-sent event of an operation, whose data is text that holds JSON."""
    data: dict[str, Any] = {"type": "string", "contentMediaType": JSON, "contentSchema": kind}
    if operation.last_event:
        data = {"description": "JSON, or the stream's last event.", "anyOf": [data, {"const": operation.last_event}]}
    return {"type": "object", "properties": {"data": data}, "required": ["data"]}


def _schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a body; for a struct, a reference."""
    if kind is bytes:
        return {"type": "string", "contentMediaType": BYTES}
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return schema


def described_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON schema of one struct with its fields described: an object at the root, others in `$defs`."""
    _, parts = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    for each in _structs((kind,)):
        _describe_fields(parts[each.__name__], each)
    root = parts.pop(kind.__name__)
    return {**root, "$defs": parts} if parts else root


def _types(operation: Operation[Any]) -> Iterable[type[msgspec.Struct]]:
    """Return the structs of an operation's bodies."""
    bodies = [each for status in _statuses(operation) for each in operation.types(status)]
    bodies += operation.events
    if operation.body is not None:
        bodies.append(operation.body.type)
    for each in bodies:
        yield from filter(_is_struct, (each, *get_args(each)))


def _is_struct(kind: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, msgspec.StructMeta)


def _structs(types: Iterable[type[msgspec.Struct]]) -> set[type[msgspec.Struct]]:
    """Return these structs, and those in their fields."""
    found: set[type[msgspec.Struct]] = set()
    left: list[Any] = list(types)
    while left:
        each = left.pop()
        if _is_struct(each):
            if each not in found:
                found.add(each)
                left += [field.type for field in msgspec.structs.fields(each)]
        else:
            left += get_args(each)
    return found


def _describe_fields(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Describe each field by the string below it in the source."""
    words = field_descriptions(kind)
    for field in msgspec.structs.fields(kind):
        properties = schema["properties"]
        properties[field.encode_name] = {**properties[field.encode_name], "description": words[field.name]}


def field_descriptions(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the strings below the fields of a struct and of its base structs, by field. Reads the module's source."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for base in kind.__bases__:
        if _is_struct(base) and base is not msgspec.Struct:
            found |= field_descriptions(base)
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = inspect.cleandoc(words)
    return found
