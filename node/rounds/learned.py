"""What a node learned of others, as rows of its store: their parts, their versions, and how earlier versions are read.

A row is the JSON of one value with its version in it. To change a part's type, append a step to its format and add a
fixture (tests/fixtures/learned/make.py): rows of earlier versions pass through the steps when they are read, and are
written in the new form when the node next learns of what they describe. Steps that were released never change.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from consensus.learning.experience import GoldRound, QueryPriors
from consensus.learning.reputation import NodeStats
from node.storage import Learned
from protocol.types import TaskType

log = structlog.get_logger()

STANDING, IMPORTED, GOLD, PRIORS = "standing", "hearsay", "gold", "insight"
"""Parts of what is learned, as the store names them. Hearsay are standings of others' that were taken over."""

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the JSON of one version's row into that of the next version."""

LEFT_ALONE_REMEDY: Final = (
    "install the strand that wrote them, or a later one; until then they count for nothing and stay as they are"
)


class StoredPriors(msgspec.Struct, frozen=True):
    """The weights in force, as stored."""

    rounds: int
    insights: dict[TaskType, QueryPriors]


@dataclass(frozen=True, slots=True)
class RowFormat:
    """The form of one part's rows. `steps[n - 1]` leads from version n to version n + 1."""

    type: Any
    steps: tuple[Step, ...] = ()

    @property
    def version(self) -> int:
        """The version that is written."""
        return 1 + len(self.steps)


FORMATS: Final[Mapping[str, RowFormat]] = {
    STANDING: RowFormat(NodeStats),
    IMPORTED: RowFormat(NodeStats),
    GOLD: RowFormat(GoldRound),
    PRIORS: RowFormat(StoredPriors),
}
"""Each part's present form. A row without a version is of version 1: before 2026-11-28 rows had none."""


class _Marked(msgspec.Struct):
    """What is read of a row before its version is known."""

    version: int = 1


@dataclass(frozen=True, slots=True)
class StoredRows:
    """A specialty's rows, in the order of the store."""

    known: dict[str, dict[bytes, Learned]] = field(default_factory=dict)
    """By part, then name: rows that can be read."""
    left_alone: frozenset[tuple[str, bytes]] = frozenset()
    """Parts and names of rows that a later strand wrote; as many as the store's table holds."""


def row_of(part: str, name: bytes, value: Any, formats: Mapping[str, RowFormat] = FORMATS) -> Learned:
    """Return the row that stores a value. An earlier strand ignores the version that stands before the fields."""
    body = msgspec.json.encode(value)
    assert body.startswith(b'{"'), "a row is an object with fields"
    return Learned(part, name, b'{"version":%d,%b' % (formats[part].version, body[1:]))


def value_of(row: Learned, formats: Mapping[str, RowFormat] = FORMATS) -> Any:
    """Return the value that a known row stores, brought to its part's present form."""
    version, form = _version(row), formats[row.part]
    if version == form.version:
        return msgspec.json.decode(row.body, type=form.type)
    plain = msgspec.json.decode(row.body)
    plain.pop("version", None)
    for step in form.steps[version - 1 :]:
        plain = step(plain)
    return msgspec.json.decode(msgspec.json.encode(plain), type=form.type)


def sort_rows(rows: Iterable[Learned], formats: Mapping[str, RowFormat] = FORMATS) -> StoredRows:
    """Sort rows by part, and set those apart whose part or version is not known, with one line in the log."""
    known: dict[str, dict[bytes, Learned]] = {part: {} for part in formats}
    left_alone: dict[tuple[str, bytes], str] = {}
    for row in rows:
        version = _version(row)
        if row.part in formats and 1 <= version <= formats[row.part].version:
            known[row.part][row.name] = row
        else:
            left_alone[row.part, row.name] = f"{row.part} {version}"
    if left_alone:
        reason = f"rows of another version: {', '.join(sorted(set(left_alone.values()))[:8])}"
        log.warning("learned.left_alone", count=len(left_alone), reason=reason, remedy=LEFT_ALONE_REMEDY)
    return StoredRows(known, frozenset(left_alone))


def _version(row: Learned) -> int:
    """The row's version; 0 where what stands in its place is no number."""
    try:
        return msgspec.json.decode(row.body, type=_Marked).version
    except msgspec.ValidationError:
        return 0
