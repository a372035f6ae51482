"""Reference pages read from the code: `<!-- generated: NAME ARGUMENT... -->` becomes Markdown when a page is built.

The marker is a comment, so that a page reads well where nobody builds it. A generator that cannot describe something
(a key without an explanation, a limit without a reason) raises LookupError, which fails the build.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from strand_reference.cli import commands
from strand_reference.code import catalogue, constants, enumeration, records, types
from strand_reference.configuration import configuration, parameters
from strand_reference.http import http
from strand_reference.libraries import library
from strand_reference.metrics import metrics
from strand_reference.rounds import faults

GENERATORS: Mapping[str, Callable[..., str]] = {
    "catalogue": catalogue,
    "commands": commands,
    "configuration": configuration,
    "constants": constants,
    "enumeration": enumeration,
    "faults": faults,
    "http": http,
    "library": library,
    "metrics": metrics,
    "parameters": parameters,
    "records": records,
    "types": types,
}

MARKER = re.compile(r"^<!-- generated: (?P<name>\w+)(?P<arguments>(?: +[^\s>]+)*) -->$", re.MULTILINE)


def fill_in(_: Sphinx, page: str, source: list[str]) -> None:
    """Replace each marker of a page by what its generator writes."""

    def written(marker: re.Match[str]) -> str:
        name, arguments = marker["name"], marker["arguments"].split()
        if name not in GENERATORS:
            raise ExtensionError(f"{page}: nothing is called {name!r} in docs/_ext/strand_reference")
        try:
            return GENERATORS[name](*arguments)
        except (LookupError, ImportError, AttributeError, ValueError) as error:
            raise ExtensionError(f"{page}: {marker[0]}: {error!r}") from error

    source[0] = MARKER.sub(written, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the generators with Sphinx, before each page is read."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
