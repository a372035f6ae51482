"""The dashboard's parts for a page that is one file: what draws a round there, and the replays that it draws."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from node.dashboard import data_map, module_name, sources
from node.facade.replays import read_replay
from protocol.errors import Fault

START: Final = "report.js"
"""The module that opens the rounds of such a page."""

STYLES: Final = tuple(
    f"style/{name}.css" for name in ("tokens", "base", "answer", "round", "matrix", "replay", "report")
)
"""Style sheets of a round's view, in the shell's order, and what the page adds."""


def start_name() -> str:
    """Return the name by which the page imports the first module."""
    return module_name(START)


def styles() -> str:
    """Return the style sheets of a round's view as one text."""
    return "\n".join(sources()[path] for path in STYLES)


def modules() -> str:
    """Return the import map of all modules that a round's view needs, with the modules in it."""
    return data_map(START)


def replay_data(certificate: bytes) -> Mapping[str, Any] | None:
    """Return the course of a certificate's round as plain data; None: it is not valid, or of an earlier version."""
    replay = read_replay(certificate)
    if isinstance(replay, Fault) or not replay.events:
        return None
    found: Mapping[str, Any] = msgspec.to_builtins(replay)
    return found
