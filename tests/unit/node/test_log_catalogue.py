"""Log events and their fields come from one catalogue."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from node.log_catalogue import EVENTS, FIELDS
from node.log_filters import Cleaner, Secrets

NODE = Path(__file__).parents[3] / "node"
METHODS = {"debug", "info", "warning", "error", "exception"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in `node`, with where it is."""
    for path in sorted(NODE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr in METHODS and ast.unparse(call.func.value) in ("log", "_log", "structlog.get_logger()"):
                yield f"{path.relative_to(NODE)}:{call.lineno}", call


def event_of(call: ast.Call) -> str:
    name = call.args[0]
    assert isinstance(name, ast.Constant | ast.Name)
    return "log.suppressed" if isinstance(name, ast.Name) else str(name.value)


def test_events_are_those_of_the_catalogue() -> None:
    logged = {event_of(call) for _, call in calls()}
    assert len(list(calls())) > 50
    assert logged == set(EVENTS)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", name) for name in EVENTS)
    assert all(meaning.endswith(".") for meaning in EVENTS.values())


def test_fields_are_those_of_the_catalogue() -> None:
    unknown = {
        f"{where}: {keyword.arg}"
        for where, call in calls()
        for keyword in call.keywords
        if keyword.arg is not None and keyword.arg not in FIELDS
    }
    assert not unknown
    named = {keyword.arg for _, call in calls() for keyword in call.keywords}
    assert set(FIELDS) == named


def test_no_field_of_the_catalogue_is_hidden_as_a_secret() -> None:
    kept = Cleaner(Secrets())(None, "info", dict.fromkeys(FIELDS, "shown"))
    assert set(kept.values()) == {"shown"}
