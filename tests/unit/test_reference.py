"""The generators of reference pages (docs/_ext), where the building of the site shows too little."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXTENSIONS = str(Path(__file__).parents[2] / "docs" / "_ext")


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The generator of the HTTP page; Sphinx need not be installed."""
    monkeypatch.setattr(sys, "path", [EXTENSIONS, *sys.path])
    package = ModuleType("strand_reference")
    package.__path__ = [f"{EXTENSIONS}/strand_reference"]
    monkeypatch.setitem(sys.modules, "strand_reference", package)
    from strand_reference import http

    yield http
    for name in [name for name in sys.modules if name.startswith("strand_reference.")]:
        del sys.modules[name]


def test_any_openapi_document_is_rendered(http: ModuleType) -> None:
    error = {"description": "Something failed.", "content": {"application/json": {"schema": {"type": "string"}}}}
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/things/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {
                    "summary": "Show a thing.",
                    "responses": {
                        "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                        "500": error,
                    },
                },
                "delete": {"summary": "Remove a thing.", "responses": {"204": {"description": "Gone."}, "500": error}},
            }
        },
        "components": {
            "schemas": {
                "Thing": {
                    "properties": {
                        "size": {"type": ["integer", "null"], "minimum": 0, "description": "In bytes."},
                        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "default": []},
                        "pair": {"type": "array", "prefixItems": [{"type": "number"}, True], "items": False},
                    },
                    "required": ["size"],
                }
            }
        },
    }
    page = http.render(document)
    assert page.count("Something failed.") == 1, "what most routes reply is said once"
    assert "| 200 | [Thing](#thing) (`application/json`) |" in page
    assert "| `size` | integer from 0 or null | yes | In bytes. |" in page
    assert '| `tags` | list of one of `"a"` `"b"` | `[]` |' in page
    assert "| `pair` | [number, anything] |" in page
