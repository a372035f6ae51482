"""Examples of a query as they are run: what is shown in the sandbox, and the text that is expected outside of it."""

import re
from collections.abc import Sequence
from typing import Final

from node.findings.assembly import Example
from node.findings.checks.examples import Check, fitted
from node.findings.checks.plain_values import plain_value
from node.findings.reading.rust_types import Function, Implementation

_PART: Final = re.compile(
    r"""
    "(?:\\.|[^"\\])*(?:"|(?P<unclosed>\\?\Z)) | '(?:\\.|[^'\\])'
    | (?P<number>[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9]+)?)_?(?P<suffix>[iuf](?:8|16|32|64|128|size))?
    | [A-Za-z]\w* | \s+ | .
    """,
    re.VERBOSE | re.DOTALL,
)
_SAME_IN_DEBUG: Final = re.compile(r"""["'](?:[ -\[\]-~]|\\[nrt0"\\])*["']""")
"""A text literal that `Debug` shows as it is written: no escapes but its own."""


def examples_of(checks: Sequence[Check], found: Function | Implementation | None) -> tuple[Example, ...]:
    """Return the query's examples for one answer, with the types of the function that is compared."""
    return tuple(_example(check) for check in fitted(checks, found) if "\n" not in check.comparison)


def _example(check: Check) -> Example:
    """A plain value is compared outside. With any other the answer compares itself, and may forge that."""
    expected = debug_text(check.expected)
    if expected is None:
        return Example(check.comparison, check.comparison, "true")
    return Example(check.expression, check.comparison, expected)


def debug_text(expression: str) -> str | None:
    """Return the `Debug` text of a plain Rust value; None where that is not certain."""
    value = plain_value(expression)
    if value is None:
        return None
    parts = []
    for match in _PART.finditer(value):
        part = match.group()
        if match["unclosed"] is not None or (part[0] in "\"'" and not _SAME_IN_DEBUG.fullmatch(part)):
            return None
        parts.append(match["number"].replace("_", "") if match["number"] else part)
    text = "".join(parts)
    # A base other than ten leaves a letter behind its zero.
    return None if re.search(r"\b0[xbo]", value) else text
